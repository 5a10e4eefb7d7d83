//! Why a module is refused: a closed list with stable names, each saying the limit, the actual value and the place.

use std::fmt;

use crate::limits;

/// Longest piece of a stranger's name that a reason repeats, in bytes: a module can name one thing a million times.
const QUOTED_BYTES_MAX: usize = 80;
/// Most reasons that a refusal lists: a module can export two hundred thousand functions that are no methods.
const REASONS_MAX: usize = 1_000;

/// A refused module with every independent reason (of more than a thousand the first thousand), in the order of the
/// module's sections.
///
/// Bytes that are not a Wasm module have the single reason [`Reason::Invalid`]. Where a limit is passed, or an extension
/// of the type system is used, the bytes are not type-checked (that is what the limits protect), so that a module
/// refused for such a reason may have type errors as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// At least one reason.
    pub reasons: Vec<Reason>,
}

/// One reason to refuse a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The bytes are not a valid Wasm module: the parser's text and the byte offset in the module.
    Invalid {
        /// What the parser says.
        text: String,
        /// Byte offset in the module.
        offset: usize,
    },
    /// A limit of [`crate::limits`] is passed.
    Limit {
        /// Which one.
        limit: Limit,
        /// The module's value at the first place that passes it.
        actual: u64,
        /// The first place that passes it.
        at: Place,
        /// How many later places pass it too.
        more: u32,
    },
    /// A part of Wasm that contracts may not use.
    Feature {
        /// Which one.
        feature: Feature,
        /// The type, operator or section that uses it.
        what: String,
        /// The first use.
        at: Place,
        /// How many later uses there are.
        more: u32,
    },
    /// A function is imported that the host interface does not have.
    UnknownImport {
        /// Import module.
        module: String,
        /// Import name.
        name: String,
    },
    /// A host function is imported with a type that is not its own.
    ImportType {
        /// Import name.
        name: String,
        /// The host function's type.
        expected: String,
        /// The type that the module imports it with.
        actual: String,
    },
    /// Something other than a function is imported.
    ImportKind {
        /// Import module.
        module: String,
        /// Import name.
        name: String,
        /// What it is: table, memory, global or tag.
        kind: &'static str,
    },
    /// The module has a start function: code that would run before any call.
    StartFunction,
    /// The module does not export its memory under the name `memory`.
    MissingMemory,
    /// A mutable global is exported.
    MutableGlobalExport {
        /// Export name.
        name: String,
    },
    /// Two exports have one name.
    DuplicateExport {
        /// Export name.
        name: String,
    },
    /// An exported function is not of type `() -> i32`.
    MethodType {
        /// Export name.
        name: String,
        /// Its type.
        actual: String,
    },
    /// No exported function is a method.
    NoMethod,
    /// A data or element segment lies outside the memory or table, so that no instance could ever be made.
    SegmentOutOfBounds {
        /// `data` or `element`.
        kind: &'static str,
        /// Index of the segment.
        index: u32,
        /// Where it ends: a byte of memory or an element of the table.
        end: u64,
        /// How many bytes the memory, or elements the table, starts with.
        size: u64,
    },
    /// The custom section `phalanx.ordered` is not a list of pairs `00 slot` or `01 00`.
    OrderedSection {
        /// Index of the pair that is neither.
        pair: usize,
    },
    /// The custom section `phalanx.reentrant` is not a list of names, each after its length as one byte.
    ReentrantSection {
        /// Index of the name that is cut off.
        entry: usize,
    },
    /// The custom section `phalanx.reentrant` lists what is no method.
    ReentrantMethod {
        /// The name.
        name: String,
    },
}

/// Where in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the function (imports count), where it is in one.
    pub function: Option<u32>,
    /// Byte offset in the module.
    pub offset: usize,
}

/// Parts of Wasm that contracts may not use, because they vary between machines, survive a call, or are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the name of a Wasm proposal")]
pub enum Feature {
    Floats,
    Simd,
    RelaxedSimd,
    Threads,
    ReferenceTypes,
    FunctionReferences,
    Gc,
    Exceptions,
    TailCall,
    StackSwitching,
    WideArithmetic,
    ExtendedConst,
    MultiMemory,
    Memory64,
    CustomPageSizes,
    MemoryControl,
    PassiveSegments,
    TableMutation,
}

/// A limit that a module can pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the constant of `limits` that `max` answers")]
pub enum Limit {
    ModuleBytes,
    InstrumentedBytes,
    Types,
    Parameters,
    Results,
    Functions,
    TableElements,
    MemoryPages,
    Globals,
    Methods,
    MethodNameBytes,
    Segments,
    DataBytes,
    BodyBytes,
    Locals,
    LoopsTimesLocals,
    ModuleLoopsTimesLocals,
    ModuleCalls,
    ControlOperators,
    Nesting,
    BranchTargets,
    CallResults,
    BlockValues,
    JoinValues,
    ModuleJoinValues,
    Operands,
}

