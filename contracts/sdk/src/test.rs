//! Native unit tests: an in-memory ledger a thread, with the limits of the host interface.
//!
//! ```
//! # use phalanx_contract::*;
//! # const TOTAL: Item<u128> = Item::at(0);
//! # fn deposit(amount: u128) -> Result<(), Refused> { TOTAL.add_within(amount, 0..=100) }
//! let alice = Address([1; 32]);
//! assert_eq!(test::call(alice, || deposit(100)), Ok(()));
//! assert_eq!(test::call(alice, || deposit(1)), Err(Refused));
//! ```
//!
//! [`call`] runs a method as one call: an `Err`, a limit, or a panic takes back its writes and events. [`call_encoded`]
//! goes through the encoding of arguments and results as an engine does. Neither gas nor memory nor stack is counted, calls run one after
//! another, and reads outside a call are allowed, as in a query.
//!
//! Contracts that call each other are put there with [`deploy`], and called [`on`] their ids; see [`crate::nested`].

pub(crate) mod ledger;
pub(crate) mod nested;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::Address;
use crate::entry::{Contract, Outcome};
use crate::nested::OutcomeCode;
use crate::wire::{Reader, Wire};

/// An event of a successful call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// Its topic.
    pub topic: String,
    /// Its encoding.
    pub data: Vec<u8>,
}

impl Emitted {
    /// The event, or `None` if its topic or bytes are not those of `T`.
    pub fn decode<'a, T: Wire<'a> + crate::Event>(&'a self) -> Option<T> {
        let mut reader = Reader::new(&self.data);
        let event = T::read(&mut reader)?;
        reader.end().filter(|()| self.topic == T::TOPIC).map(|()| event)
    }
}

/// Why a call ended without a result: the engine's outcome of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// [`crate::abort`] or a panic, with its text.
    Aborted(String),
    /// A limit of the interface was passed.
    LimitExceeded {
        /// What was limited.
        limit: &'static str,
        /// The most that is allowed.
        max: usize,
        /// What was asked for.
        actual: usize,
    },
    /// `add`, `sub` or `max` on a value that is not 16 bytes long.
    BadValueLength {
        /// Its length in bytes.
        actual: usize,
    },
    /// An argument that the interface does not define, as an end below a start.
    BadHostArgument(&'static str),
    /// A scan of a slot that is not declared as ordered.
    SlotNotOrdered {
        /// The slot.
        slot: u8,
    },
}

impl Failure {
    /// Leaves the method as a trap would. Unwinding without the panic hook: the failure is a result, which the test may expect.
    pub(crate) fn end_call(self) -> ! {
        resume_unwind(Box::new(self))
    }

    /// The engine's outcome of the same name.
    pub fn outcome(&self) -> OutcomeCode {
        match self {
            Self::Aborted(_) => OutcomeCode::ABORTED,
            Self::LimitExceeded { .. } => OutcomeCode::LIMIT_EXCEEDED,
            Self::BadValueLength { .. } => OutcomeCode::BAD_VALUE_LENGTH,
            Self::BadHostArgument(_) => OutcomeCode::BAD_HOST_ARGUMENT,
            Self::SlotNotOrdered { .. } => OutcomeCode::SLOT_NOT_ORDERED,
        }
    }

    /// What a caught unwind meant.
    fn from_panic(payload: Box<dyn std::any::Any + Send>) -> Self {
        match payload.downcast::<Self>() {
            Ok(failure) => *failure,
            Err(payload) => Self::Aborted(match payload.downcast::<String>() {
                Ok(text) => *text,
                Err(payload) => payload.downcast_ref::<&str>().map_or_else(String::new, |text| (*text).to_owned()),
            }),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aborted(text) => write!(f, "the call aborted: {text}"),
            Self::LimitExceeded { limit, max, actual } => write!(f, "{limit}: {actual} is above the limit of {max}"),
            Self::BadValueLength { actual } => write!(f, "arithmetic on a value of {actual} bytes, not 16"),
            Self::BadHostArgument(argument) => write!(f, "bad host argument: {argument}"),
            Self::SlotNotOrdered { slot } => write!(f, "a scan of slot {slot}, which is not ordered"),
        }
    }
}

