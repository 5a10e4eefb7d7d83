//! The log thread. No other file of the log spawns one.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::error::LogError;
use super::queue::{End, Queue, Work};
use super::writer::{Append, Writer};

/// Starts the thread that owns the writer. It ends when asked to, or at the first error, which it leaves in the queue.
pub(crate) fn spawn(queue: Arc<Queue>, writer: Writer) -> io::Result<JoinHandle<()>> {
    let body = move || {
        let alarm = Alarm(queue);
        if let Err(error) = run(&alarm.0, writer) {
            alarm.0.fail(error);
        }
    };
    thread::Builder::new().name("phalanx-log".to_owned()).spawn(body)
}

/// Wakes whoever waits for a thread that a panic ended.
struct Alarm(Arc<Queue>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.fail(LogError::Panicked);
        }
    }
}

/// Writes what gathered, again and again. There is no linger: what arrives during a sync is the next group.
fn run(queue: &Queue, mut writer: Writer) -> Result<(), LogError> {
    loop {
        match queue.take(writer.wants_ahead()) {
            Work::Write(records) => {
                let height = last_input(&records);
                writer.write(records)?;
                queue.advance(height, writer.end());
                writer.hash_last();
                if queue.places().is_due(writer.end()) {
                    queue.places().keep(writer.place());
                }
            }
            Work::WriteAhead => writer.write_ahead()?,
            Work::End(End::Close) => return writer.close(),
            Work::End(End::Stop) => return Ok(()),
        }
    }
}

fn last_input(records: &[Append]) -> Option<u64> {
    records.iter().rev().find_map(|record| match record {
        Append::Input { height, .. } => Some(*height),
        Append::Seal(_) | Append::Protocol { .. } => None,
    })
}