impl Limit {
    /// The largest value that passes.
    #[must_use]
    pub fn max(self) -> u64 {
        match self {
            Self::ModuleBytes => limits::MODULE_BYTES_MAX as u64,
            Self::InstrumentedBytes => limits::INSTRUMENTED_BYTES_MAX as u64,
            Self::Types => u64::from(limits::TYPES_MAX),
            Self::Parameters | Self::Results => limits::PARAMETERS_MAX as u64,
            Self::Functions => u64::from(limits::FUNCTIONS_MAX),
            Self::TableElements => limits::TABLE_ELEMENTS_MAX,
            Self::MemoryPages => u64::from(limits::MEMORY_PAGES_MAX),
            Self::Globals => u64::from(limits::GLOBALS_MAX),
            Self::Methods => limits::METHODS_MAX as u64,
            Self::MethodNameBytes => limits::METHOD_BYTES_MAX as u64,
            Self::Segments => u64::from(limits::SEGMENTS_MAX),
            Self::DataBytes => limits::DATA_BYTES_MAX as u64,
            Self::BodyBytes => limits::BODY_BYTES_MAX as u64,
            Self::Locals => u64::from(limits::LOCALS_MAX),
            Self::LoopsTimesLocals => limits::LOOPS_TIMES_LOCALS_MAX,
            Self::ModuleLoopsTimesLocals => limits::MODULE_LOOPS_TIMES_LOCALS_MAX,
            Self::ModuleCalls => limits::MODULE_CALLS_MAX,
            Self::ControlOperators => u64::from(limits::CONTROL_OPERATORS_MAX),
            Self::Nesting => u64::from(limits::NESTING_MAX),
            Self::BranchTargets => u64::from(limits::BRANCH_TARGETS_MAX),
            Self::CallResults => limits::CALL_RESULTS_MAX,
            Self::BlockValues => limits::BLOCK_VALUES_MAX,
            Self::JoinValues => limits::JOIN_VALUES_MAX,
            Self::ModuleJoinValues => limits::MODULE_JOIN_VALUES_MAX,
            Self::Operands => u64::from(limits::OPERANDS_MAX),
        }
    }

    /// The stable name, as in receipts' texts and `contract check`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ModuleBytes => "ModuleBytes",
            Self::InstrumentedBytes => "InstrumentedBytes",
            Self::Types => "Types",
            Self::Parameters => "Parameters",
            Self::Results => "Results",
            Self::Functions => "Functions",
            Self::TableElements => "TableElements",
            Self::MemoryPages => "MemoryPages",
            Self::Globals => "Globals",
            Self::Methods => "Methods",
            Self::MethodNameBytes => "MethodNameBytes",
            Self::Segments => "Segments",
            Self::DataBytes => "DataBytes",
            Self::BodyBytes => "BodyBytes",
            Self::Locals => "Locals",
            Self::LoopsTimesLocals => "LoopsTimesLocals",
            Self::ModuleLoopsTimesLocals => "ModuleLoopsTimesLocals",
            Self::ModuleCalls => "ModuleCalls",
            Self::ControlOperators => "ControlOperators",
            Self::Nesting => "Nesting",
            Self::BranchTargets => "BranchTargets",
            Self::CallResults => "CallResults",
            Self::BlockValues => "BlockValues",
            Self::JoinValues => "JoinValues",
            Self::ModuleJoinValues => "ModuleJoinValues",
            Self::Operands => "Operands",
        }
    }
}

impl Feature {
    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Floats => "Floats",
            Self::Simd => "Simd",
            Self::RelaxedSimd => "RelaxedSimd",
            Self::Threads => "Threads",
            Self::ReferenceTypes => "ReferenceTypes",
            Self::FunctionReferences => "FunctionReferences",
            Self::Gc => "Gc",
            Self::Exceptions => "Exceptions",
            Self::TailCall => "TailCall",
            Self::StackSwitching => "StackSwitching",
            Self::WideArithmetic => "WideArithmetic",
            Self::ExtendedConst => "ExtendedConst",
            Self::MultiMemory => "MultiMemory",
            Self::Memory64 => "Memory64",
            Self::CustomPageSizes => "CustomPageSizes",
            Self::MemoryControl => "MemoryControl",
            Self::PassiveSegments => "PassiveSegments",
            Self::TableMutation => "TableMutation",
        }
    }

    /// Whether type-checking a module that uses it costs more than the module's size bounds.
    fn unbounds_validation(self) -> bool {
        matches!(self, Self::Gc | Self::FunctionReferences | Self::Exceptions | Self::StackSwitching)
    }
}