impl std::error::Error for Failure {}

/// Runs `method` as a call of `caller`. An `Err` takes back what the call did.
///
/// # Panics
///
/// If the call ends without a result; see [`try_call`].
#[track_caller]
pub fn call<T: Outcome>(caller: Address, method: impl FnOnce() -> T) -> T {
    try_call(caller, method).unwrap_or_else(|failure| panic!("{failure}"))
}

/// Runs `method` as a call of `caller`. An `Err` or a failure takes back what the call did.
///
/// # Errors
///
/// What ended the call, if that was a limit, an abort or a panic.
pub fn try_call<T: Outcome>(caller: Address, method: impl FnOnce() -> T) -> Result<T, Failure> {
    let answer = run(caller, &[], || {
        let outcome = method();
        (outcome.finish(), outcome)
    });
    answer.map(|(_, outcome)| outcome)
}

/// What an encoded call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 0: done; 1: reverted with a typed error; 2: the arguments do not decode.
    pub code: i32,
    /// The return bytes: the result's or the error's encoding.
    pub bytes: Vec<u8>,
}

/// Runs the method named `method` of `C` with encoded arguments, as an engine does.
///
/// # Errors
///
/// What ended the call, if that was a limit, an abort or a panic.
///
/// # Panics
///
/// If `C` has no such method.
#[track_caller]
pub fn call_encoded<C: Contract>(caller: Address, method: &str, arguments: &[u8]) -> Result<Answer, Failure> {
    let Some(found) = C::METHODS.iter().find(|candidate| candidate.name == method) else {
        panic!("the contract has no method {method}")
    };
    let (code, bytes) = run(caller, arguments, || ((found.run)(), ()))
        .map(|(code, ())| (code, ledger::with(|ledger| std::mem::take(&mut ledger.returned))))?;
    Ok(Answer { code, bytes })
}

/// One call: `method` answers with its return code and a result.
fn run<T>(caller: Address, arguments: &[u8], method: impl FnOnce() -> (i32, T)) -> Result<(i32, T), Failure> {
    let before = ledger::with(|ledger| ledger.begin(caller, arguments));
    // The ledger is put back as it was; what else `method` captured is the test's own business.
    let result = catch_unwind(AssertUnwindSafe(method)).map_err(Failure::from_panic);
    let done = matches!(result, Ok((0, _)));
    ledger::with(|ledger| ledger.end(before, done));
    result
}

/// The events of all successful calls so far, in order.
pub fn events() -> Vec<Emitted> {
    ledger::with(|ledger| ledger.events.clone())
}

/// Makes `deployer` the address that deployed the contract; before, it is 32 zero bytes.
pub fn set_deployer(deployer: Address) {
    ledger::with(|ledger| ledger.set_deployer(deployer));
}

/// Makes `id` the contract's id; before, it is 32 zero bytes. Its state and its deployer stay its own.
pub fn set_contract_id(id: Address) {
    ledger::with(|ledger| ledger.set_contract_id(id));
}

/// Makes `C` the contract with this id, so that others can call it. State that the id has stays.
pub fn deploy<C: Contract>(id: Address, deployer: Address) {
    ledger::with(|ledger| ledger.deploy(id, deployer, C::METHODS));
}

/// Runs `act`, in which methods run and state is read as the contract with this id.
///
/// # Panics
///
/// Within a call.
pub fn on<R>(contract: Address, act: impl FnOnce() -> R) -> R {
    let before = ledger::with(|ledger| ledger.switch_to(contract));
    let result = act();
    ledger::with(|ledger| ledger.switch_to(before));
    result
}

/// Makes `height` the height of the calls that follow, and `batch_time` their time in milliseconds. Their indices begin at 0.
pub fn set_height(height: u64, batch_time: u64) {
    ledger::with(|ledger| ledger.set_height(height, batch_time));
}

/// Declares a slot as ordered, as the module's section `phalanx.ordered` does.
pub fn declare_ordered(slot: u8) {
    ledger::with(|ledger| ledger.declare_ordered(slot));
}

/// Forgets everything: state, events, deployer, height.
pub fn reset() {
    ledger::with(|ledger| *ledger = ledger::Ledger::default());
}
