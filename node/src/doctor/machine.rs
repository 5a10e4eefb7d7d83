//! The machine: cores, and what the kernel allows a process.

use phalanx_engine::log::layout;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

use super::{Finding, Status};
use crate::serve::{CONNECTIONS_MAX, open_files_max};

/// Mappings that a process may have by the kernel's default. Two thousand instances, with two memories and a table each, and a
/// stack and a heap for every thread, need less than half of them.
const MAPPINGS_DEFAULT: u64 = 65_530;
/// Mappings below which instances are refused.
const MAPPINGS_MIN: u64 = 16_384;
/// Files beside connections and log: libraries, the runtime's own, receipts, machine code while it is loaded.
const OTHER_FILES: u64 = 128;

pub(super) fn cores() -> Finding {
    let cores = available_parallelism().map_or(1, usize::from);
    let status = if cores > 1 { Status::Ok } else { Status::Warn };
    let advice = "execution, hashing and connections share one core: give the node two, or more";
    Finding::new("cores", status, format!("{cores}"), advice)
}

pub(super) fn governor() -> Finding {
    const CHECK: &str = "frequency governor";
    match fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
        Err(_) => Finding::ok(CHECK, "not told, as on most virtual machines"),
        Ok(governor) => {
            let governor = governor.trim();
            let status = if governor == "powersave" { Status::Warn } else { Status::Ok };
            let advice = "latencies vary with the frequency: `cpupower frequency-set -g performance`";
            Finding::new(CHECK, status, governor, advice)
        }
    }
}

pub(super) fn mappings() -> Finding {
    const CHECK: &str = "memory mappings";
    let text = fs::read_to_string("/proc/sys/vm/max_map_count");
    let Some(limit) = text.ok().and_then(|text| text.trim().parse::<u64>().ok()) else {
        return Finding::new(CHECK, Status::Warn, "vm.max_map_count cannot be read", "mount /proc");
    };
    let status = match limit {
        MAPPINGS_DEFAULT.. => Status::Ok,
        MAPPINGS_MIN.. => Status::Warn,
        _ => Status::Fail,
    };
    let advice = format!("`sysctl vm.max_map_count={MAPPINGS_DEFAULT}`, and in /etc/sysctl.d so that it stays");
    Finding::new(CHECK, status, format!("vm.max_map_count {limit}, {MAPPINGS_DEFAULT} are asked for"), advice)
}

pub(super) fn open_files(data_directory: &Path) -> Finding {
    const CHECK: &str = "open files";
    let segments = |folder: &str| fs::read_dir(data_directory.join(folder)).map_or(0, |entries| entries.count() as u64);
    // A reader of the history has the log open once more.
    let needed = CONNECTIONS_MAX as u64 + 2 * segments(layout::LOG) + segments(layout::RECEIPTS) + OTHER_FILES;
    let Some(limit) = open_files_max() else {
        return Finding::new(CHECK, Status::Warn, "the limit cannot be read", "mount /proc");
    };
    let status = if limit >= needed { Status::Ok } else { Status::Warn };
    let advice = format!("raise the limit: `ulimit -n {0}`, or LimitNOFILE={0} in a unit", 2 * needed);
    let measured = match limit {
        u64::MAX => format!("unlimited, {needed} may be needed"),
        limit => format!("{limit} allowed, {needed} may be needed"),
    };
    Finding::new(CHECK, status, measured, advice)
}
