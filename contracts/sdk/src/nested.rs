//! Calls of other contracts.
//!
//! `#[contract]` gives each contract a handle: `Token::at(id)` is the contract with that id, and its methods are the contract's, called
//! where it is. A contract depends on another's crate with the feature `library`, which leaves out the exports.
//!
//! ```
//! use phalanx_contract::*;
//!
//! /// How often the bell was rung.
//! #[slot]
//! const RINGS: Item<u128> = Item::at(0);
//!
//! #[derive(Wire, Debug, PartialEq)]
//! pub enum Error {
//!     Worn,
//! }
//!
//! pub struct Bell;
//!
//! #[contract]
//! impl Bell {
//!     /// Rings, at most twice.
//!     pub fn ring() -> Result<(), Error> {
//!         RINGS.add_within(1, 0..=2).map_err(|Refused| Error::Worn)
//!     }
//! }
//!
//! pub struct Door;
//!
//! #[contract]
//! impl Door {
//!     /// Rings some bell; whether it can still be heard.
//!     pub fn open(bell: Address) -> bool {
//!         match Bell::at(bell).ring() {
//!             Ok(()) => true,
//!             Err(CallError::Reverted(Error::Worn)) => false,
//!             Err(_) => abort("no bell"),
//!         }
//!     }
//! }
//!
//! let (alice, bell, door) = (Address([1; 32]), Address([2; 32]), Address([3; 32]));
//! test::deploy::<Bell>(bell, alice);
//! test::deploy::<Door>(door, alice);
//! let heard = test::on(door, || [0; 3].map(|_| test::call(alice, || Door::open(bell))));
//! assert_eq!(heard, [true, true, false]);
//! ```

use core::convert::Infallible;
use core::mem::MaybeUninit;

use crate::wire::{Reader, STACK_ENCODING_MAX, Wire, Writer, longest};
use crate::{Address, host};

/// How a call ended: the codes of the engine's outcomes, as receipts have them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeCode(pub u8);

impl OutcomeCode {
    /// The method returned a result.
    pub const OK: Self = Self(0);
    /// The method returned a typed error.
    pub const REVERTED: Self = Self(1);
    /// The arguments do not decode: the method is another one than its caller takes it for.
    pub const BAD_ARGUMENTS: Self = Self(2);
    /// No contract has the id.
    pub const UNKNOWN_CONTRACT: Self = Self(3);
    /// The contract has no such method.
    pub const UNKNOWN_METHOD: Self = Self(4);
    /// A limit of the interface was passed.
    pub const LIMIT_EXCEEDED: Self = Self(5);
    /// The gas that the caller gave did not suffice.
    pub const OUT_OF_GAS: Self = Self(6);
    /// The stack that callers and callee share did not suffice.
    pub const STACK_EXHAUSTED: Self = Self(7);
    /// The contract aborted, as a panic does.
    pub const ABORTED: Self = Self(8);
    /// `add`, `sub` or `max` on a value that is not 16 bytes long.
    pub const BAD_VALUE_LENGTH: Self = Self(16);
    /// A host function got what it does not know.
    pub const BAD_HOST_ARGUMENT: Self = Self(17);
    /// A scan of a slot that is not ordered.
    pub const SLOT_NOT_ORDERED: Self = Self(18);
    /// The method returned a code that is none.
    pub const BAD_RETURN_CODE: Self = Self(19);
    /// There are as many calls within calls as there may be.
    pub const TOO_DEEP: Self = Self(23);
    /// The contract is being called already, and its method is not `#[reentrant]`.
    pub const REENTRANT: Self = Self(24);
}

/// Why a call of another contract has no result. Nothing that it did stays, but for the gas that it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError<E> {
    /// The method's own error.
    Reverted(E),
    /// Anything else that ends a call.
    Failed(OutcomeCode),
    /// The call succeeded or reverted, and its bytes are no result or error of the method: the contract is another one than its caller
    /// takes it for. What it did stays, if it succeeded.
    BadAnswer,
}

