//! Interrupts: asked for between two batches, so that a log is never left in the middle of one.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::{Exit, Failure};

/// Whether somebody asked the command to end.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on. The first asks; a second one ends the process at once.
    pub(crate) fn listen() -> io::Result<Interrupt> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Registered first, so that it sees the flag as it was before this signal.
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Interrupt(asked))
    }

    /// Whether the command should end.
    pub(crate) fn asked(&self) -> bool {
        // The flag guards no other memory: relaxed is enough.
        self.0.load(Ordering::Relaxed)
    }

    /// The failure to end with, once asked.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.asked() {
            true => Err(Failure::new(Exit::Interrupted, "interrupted", "run the command again; nothing was changed")),
            false => Ok(()),
        }
    }
}
