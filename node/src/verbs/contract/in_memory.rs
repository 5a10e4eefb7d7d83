//! A file of calls on an engine in memory, from an empty state: no disk, no log.

use clap::Args;
use phalanx_engine::{Digest, Engine, Executed, Options};

use crate::batches::{Batches, CutBatch};
use crate::calls_file::CallsFile;
use crate::exit::Failure;
use crate::replay::logged_failure;
use crate::verbs::run::batch_size;

/// How a file is cut into batches.
#[derive(Debug, Args)]
pub(super) struct BatchSize {
    /// Calls a batch, each of which is a height: 1 executes every call at a height of its own
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = batch_size)]
    batch_size: usize,
}

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
    cut: &BatchSize,
    options: Options,
    visit: &mut dyn FnMut(&ExecutedBatch<'_>) -> Result<(), Failure>,
) -> Result<Digest, Failure> {
    let engine = Engine::new(options);
    let mut batches = Batches::new(file, cut.batch_size);
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