/// What a method returns, as its callers get it: a value, or a `Result` of a value and a typed error.
pub trait Returned {
    /// The value.
    type Value;
    /// The typed error.
    type Error;
    /// Length in bytes of the longest encoding of either.
    const BYTES_MAX: usize;

    /// The value or the error that all of `bytes` encode.
    fn decode(reverted: bool, bytes: &[u8]) -> Result<Self::Value, CallError<Self::Error>>;
}

#[inline(always)]
fn whole<T: for<'a> Wire<'a>, E>(bytes: &[u8]) -> Result<T, CallError<E>> {
    let mut reader = Reader::new(bytes);
    let value = T::read(&mut reader).ok_or(CallError::BadAnswer)?;
    reader.end().map(|()| value).ok_or(CallError::BadAnswer)
}

impl<T: for<'a> Wire<'a>> Returned for T {
    type Value = T;
    type Error = Infallible;
    const BYTES_MAX: usize = <T as Wire<'static>>::MAX_LEN;

    #[inline(always)]
    fn decode(reverted: bool, bytes: &[u8]) -> Result<T, CallError<Infallible>> {
        if reverted { Err(CallError::BadAnswer) } else { whole(bytes) }
    }
}

impl<T: for<'a> Wire<'a>, E: for<'a> Wire<'a>> Returned for Result<T, E> {
    type Value = T;
    type Error = E;
    const BYTES_MAX: usize = longest(&[<T as Wire<'static>>::MAX_LEN, <E as Wire<'static>>::MAX_LEN]);

    #[inline(always)]
    fn decode(reverted: bool, bytes: &[u8]) -> Result<T, CallError<E>> {
        if reverted { Err(CallError::Reverted(whole(bytes)?)) } else { whole(bytes) }
    }
}

/// What a call of a method that returns `R` comes to.
pub type Called<R> = Result<<R as Returned>::Value, CallError<<R as Returned>::Error>>;

/// Bytes of stack for arguments of at most `max` bytes; longer ones abort the call.
pub const fn stack_bytes(max: usize) -> usize {
    if max < STACK_ENCODING_MAX { max } else { STACK_ENCODING_MAX }
}

/// Calls a method of the contract, as handles do. `STACK` is [`stack_bytes`] of the longest arguments, which `arguments` encodes.
#[inline(always)]
pub fn call<R: Returned, const STACK: usize>(
    contract: &Address,
    gas: u64,
    method: &str,
    arguments: impl FnOnce(&mut Writer<'_>),
) -> Called<R> {
    let mut buffer = host::buffer::<STACK>();
    let mut writer = Writer::new(&mut buffer);
    arguments(&mut writer);
    let arguments = writer.finish();
    match R::BYTES_MAX {
        0..=16 => answer::<R, 16>(contract, gas, method, arguments),
        17..=128 => answer::<R, 128>(contract, gas, method, arguments),
        129..=512 => answer::<R, 512>(contract, gas, method, arguments),
        _ => answer::<R, STACK_ENCODING_MAX>(contract, gas, method, arguments),
    }
}

#[inline(always)]
fn answer<R: Returned, const ROOM: usize>(contract: &Address, gas: u64, method: &str, arguments: &[u8]) -> Called<R> {
    let mut out: [MaybeUninit<u8>; ROOM] = host::buffer();
    let ended = host::call(contract, method, arguments, gas, &mut out);
    match ended.outcome {
        OutcomeCode::OK | OutcomeCode::REVERTED => {
            let bytes = out.get(..ended.bytes).ok_or(CallError::BadAnswer)?;
            // SAFETY: the host wrote the first min(bytes, capacity) bytes, and they are within the capacity.
            R::decode(ended.outcome == OutcomeCode::REVERTED, unsafe { bytes.assume_init_ref() })
        }
        outcome => Err(CallError::Failed(outcome)),
    }
}
