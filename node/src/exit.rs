//! How the command ends: exit codes, and failures that say what happened and what to do.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit codes, in the words of `phalanx --help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  the operation failed, or a check did not pass
    2  wrong usage: arguments, a calls file, an unreadable module
    3  connection failed or timed out
    4  data is damaged or incompatible
    5  results differ where they must not: determinism mismatch
   99  a benchmark's threshold was crossed
  130  interrupted; what was acknowledged is kept";

/// An exit code of the command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    Connection = 3,
    Damaged = 4,
    Mismatch = 5,
    Threshold = 99,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why the command could not do what it was asked: one line of cause, one line of remedy.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) cause: String,
    pub(crate) fix: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, cause: impl fmt::Display, fix: impl fmt::Display) -> Failure {
        // Causes may carry strangers' text; a line stays a line.
        let line = |text: String| text.replace(['\n', '\r'], " ");
        Failure { exit, cause: line(cause.to_string()), fix: line(fix.to_string()) }
    }

    /// A failure of the operation (exit code 1).
    pub(crate) fn failed(cause: impl fmt::Display, fix: impl fmt::Display) -> Failure {
        Failure::new(Exit::Failed, cause, fix)
    }

    /// Wrong usage (exit code 2).
    pub(crate) fn usage(cause: impl fmt::Display, fix: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, cause, fix)
    }

    /// The result could not be written to standard output. A reader that went away wanted no more: no failure.
    pub(crate) fn of_stdout(error: &io::Error) -> Failure {
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Ok } else { Exit::Failed };
        Failure::new(exit, format_args!("standard output: {error}"), "check where the output goes")
    }
}
