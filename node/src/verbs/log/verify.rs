//! `phalanx log verify`.

use clap::Args;
use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{LogReader, Record};
use phalanx_engine::{Batch, verify_log};
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
use crate::signatures::Signatures;

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    log: LogArguments,
    /// Check the signatures of all calls that have one, too; a bad one exits 1
    #[arg(long)]
    signatures: bool,
}

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
    /// Signatures that were checked; `null` if that was not asked for.
    signatures: Option<Integer>,
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
        rows.extend(self.signatures.map(|calls| ("signatures", format!("of {} calls checked", calls.0))));
        print_rows(out, &rows)
    }
}

pub(crate) fn execute(arguments: &VerifyArguments, context: &Context) -> Result<Exit, Failure> {
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
        signatures: None,
        tail: None,
        error: Some(failure.cause.clone()),
    })?;
    Err(failure)
}

fn verify(arguments: &VerifyArguments, context: &Context) -> Result<Verified, Failure> {
    let path = &arguments.log.data_directory.path;
    let fs = Arc::new(RealFileSystem);
    let reader = LogReader::new(fs.clone(), path);
    let Some(genesis) = reader.genesis().map_err(|error| log_failure(&error))? else {
        return Err(no_log(path));
    };
    let progress = Progress::of_heights();
    let verified = verify_log(fs, path, arguments.log.workers.options(), &mut |height| progress.at(height))
        .map_err(|error| logged_failure(&error))?;
    if let Some(tail) = &verified.tail {
        warn_of_tail(tail, &context.output);
    }
    // Behind the digests: what is not as it was written says nothing of signatures.
    let signatures = arguments.signatures.then(|| check_signatures(&reader, genesis.chain_id)).transpose()?;
    Ok(Verified {
        status: Status::Verified,
        height: Some(Integer(verified.height)),
        log_digest: Some(hex(&verified.digest)),
        state_digest: Some(hex(&verified.state_digest)),
        receipts: Some(Integer(verified.receipts)),
        signatures: signatures.map(Integer),
        tail: verified.tail.map(|tail| tail.to_string()),
        error: None,
    })
}

/// Checks the signature of each call that has one, and answers how many there are.
fn check_signatures(reader: &LogReader, chain_id: [u8; 32]) -> Result<u64, Failure> {
    let mut checked = 0;
    for located in reader.records(0).map_err(|error| log_failure(&error))? {
        let Record::Input(input) = located.map_err(|error| log_failure(&error))?.record else { continue };
        // It was executed a moment ago.
        let batch = Batch::decode(input.batch).map_err(|error| Failure::failed(error, "report it with the log"))?;
        let mut signatures = Signatures::of_chain(chain_id);
        let mut places = Vec::new();
        for index in 0..batch.len() {
            let call = batch.call(index);
            let Some(signature) = call.signature() else { continue };
            let (contract, method) = batch.target_of(&call);
            let (Some(id), Ok(method)) = (call.id(), std::str::from_utf8(method)) else {
                return Err(bad_signature(batch.height(), index, "it is signed, and has no id"));
            };
            let gas_limit = call.gas_limit().try_into().expect("a batch has 32 bits for it");
            signatures.add((contract, method), call.sender(), id, gas_limit, call.arguments(), signature);
            places.push(index);
        }
        checked += places.len() as u64;
        let what = "the signature is not the sender's of this call on this chain";
        signatures.check().map_err(|bad| bad_signature(batch.height(), places[bad], what))?;
    }
    Ok(checked)
}

fn bad_signature(height: u64, call: usize, what: &str) -> Failure {
    let fix = "whoever ordered this call did not check it: the log is whole, and its digests are right";
    Failure::failed(format_args!("height {height}, call {call}: {what}"), fix)
}
