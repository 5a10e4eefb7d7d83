//! Why a host function ends a call.

use crate::limits;
use crate::outcome::Outcome;
use crate::wasm::frame::{Frame, Halt};
use wasmtime::Error;

/// A limit of what a call may ask for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    Key,
    Value,
    Writes,
    ScanEntries,
    Return,
    Topic,
    Event,
    Events,
    Method,
    Arguments,
}

impl Limit {
    #[inline(always)]
    pub(super) const fn most(self) -> usize {
        match self {
            Limit::Key => limits::KEY_BYTES_MAX,
            Limit::Value => limits::VALUE_BYTES_MAX,
            Limit::Writes => limits::CALL_WRITES_MAX,
            Limit::ScanEntries => limits::SCAN_ENTRIES_MAX,
            Limit::Return => limits::RETURN_BYTES_MAX,
            Limit::Topic => limits::EVENT_TOPIC_BYTES_MAX,
            Limit::Event => limits::EVENT_BYTES_MAX,
            Limit::Events => limits::EVENTS_MAX,
            Limit::Method => limits::METHOD_BYTES_MAX,
            Limit::Arguments => limits::ARGUMENT_BYTES_MAX,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Limit::Key => "bytes of a key",
            Limit::Value => "bytes of a value",
            Limit::Writes => "keys that a call writes",
            Limit::ScanEntries => "entries of a scan",
            Limit::Return => "return bytes",
            Limit::Topic => "bytes of an event's topic",
            Limit::Event => "bytes of an event",
            Limit::Events => "events of a call",
            Limit::Method => "bytes of a method's name",
            Limit::Arguments => "bytes of arguments",
        }
    }

    /// By one: what is counted is counted one by one.
    #[inline]
    pub(super) fn passed(self) -> Stop {
        Stop::above(self, self.most() + 1)
    }
}

/// How the call ends, and the limit that it passed, if that is why. Eight bytes, as host functions hand it through in registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) outcome: Outcome,
    passed: Option<Limit>,
    value: u32,
}

impl From<Outcome> for Stop {
    #[inline(always)]
    fn from(outcome: Outcome) -> Self {
        Self { outcome, passed: None, value: 0 }
    }
}

impl Stop {
    /// A guest's numbers have 32 bits.
    #[inline(always)]
    pub(super) fn above(limit: Limit, value: usize) -> Self {
        Self { outcome: Outcome::LimitExceeded, passed: Some(limit), value: value as u32 }
    }

    /// Leaves the reason in the frame, a passed limit in words too, and makes the error with which the guest is left.
    #[cold]
    #[inline(never)]
    pub(super) fn halt(self, frame: &mut Frame) -> Error {
        frame.halt = Some(self.outcome);
        if let Some(limit) = self.passed {
            let (what, most) = (limit.what(), limit.most());
            frame.explanation = Some(format!("{what}: {} is above the limit of {most}", self.value));
        }
        Halt.into()
    }
}
