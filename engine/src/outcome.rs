//! How a call ended: one closed enum, stable codes, no texts.

/// Outcome code of a receipt. Codes are protocol: never renumbered, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Outcome {
    /// The method returned 0.
    Ok = 0,
    /// The method returned 1: a typed error is in the return bytes.
    Reverted = 1,
    /// The method returned 2: the arguments do not decode.
    BadArguments = 2,
    /// No contract has this id (at the heights before this one).
    UnknownContract = 3,
    /// The contract has no such method.
    UnknownMethod = 4,
    /// A limit of one call was passed: arguments, gas limit, key, value, events, return bytes, writes or scan.
    LimitExceeded = 5,
    /// The gas limit did not suffice; all of it is used.
    OutOfGas = 6,
    /// The stack budget did not suffice.
    StackExhausted = 7,
    /// The contract called `abort`, as a panic does.
    Aborted = 8,
    /// The contract executed `unreachable`.
    Unreachable = 9,
    /// An access outside of memory, by an instruction or by a pointer given to a host function.
    MemoryOutOfBounds = 10,
    /// `call_indirect` outside of the table.
    TableOutOfBounds = 11,
    /// `call_indirect` to an element that is null.
    IndirectCallToNull = 12,
    /// `call_indirect` to a function of another type.
    BadSignature = 13,
    /// An integer overflow in a division.
    IntegerOverflow = 14,
    /// A division by zero.
    DivisionByZero = 15,
    /// `add` or `sub` on a value that is not 16 bytes long.
    BadValueLength = 16,
    /// A host function got a direction, an algorithm or a range that it does not know, or an empty key.
    BadHostArgument = 17,
    /// A scan of a slot that is not ordered.
    SlotNotOrdered = 18,
    /// The method returned something other than 0, 1 or 2.
    BadReturnCode = 19,
    /// Deploy: the contract exists.
    AlreadyDeployed = 20,
    /// Deploy or upgrade: the module is refused.
    ModuleRefused = 21,
    /// Upgrade: the sender may not.
    NotPermitted = 22,
    /// A nested call alone: there are as many calls within calls as there may be.
    TooDeep = 23,
    /// A nested call alone: the contract is being called already, and the method does not allow that.
    Reentrant = 24,
}

impl Outcome {
    /// All outcomes, by code.
    pub const ALL: [Outcome; 25] = [
        Outcome::Ok,
        Outcome::Reverted,
        Outcome::BadArguments,
        Outcome::UnknownContract,
        Outcome::UnknownMethod,
        Outcome::LimitExceeded,
        Outcome::OutOfGas,
        Outcome::StackExhausted,
        Outcome::Aborted,
        Outcome::Unreachable,
        Outcome::MemoryOutOfBounds,
        Outcome::TableOutOfBounds,
        Outcome::IndirectCallToNull,
        Outcome::BadSignature,
        Outcome::IntegerOverflow,
        Outcome::DivisionByZero,
        Outcome::BadValueLength,
        Outcome::BadHostArgument,
        Outcome::SlotNotOrdered,
        Outcome::BadReturnCode,
        Outcome::AlreadyDeployed,
        Outcome::ModuleRefused,
        Outcome::NotPermitted,
        Outcome::TooDeep,
        Outcome::Reentrant,
    ];

    /// The code in a receipt.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The outcome of a receipt's code.
    pub fn from_code(code: u8) -> Option<Outcome> {
        Self::ALL.get(code as usize).copied()
    }

    /// The outcome's name as command line and exports show it.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Reverted => "reverted",
            Outcome::BadArguments => "bad_arguments",
            Outcome::UnknownContract => "unknown_contract",
            Outcome::UnknownMethod => "unknown_method",
            Outcome::LimitExceeded => "limit_exceeded",
            Outcome::OutOfGas => "out_of_gas",
            Outcome::StackExhausted => "stack_exhausted",
            Outcome::Aborted => "aborted",
            Outcome::Unreachable => "unreachable",
            Outcome::MemoryOutOfBounds => "memory_out_of_bounds",
            Outcome::TableOutOfBounds => "table_out_of_bounds",
            Outcome::IndirectCallToNull => "indirect_call_to_null",
            Outcome::BadSignature => "bad_signature",
            Outcome::IntegerOverflow => "integer_overflow",
            Outcome::DivisionByZero => "division_by_zero",
            Outcome::BadValueLength => "bad_value_length",
            Outcome::BadHostArgument => "bad_host_argument",
            Outcome::SlotNotOrdered => "slot_not_ordered",
            Outcome::BadReturnCode => "bad_return_code",
            Outcome::AlreadyDeployed => "already_deployed",
            Outcome::ModuleRefused => "module_refused",
            Outcome::NotPermitted => "not_permitted",
            Outcome::TooDeep => "too_deep",
            Outcome::Reentrant => "reentrant",
        }
    }

    /// Outcomes of a method that returned: code 0, 1, 2, or none of these.
    pub(crate) fn of_return_code(code: i32) -> Outcome {
        match code {
            0 => Outcome::Ok,
            1 => Outcome::Reverted,
            2 => Outcome::BadArguments,
            _ => Outcome::BadReturnCode,
        }
    }

    /// Whether a receipt can have it: some are answers to a calling contract alone.
    pub fn is_in_receipts(self) -> bool {
        !matches!(self, Outcome::TooDeep | Outcome::Reentrant)
    }

    /// Whether return bytes belong to the receipt.
    pub(crate) fn keeps_return_bytes(self) -> bool {
        matches!(self, Outcome::Ok | Outcome::Reverted)
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn codes_are_dense_and_names_distinct() {
        let mut names = std::collections::BTreeSet::new();
        for (code, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.code() as usize, code);
            assert_eq!(Outcome::from_code(code as u8), Some(outcome));
            assert!(names.insert(outcome.name()));
        }
        assert_eq!(Outcome::from_code(Outcome::ALL.len() as u8), None);
    }
}
