//! Interrupts: SIGINT and SIGTERM.
//!
//! A verb that only reads ends at once. One that writes holds the interrupt and asks for it between two batches, so that it
//! ends with its log closed; a second signal ends that one at once, too.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::exit::Exit;

/// Whether somebody asked the command to end. The flags guard no other memory: relaxed is enough.
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
    /// Whether the next signal ends the process.
    at_once: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens from now on. A signal ends the process with its exit code.
    pub(crate) fn listen() -> io::Result<Interrupt> {
        let interrupt = Interrupt { asked: Arc::default(), at_once: Arc::new(AtomicBool::new(true)) };
        for signal in [SIGINT, SIGTERM] {
            // Actions run in this order: the first sees the flag as it was before the signal.
            flag::register_conditional_shutdown(signal, Exit::Interrupted as i32, Arc::clone(&interrupt.at_once))?;
            flag::register(signal, Arc::clone(&interrupt.at_once))?;
            flag::register(signal, Arc::clone(&interrupt.asked))?;
        }
        Ok(interrupt)
    }

    /// From now on the first signal only asks.
    pub(crate) fn hold(&self) {
        self.at_once.store(false, Ordering::Relaxed);
    }

    /// Whether a signal came since it is held.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}
