//! `phalanx log verify`.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::receipts;
use serde::Serialize;
use std::io::{self, Write};
use std::ops::RangeInclusive;

use super::LogArguments;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::{Integer, Report, print_rows};
use crate::replay::{log_failure, replay};

#[derive(Serialize)]
struct Verified {
    status: Status,
    /// The last height that was executed, and its digest; `null` where the log is bad.
    height: Option<Integer>,
    log_digest: Option<String>,
    /// Heights at the end that were ordered, but whose digest is not in the log.
    unsealed: usize,
    /// First and last height of the receipt segments.
    receipts: Option<(Integer, Integer)>,
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
        rows.extend(self.receipts.map(|(first, last)| ("receipts", format!("heights {} to {}", first.0, last.0))));
        rows.extend((self.unsealed > 0).then(|| ("unsealed", format!("{} heights", self.unsealed))));
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
        unsealed: 0,
        receipts: None,
        tail: None,
        error: Some(failure.cause.clone()),
    })?;
    Err(failure)
}

fn verify(arguments: &LogArguments, context: &Context) -> Result<Verified, Failure> {
    let path = &arguments.data_directory.path;
    let replayed = replay(path, context, arguments.from, &mut |_, _| Ok(()))?;
    let receipts = receipts::verify(&RealFileSystem, path).map_err(|error| log_failure(&error))?;
    Ok(Verified {
        status: Status::Verified,
        height: Some(Integer(replayed.engine.height())),
        log_digest: Some(hex(&replayed.engine.digest())),
        unsealed: replayed.unsealed,
        receipts: receipts.map(RangeInclusive::into_inner).map(|(first, last)| (Integer(first), Integer(last))),
        tail: replayed.tail,
        error: None,
    })
}
