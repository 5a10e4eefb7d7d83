//! `phalanx log show`.

use phalanx_engine::fs::RealFileSystem;
use phalanx_engine::log::{Located, LogReader, Record, Records};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

use super::LogArguments;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::{Format, Integer};
use crate::replay::{log_failure, no_log, warn_of_tail};

const SCHEMA: &str = "phalanx.log.show/1";

/// Payloads of fixed size, as the log's FORMAT.md draws them.
const GENESIS_BYTES: usize = 40;
const SEAL_BYTES: usize = 96;
const PROTOCOL_BYTES: usize = 4;

/// A record as it is shown.
#[derive(Serialize)]
struct Shown {
    kind: &'static str,
    /// 0 where the kind has none.
    height: Integer,
    /// Of the batch in an input; of the fixed payload otherwise.
    bytes: usize,
    /// Of a seal, its height's digest; of an input, the hash that chains inputs; of the genesis, its hash.
    digest: Option<String>,
    file: String,
    offset: Integer,
}

impl Shown {
    fn of(located: &Located) -> Shown {
        let (kind, bytes, digest) = match &located.record {
            Record::Genesis(genesis) => ("genesis", GENESIS_BYTES, Some(genesis.hash())),
            Record::Input(input) => ("input", input.batch.len(), Some(input.hash())),
            Record::Seal(seal) => ("seal", SEAL_BYTES, Some(seal.digest)),
            Record::Protocol { .. } => ("protocol", PROTOCOL_BYTES, None),
            Record::Close => ("close", 0, None),
        };
        Shown {
            kind,
            height: Integer(located.record.height()),
            bytes,
            digest: digest.map(|digest| hex(&digest)),
            file: located.file.display().to_string(),
            offset: Integer(located.offset),
        }
    }
}

pub(crate) fn execute(arguments: &LogArguments, context: &Context) -> Result<Exit, Failure> {
    let path = &arguments.data_directory.path;
    let reader = LogReader::new(Arc::new(RealFileSystem), path);
    if reader.genesis().map_err(|error| log_failure(&error))?.is_none() {
        return Err(no_log(path));
    }
    let mut records = reader.records(arguments.from).map_err(|error| log_failure(&error))?;
    // A log may be larger than memory: records are printed as they are read, inside one JSON object. Damage that is found
    // on the way ends that object too.
    let mut found = Ok(());
    context.output.write(|out| {
        found = match context.output.format {
            Format::Human => print_rows(out, &mut records)?,
            Format::Json => print_object(out, &mut records)?,
        };
        Ok(())
    })?;
    found?;
    if let Some(tail) = records.tail() {
        warn_of_tail(tail, &context.output);
    }
    Ok(Exit::Ok)
}

fn print_rows(out: &mut dyn Write, records: &mut Records) -> io::Result<Result<(), Failure>> {
    writeln!(out, "{:<9} {:>10} {:>10}  digest", "kind", "height", "bytes")?;
    for located in records {
        let shown = match located {
            Ok(located) => Shown::of(&located),
            Err(error) => return Ok(Err(log_failure(&error))),
        };
        let digest = shown.digest.as_deref().unwrap_or("-");
        writeln!(out, "{:<9} {:>10} {:>10}  {digest}", shown.kind, shown.height.0, shown.bytes)?;
    }
    Ok(Ok(()))
}

fn print_object(out: &mut dyn Write, records: &mut Records) -> io::Result<Result<(), Failure>> {
    write!(out, "{{\"schema\":\"{SCHEMA}\",\"records\":[")?;
    let mut found = Ok(());
    let mut separator = "";
    for located in &mut *records {
        match located {
            Ok(located) => {
                out.write_all(separator.as_bytes())?;
                serde_json::to_writer(&mut *out, &Shown::of(&located))?;
                separator = ",";
            }
            Err(error) => found = Err(log_failure(&error)),
        }
    }
    out.write_all(b"],\"tail\":")?;
    serde_json::to_writer(&mut *out, &records.tail().map(ToString::to_string))?;
    out.write_all(b"}\n")?;
    Ok(found)
}