impl Reason {
    /// The stable name of the reason; a limit's and a feature's is its own.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "Invalid",
            Self::Limit { limit, .. } => limit.name(),
            Self::Feature { feature, .. } => feature.name(),
            Self::UnknownImport { .. } => "UnknownImport",
            Self::ImportType { .. } => "ImportType",
            Self::ImportKind { .. } => "ImportKind",
            Self::StartFunction => "StartFunction",
            Self::MissingMemory => "MissingMemory",
            Self::MutableGlobalExport { .. } => "MutableGlobalExport",
            Self::DuplicateExport { .. } => "DuplicateExport",
            Self::MethodType { .. } => "MethodType",
            Self::NoMethod => "NoMethod",
            Self::SegmentOutOfBounds { .. } => "SegmentOutOfBounds",
            Self::OrderedSection { .. } => "OrderedSection",
            Self::ReentrantSection { .. } => "ReentrantSection",
            Self::ReentrantMethod { .. } => "ReentrantMethod",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.function {
            Some(function) => write!(f, "in function {function} at offset {:#x}", self.offset),
            None => write!(f, "at offset {:#x}", self.offset),
        }
    }
}

/// The end of a sentence that names a first place, for places after it.
struct More(u32);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, ", and at {more} more"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name())?;
        match self {
            Self::Invalid { text, offset } => write!(f, "{text} (at offset {offset:#x})"),
            Self::Limit { limit, actual, at, more } => {
                write!(f, "{actual}, the limit is {} ({at}{})", limit.max(), More(*more))
            }
            Self::Feature { what, at, more, .. } => write!(f, "{what} ({at}{})", More(*more)),
            Self::UnknownImport { module, name } => write!(f, "`{module}.{name}` is no function of the host interface"),
            Self::ImportType { name, expected, actual } => {
                write!(f, "`phalanx.{name}` is {expected}, imported as {actual}")
            }
            Self::ImportKind { module, name, kind } => {
                write!(f, "`{module}.{name}` is a {kind}, only functions may be imported")
            }
            Self::StartFunction => write!(f, "the module has a start function"),
            Self::MissingMemory => write!(f, "no memory is exported under the name `memory`"),
            Self::MutableGlobalExport { name } => write!(f, "the mutable global `{name}` is exported"),
            Self::DuplicateExport { name } => write!(f, "two exports have the name `{name}`"),
            Self::MethodType { name, actual } => {
                write!(f, "exported function `{name}` is {actual}, a method is () -> i32")
            }
            Self::NoMethod => write!(f, "no function of type () -> i32 is exported"),
            Self::SegmentOutOfBounds { kind, index, end, size } => {
                write!(f, "{kind} segment {index} ends at {end}, beyond the {size} there are")
            }
            Self::OrderedSection { pair } => {
                write!(f, "pair {pair} of section phalanx.ordered is neither `00 slot` nor `01 00`")
            }
            Self::ReentrantSection { entry } => {
                write!(f, "name {entry} of section phalanx.reentrant is longer than the section")
            }
            Self::ReentrantMethod { name } => write!(f, "section phalanx.reentrant lists {name}, which is no method"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, reason) in self.reasons.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

impl From<wasmparser::Error> for Reason {
    fn from(error: wasmparser::Error) -> Self {
        Self::Invalid { text: error.message().to_owned(), offset: error.offset() }
    }
}

/// The reasons found so far. Limits and features are kept once, at their first place, and counted.
#[derive(Default)]
pub(super) struct Reasons(Vec<Reason>);

impl Reasons {
    /// Adds a reason that stands for itself.
    pub(super) fn push(&mut self, reason: Reason) {
        if self.0.len() < REASONS_MAX {
            self.0.push(reason);
        }
    }

    /// Refuses `actual` if it is above `limit`.
    pub(super) fn check(&mut self, limit: Limit, actual: u64, at: Place) {
        if actual <= limit.max() {
            return;
        }
        for reason in &mut self.0 {
            if let Reason::Limit { limit: found, more, .. } = reason
                && *found == limit
            {
                *more = more.saturating_add(1);
                return;
            }
        }
        self.0.push(Reason::Limit { limit, actual, at, more: 0 });
    }

    /// Refuses a use of `feature`; `what` is asked for only at the first.
    pub(super) fn refuse(&mut self, feature: Feature, at: Place, what: impl FnOnce() -> String) {
        for reason in &mut self.0 {
            if let Reason::Feature { feature: found, more, .. } = reason
                && *found == feature
            {
                *more = more.saturating_add(1);
                return;
            }
        }
        self.0.push(Reason::Feature { feature, what: what(), at, more: 0 });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the module may be type-checked: its limits hold and its type system is the one whose cost they bound.
    pub(super) fn allow_validation(&self) -> bool {
        !self.0.iter().any(|reason| match reason {
            Reason::Limit { .. } => true,
            Reason::Feature { feature, .. } => feature.unbounds_validation(),
            // The validator has a reason of its own to call it invalid, which is less of a help.
            Reason::DuplicateExport { .. } => true,
            _ => false,
        })
    }

    /// Refuses the module if there is any reason to.
    pub(super) fn refusal(&mut self) -> Result<(), Refused> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Refused { reasons: std::mem::take(&mut self.0) })
    }
}

/// A stranger's name, cut to what a reason repeats.
pub(super) fn quoted(name: &str) -> String {
    if name.len() <= QUOTED_BYTES_MAX {
        return name.to_owned();
    }
    format!("{}… ({} bytes)", &name[..name.floor_char_boundary(QUOTED_BYTES_MAX)], name.len())
}
