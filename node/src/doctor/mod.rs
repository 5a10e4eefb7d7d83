//! What `phalanx doctor` looks at: whether a machine and a data directory are fit for a node.
//!
//! A check measures something, compares it, and says what to do if it is not as it should be. None of them changes the
//! directory: what they write to measure with, they remove.

mod certificates;
mod directory;
mod disk;
mod machine;
mod ports;

use phalanx_engine::Address;
use serde::Serialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::serve::settings::Tls;

/// How a check ended, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// A node runs, and may be slow, or stop later.
    Warn,
    /// A node does not run, or loses what it promised.
    Fail,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) status: Status,
    /// What was measured.
    pub(crate) measured: String,
    /// What to do; nothing if all is well.
    pub(crate) advice: Option<String>,
    /// Whether data is damaged.
    #[serde(skip)]
    pub(crate) damaged: bool,
}

impl Finding {
    pub(crate) fn new(
        check: &'static str,
        status: Status,
        measured: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        let advice = (status != Status::Ok).then(|| advice.into());
        Finding { check, status, measured: measured.into(), advice, damaged: false }
    }

    pub(crate) fn ok(check: &'static str, measured: impl Into<String>) -> Finding {
        Finding::new(check, Status::Ok, measured, "")
    }
}

/// Looks at everything, in the order in which a node would meet it.
pub(crate) fn examine(
    data_directory: &Path,
    listen: SocketAddr,
    admin: Option<SocketAddr>,
    chain_id: Option<Address>,
    tls: Option<&Tls>,
) -> Vec<Finding> {
    let in_use = directory::in_use(data_directory);
    let mut findings =
        vec![machine::cores(), machine::governor(), machine::mappings(), machine::open_files(data_directory)];
    let place = nearest(data_directory);
    findings.extend([disk::file_system(&place), disk::free_space(&place), disk::sync_latency(&place)]);
    findings.extend(directory::examine(data_directory, in_use, chain_id));
    findings.extend(tls.map(certificates::usable));
    findings.push(ports::free("port", listen, in_use));
    findings.extend(admin.map(|admin| ports::free("admin port", admin, in_use)));
    findings
}

/// The directory, or what there is of it.
fn nearest(directory: &Path) -> PathBuf {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let there = absolute.ancestors().find(|place| place.is_dir());
    there.unwrap_or(Path::new("/")).to_owned()
}
