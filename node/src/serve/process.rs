//! What the process takes of its machine, by the names that Prometheus' own clients use. Looked up when somebody asks.

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use std::fs;

const CPU_SECONDS: &str = "process_cpu_seconds_total";
const RESIDENT_BYTES: &str = "process_resident_memory_bytes";
const OPEN_FILES: &str = "process_open_fds";
const OPEN_FILES_MAX: &str = "process_max_fds";

/// Ticks a second in what `/proc` says: part of the kernel's interface on x86-64.
const TICKS: u64 = 100;
/// Bytes of a page, likewise.
const PAGE_BYTES: u64 = 4_096;

/// Names the metrics.
pub(super) fn describe() {
    describe_counter!(CPU_SECONDS, Unit::Seconds, "Time on cores, in whole seconds");
    describe_gauge!(RESIDENT_BYTES, Unit::Bytes, "Memory in use");
    describe_gauge!(OPEN_FILES, "Open files and connections");
    describe_gauge!(OPEN_FILES_MAX, "How many files and connections may be open");
}

/// Looks them up.
pub(super) fn look() {
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    if let Some(seconds) = cpu_seconds(&read("stat")) {
        counter!(CPU_SECONDS).absolute(seconds);
    }
    if let Some(pages) = read("statm").split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()) {
        gauge!(RESIDENT_BYTES).set((pages * PAGE_BYTES) as f64);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // The directory itself is open while it is read.
        gauge!(OPEN_FILES).set(files.count().saturating_sub(1) as f64);
    }
    if let Some(limit) = open_files_max().filter(|limit| *limit != u64::MAX) {
        gauge!(OPEN_FILES_MAX).set(limit as f64);
    }
}

/// How many files and connections the process may have open; [`u64::MAX`] without a limit, `None` where `/proc` does not say.
pub(crate) fn open_files_max() -> Option<u64> {
    soft_limit(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files")
}

/// A soft limit, as `/proc/self/limits` has it.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let rest = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match rest.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// User and system time of `/proc/self/stat`.
fn cpu_seconds(stat: &str) -> Option<u64> {
    // The second field is a name in parentheses, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = |text: &str| text.parse::<u64>().ok();
    Some((ticks(fields.next()?)? + ticks(fields.next()?)?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::{cpu_seconds, soft_limit};

    #[test]
    fn times_are_read_behind_any_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 1234 466 0 0 20 0 9 0 5 6 7";
        assert_eq!(cpu_seconds(stat), Some(17));
        assert_eq!(cpu_seconds("42 (phalanx) S 1"), None);
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max cpu time              unlimited            unlimited            seconds   \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(soft_limit(limits, "Max open files"), Some(1024));
        assert_eq!(soft_limit(limits, "Max cpu time"), Some(u64::MAX));
        assert_eq!(soft_limit(limits, "Max nothing"), None);
    }
}
