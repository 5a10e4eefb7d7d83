//! A file of calls on an engine in memory, from an empty state: no disk, no log.

use phalanx_engine::{Digest, Engine, Executed, Options};
use std::borrow::Cow;

use crate::batches::{Batches, CutBatch};
use crate::calls_file::{CallLine, CallsFile, Contract, Line};
use crate::exit::Failure;
use crate::hex::hex;
use crate::replay::logged_failure;

/// Calls a batch, as `phalanx run` cuts them.
const BATCH_CALLS: usize = 16_384;

/// A batch that was executed.
pub(super) struct ExecutedBatch<'a> {
    /// The line that its first call stands on, counted from 0: each line is one call.
    pub(super) first_line: usize,
    pub(super) cut: &'a CutBatch,
    pub(super) executed: &'a Executed,
}

/// Executes a file, batch by batch, and answers the digest of the state that it leads to. `visit` sees each batch after its
/// execution.
///
/// # Errors
/// A fault of the engine, and whatever `visit` answers.
pub(super) fn execute(
    file: &CallsFile<'_>,
    options: Options,
    visit: &mut dyn FnMut(&ExecutedBatch<'_>) -> Result<(), Failure>,
) -> Result<Digest, Failure> {
    let engine = Engine::new(options);
    let mut batches = Batches::new(file, BATCH_CALLS);
    let mut first_line = 0;
    loop {
        let height = engine.height() + 1;
        let next = batches.next(height, &engine).map_err(|error| {
            Failure::failed(format_args!("height {height}: {error}"), "make the line's arguments or module smaller")
        })?;
        let Some(cut) = next else { return Ok(engine.state_digest()) };
        let executed = engine.execute_batch(cut.bytes.clone()).map_err(|error| logged_failure(&error.into()))?;
        visit(&ExecutedBatch { first_line, cut: &cut, executed: &executed })?;
        first_line += executed.receipts().count();
        engine.commit(executed).map_err(|error| logged_failure(&error.into()))?;
    }
}

/// The contract and the method that a line calls, as the file names them; a line that brings a module calls neither.
pub(super) fn called<'f>(line: &'f Line<'_>) -> Option<(Cow<'f, str>, &'f str)> {
    let Line::Call(CallLine { contract, method, .. }) = line else { return None };
    let contract = match contract {
        Contract::Name(name) => Cow::Borrowed(&**name),
        Contract::Id(id) => hex(id).into(),
    };
    Some((contract, method))
}

/// What a line does, in words, whatever a stranger's file calls it.
pub(super) fn described(line: &Line<'_>) -> String {
    match line {
        Line::Deploy(_) => "deploy".to_owned(),
        Line::Upgrade(_) => "upgrade".to_owned(),
        Line::Call(_) => {
            let (contract, method) = called(line).unwrap_or_default();
            format!("{}.{}", contract.escape_debug(), method.escape_debug())
        }
    }
}
