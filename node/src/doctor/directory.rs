//! The data directory: its log, its receipts, its machine code.

use phalanx_engine::Address;
use phalanx_engine::fs::{FileSystem, RealFileSystem};
use phalanx_engine::log::{self, LogError, LogReader, Surveyed, layout, receipts};
use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::sync::Arc;

use super::{Finding, Status};
use crate::hex::hex;

/// Whether another process has the log open. Looking does not make a lock file.
pub(super) fn in_use(data_directory: &Path) -> bool {
    let lock = File::open(data_directory.join(layout::LOG).join("LOCK"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

pub(super) fn examine(data_directory: &Path, in_use: bool, chain_id: Option<Address>) -> Vec<Finding> {
    let fs: Arc<dyn FileSystem> = Arc::new(RealFileSystem);
    let surveyed = log::survey(&fs, data_directory);
    let last = surveyed.as_ref().ok().and_then(Option::as_ref).map(|log| log.last_input);
    // Of a log that cannot be read, that is all there is to say.
    let genesis = surveyed.is_ok().then(|| LogReader::new(fs, data_directory).genesis().ok()).flatten();
    let mut findings = vec![of_log(surveyed, in_use)];
    findings.extend(genesis.map(|genesis| of_chain(genesis.map(|genesis| genesis.chain_id), chain_id)));
    findings.extend(last.map(|last| of_receipts(data_directory, last, in_use)));
    findings.push(of_code(data_directory));
    findings
}

fn of_log(surveyed: Result<Option<Surveyed>, LogError>, in_use: bool) -> Finding {
    const CHECK: &str = "log";
    let log = match surveyed {
        Ok(Some(log)) => log,
        Ok(None) => return Finding::ok(CHECK, "none yet; `phalanx serve` begins one"),
        Err(error) => {
            let damaged = matches!(error, LogError::Damaged(_) | LogError::Incompatible { .. });
            let advice = match error {
                LogError::Damaged(_) => {
                    "restore a backup (`phalanx restore`), or the file from a copy; nothing was changed"
                }
                LogError::Incompatible { .. } => "use the version of phalanx that wrote it",
                _ => "check the disk: its permissions, and the kernel's messages",
            };
            return Finding { damaged, ..Finding::new(CHECK, Status::Fail, error.to_string(), advice) };
        }
    };
    let bytes: u64 = log.segments.iter().map(|segment| segment.bytes).sum();
    let heights = match log.last_input {
        0 => "no heights".to_owned(),
        last => format!("heights {} to {last}, sealed to {}", log.first_input, log.last_seal.0),
    };
    let measured = format!("{heights}; {bytes} bytes in {} segments", log.segments.len());
    match (log.tail, log.closed) {
        (_, _) if in_use => Finding::ok(CHECK, format!("{measured}; a process has it open")),
        (Some(tail), _) => Finding::new(
            CHECK,
            Status::Warn,
            format!("{measured}; {tail}"),
            "nothing to do: it was never synced, and the next start sets it aside",
        ),
        (None, true) => Finding::ok(CHECK, format!("{measured}; closed")),
        (None, false) => Finding::ok(CHECK, format!("{measured}; not closed, as after a crash")),
    }
}

/// What chain the log is of, and whether it is the one that is set.
fn of_chain(of_log: Option<Address>, set: Option<Address>) -> Finding {
    const CHECK: &str = "chain";
    match (of_log, set) {
        (Some(of_log), Some(set)) if of_log != set => Finding::new(
            CHECK,
            Status::Fail,
            format!("chain_id is {}, the log is of {}", hex(&set), hex(&of_log)),
            "a log keeps its chain: correct chain_id, or begin another data directory",
        ),
        (Some(of_log), _) => Finding::ok(CHECK, hex(&of_log)),
        (None, Some(set)) => Finding::ok(CHECK, format!("{}, of the log that begins", hex(&set))),
        (None, None) => Finding::ok(CHECK, "no chain_id: zeros, of the log that begins"),
    }
}

fn of_receipts(data_directory: &Path, last: u64, in_use: bool) -> Finding {
    const CHECK: &str = "receipts";
    let rebuilt = "nothing to do: the next start makes them again from the log";
    match receipts::verify(&RealFileSystem, data_directory) {
        Ok(Some(heights)) => {
            let measured = format!("of heights {} to {}", heights.start(), heights.end());
            // A node writes them after the log.
            let status = if *heights.end() >= last || in_use { Status::Ok } else { Status::Warn };
            Finding::new(CHECK, status, format!("{measured}; the log has {last}"), rebuilt)
        }
        Ok(None) if last == 0 => Finding::ok(CHECK, "none, and no heights"),
        Ok(None) => Finding::new(CHECK, Status::Warn, format!("none; the log has heights up to {last}"), rebuilt),
        Err(error) if in_use => Finding::ok(CHECK, format!("being written: {error}")),
        Err(error) => Finding::new(CHECK, Status::Warn, error.to_string(), rebuilt),
    }
}

fn of_code(data_directory: &Path) -> Finding {
    const CHECK: &str = "code cache";
    let folder = data_directory.join(layout::CODE);
    if !folder.is_dir() {
        return Finding::ok(CHECK, "none yet");
    }
    let advice = "give it to the user that runs the node, mode 0700, or remove it: modules are compiled at each start until then";
    if !RealFileSystem.is_private(&folder).unwrap_or(false) {
        return Finding::new(
            CHECK,
            Status::Warn,
            format!("{}: others may use it, or own it", folder.display()),
            advice,
        );
    }
    let trial = folder.join(format!("doctor-{}.trial", std::process::id()));
    let written = RealFileSystem.create_private(&trial).map(drop);
    let removed = fs::remove_file(&trial);
    match written.and(removed) {
        Ok(()) => {
            let files = fs::read_dir(&folder).map_or(0, |entries| {
                let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
                names.filter(|name| name.to_string_lossy().ends_with(".code")).count()
            });
            Finding::ok(CHECK, format!("writable and private; {files} modules"))
        }
        Err(error) => Finding::new(CHECK, Status::Warn, format!("{}: {error}", folder.display()), advice),
    }
}
