//! The numbers of a script's bytes, which the encoder and the interpreter share. [`crate::script`] draws the operands.

macro_rules! opcodes {
    ($($name:ident = $number:literal)*) => { $(pub(crate) const $name: u8 = $number;)* };
}

opcodes! {
    INPUT = 0x01
    CALLER = 0x02
    CONTRACT_ID = 0x03
    DEPLOYER = 0x04
    HEIGHT = 0x05
    BATCH_TIME = 0x06
    CALL_INDEX = 0x07
    GET = 0x10
    SET = 0x11
    REMOVE = 0x12
    ADD = 0x13
    SUB = 0x14
    SCAN = 0x15
    EMIT = 0x16
    HASH = 0x17
    RET = 0x18
    ABORT = 0x19
    SET_FROM_LAST = 0x1a
    HOST = 0x1b
    MAX = 0x1c
    SET_ONCE = 0x1d
    VERIFY = 0x1e
    CALL = 0x1f
    WHEN = 0x20
    REPEAT = 0x21
    BURN = 0x22
    RETURN_CODE = 0x23
    REVERT = 0x24
    DESCEND = 0x25
    TRAP = 0x30
    STORE = 0x40
    LOAD = 0x41
    GROW = 0x42
    FOLD_MEMORY = 0x43
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $($(#[$variant_doc])* $variant = $number,)* }

        impl $name {
            /// All, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The one with this number in a script.
            pub fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

numbered! {
    /// What `When` asks of the last value, the one that the latest `Get`, `Add`, `Sub` or `Scan` left (see [`crate::script::Op`]).
    Condition {
        /// The last access found nothing, or was refused.
        Absent = 0,
        /// The value is odd.
        Odd = 1,
        /// The value is below the operand.
        Below = 2,
        /// The value is the operand.
        Equal = 3,
    }
}

numbered! {
    /// A way to trap.
    Trap {
        /// `unreachable`.
        Unreachable = 0,
        /// An unsigned division by zero.
        DivideByZero = 1,
        /// A signed division whose quotient does not fit.
        IntegerOverflow = 2,
        /// A load outside memory.
        LoadOutOfBounds = 3,
        /// A store outside memory.
        StoreOutOfBounds = 4,
        /// A call of a table element that is null.
        CallNull = 5,
        /// A call of a table element outside the table.
        CallOutside = 6,
        /// A call of a function as one of another type.
        CallWrongType = 7,
        /// Recursion without end on the engine's stack.
        StackOverflow = 8,
        /// Recursion without end on the stack in memory.
        FrameOverflow = 9,
        /// A loop without end.
        EndlessLoop = 10,
    }
}
