//! Credits: issuers, whom the deployer appoints, grant them; holders spend them.
//!
//! Grants and spends of one holder do not conflict while the bounds hold: neither reads how many there are.

#![cfg_attr(target_arch = "wasm32", no_std)]

use phalanx_contract::*;

/// Credits that one holder has at most.
pub const HOLDING_MAX: u128 = 1_000_000;

/// Credits of each holder.
#[slot]
const CREDITS: Map<Address, u128> = Map::at(0);
/// Who is an issuer.
#[slot]
const ROLES: Roles<Role> = Roles::at(1);

/// What an address may be.
#[derive(Wire)]
pub enum Role {
    /// Grants credits.
    Issuer,
}

/// A holder was given credits.
#[derive(Wire, Debug, PartialEq)]
pub struct Granted {
    /// By whom.
    pub issuer: Address,
    /// Who has them.
    pub holder: Address,
    /// How many.
    pub amount: u128,
}

/// A holder used credits up.
#[derive(Wire, Debug, PartialEq)]
pub struct Spent {
    /// Who had them.
    pub holder: Address,
    /// How many.
    pub amount: u128,
}

/// Why a method did nothing.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// The deployer alone appoints issuers.
    NotDeployer,
    /// Issuers alone grant.
    NotIssuer,
    /// The holder would have more than the maximum.
    TooMany,
    /// The holder has fewer.
    TooFew,
}

/// The contract.
pub struct Credits;

#[contract]
impl Credits {
    /// Makes `issuer` an issuer. The deployer alone may.
    pub fn appoint(issuer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.grant(Role::Issuer, issuer);
        Ok(())
    }

    /// Takes `issuer` its role. The deployer alone may.
    pub fn dismiss(issuer: Address) -> Result<(), Error> {
        only(deployer(), Error::NotDeployer)?;
        ROLES.revoke(Role::Issuer, issuer);
        Ok(())
    }

    /// Gives `holder` credits. Issuers alone may.
    pub fn grant(holder: Address, amount: u128) -> Result<(), Error> {
        ROLES.require(Role::Issuer, Error::NotIssuer)?;
        CREDITS.add_within(&holder, amount, 0..=HOLDING_MAX).map_err(|Refused| Error::TooMany)?;
        emit(&Granted { issuer: caller(), holder, amount });
        Ok(())
    }

    /// Uses up credits of the caller.
    pub fn spend(amount: u128) -> Result<(), Error> {
        let holder = caller();
        CREDITS.sub(&holder, amount).map_err(|Refused| Error::TooFew)?;
        emit(&Spent { holder, amount });
        Ok(())
    }

    /// Credits of `holder`.
    pub fn credits_of(holder: Address) -> u128 {
        CREDITS.get(&holder)
    }
}
