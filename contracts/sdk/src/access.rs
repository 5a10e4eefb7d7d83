//! Who may: checks that answer with the contract's own typed error.

use crate::state::Set;
use crate::wire::Wire;
use crate::{Address, caller};

/// `Err(error)` unless the condition holds: `require(amount > 0, Error::NothingPaid)?`.
#[inline(always)]
pub fn require<E>(condition: bool, error: E) -> Result<(), E> {
    if condition { Ok(()) } else { Err(error) }
}

/// `Err(error)` unless `address` sent the call: `only(deployer(), Error::NotDeployer)?`.
///
/// ```
/// # use phalanx_contract::*;
/// #[derive(Wire, Debug, PartialEq)]
/// pub enum Error {
///     NotDeployer,
/// }
/// let (operator, stranger) = (Address([1; 32]), Address([2; 32]));
/// test::set_deployer(operator);
/// let close = || only(deployer(), Error::NotDeployer);
/// assert_eq!(test::call(stranger, close), Err(Error::NotDeployer));
/// assert_eq!(test::call(operator, close), Ok(()));
/// ```
#[inline(always)]
pub fn only<E>(address: Address, error: E) -> Result<(), E> {
    require(caller() == address, error)
}

/// Who holds which role. `R` is an enum of the contract, or any other key: a department's number, a pool.
///
/// Asking reads one key, so calls conflict with those that grant or revoke the very role of the very address, and with
/// no others.
///
/// ```
/// # use phalanx_contract::*;
/// #[derive(Wire)]
/// pub enum Role {
///     Registrar,
///     Auditor,
/// }
/// #[derive(Wire, Debug, PartialEq)]
/// pub enum Error {
///     NotRegistrar,
/// }
/// const ROLES: Roles<Role> = Roles::at(0);
/// fn register() -> Result<(), Error> {
///     ROLES.require(Role::Registrar, Error::NotRegistrar)
/// }
///
/// let alice = Address([1; 32]);
/// assert_eq!(test::call(alice, register), Err(Error::NotRegistrar));
/// test::call(alice, || ROLES.grant(Role::Registrar, alice));
/// assert_eq!(test::call(alice, register), Ok(()));
/// assert!(ROLES.has(Role::Registrar, alice) && !ROLES.has(Role::Auditor, alice));
/// ```
pub struct Roles<R> {
    holders: Set<(R, Address)>,
}

impl<R> Roles<R> {
    /// The holders of slot `slot`.
    pub const fn at(slot: u8) -> Self {
        Self { holders: Set::at(slot) }
    }
}

impl<R: for<'a> Wire<'a>> Roles<R> {
    /// Whether `address` holds the role.
    #[inline(always)]
    pub fn has(&self, role: R, address: Address) -> bool {
        self.holders.contains(&(role, address))
    }

    /// `Err(error)` unless the caller holds the role.
    #[inline(always)]
    pub fn require<E>(&self, role: R, error: E) -> Result<(), E> {
        require(self.has(role, caller()), error)
    }

    /// Gives `address` the role. Who may do that is the contract's to check.
    #[inline(always)]
    pub fn grant(&self, role: R, address: Address) {
        self.holders.insert(&(role, address));
    }

    /// Takes the role from `address`. Who may do that is the contract's to check.
    #[inline(always)]
    pub fn revoke(&self, role: R, address: Address) {
        self.holders.remove(&(role, address));
    }
}
