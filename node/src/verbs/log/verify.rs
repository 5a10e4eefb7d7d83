//! `phalanx log verify`.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::LogReader;
use phalanx_engine::verify_log;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

use super::LogArguments;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::{Integer, Report, print_rows};
use crate::progress::Progress;
use crate::replay::{log_failure, logged_failure, no_log, warn_of_tail};

#[derive(Serialize)]
struct Verified {
    status: Status,
    /// The last height that was executed, and its digest; `null` where the log is bad.
    height: Option<Integer>,
    log_digest: Option<String>,
    /// Root of the state after it.
    state_digest: Option<String>,
    /// Heights whose kept receipts and write sets were compared too.
    receipts: Option<Integer>,
    /// What opening would cut.
    tail: Option<String>,
    /// What is wrong: file, offset and height.
    error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Every byte is what was written, and every digest is what executing again gives.
    Verified,
    /// Bytes are damaged, or of another version.
    Damaged,
    /// Intact bytes execute to another digest.
    Mismatch,
}

impl Report for Verified {
    const SCHEMA: &'static str = "phalanx.log.verify/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        let status = match self.status {
            Status::Verified => "verified",
            Status::Damaged => "damaged",
            Status::Mismatch => "mismatch",
        };
        let mut rows = vec![("log", status.to_owned())];
        rows.extend(self.height.map(|height| ("height", height.0.to_string())));
        rows.extend(self.log_digest.clone().map(|digest| ("log digest", digest)));
        rows.extend(self.state_digest.clone().map(|digest| ("state digest", digest)));
        rows.extend(self.receipts.map(|heights| ("receipts", format!("of {} heights compared", heights.0))));
        print_rows(out, &rows)
    }
}

pub(crate) fn execute(arguments: &LogArguments, context: &Context) -> Result<Exit, Failure> {
    let failure = match verify(arguments, context) {
        Ok(verified) => {
            context.output.print(&verified)?;
            return Ok(Exit::Ok);
        }
        Err(failure) => failure,
    };
    let status = match failure.exit {
        Exit::Damaged => Status::Damaged,
        Exit::Mismatch => Status::Mismatch,
        _ => return Err(failure),
    };
    // That the log is bad is a result too; standard error adds the remedy.
    context.output.print(&Verified {
        status,
        height: None,
        log_digest: None,
        state_digest: None,
        receipts: None,
        tail: None,
        error: Some(failure.cause.clone()),
    })?;
    Err(failure)
}

fn verify(arguments: &LogArguments, context: &Context) -> Result<Verified, Failure> {
    let path = &arguments.data_directory.path;
    let fs = Arc::new(RealFileSystem);
    let genesis = LogReader::new(fs.clone(), path).genesis().map_err(|error| log_failure(&error))?;
    if genesis.is_none() {
        return Err(no_log(path));
    }
    let progress = Progress::of_heights();
    let verified = verify_log(fs, path, arguments.workers.options(), &mut |height| progress.at(height))
        .map_err(|error| logged_failure(&error))?;
    if let Some(tail) = &verified.tail {
        warn_of_tail(tail, &context.output);
    }
    Ok(Verified {
        status: Status::Verified,
        height: Some(Integer(verified.height)),
        log_digest: Some(hex(&verified.digest)),
        state_digest: Some(hex(&verified.state_digest)),
        receipts: Some(Integer(verified.receipts)),
        tail: verified.tail.map(|tail| tail.to_string()),
        error: None,
    })
}
