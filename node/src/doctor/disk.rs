//! The disk that the data directory is on, or would be.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};
use sysinfo::Disks;

use super::{Finding, Status};

/// Below it, the log may fail to take its next segment (256 MiB, and 64 MiB written ahead).
const FREE_BYTES_MIN: u64 = 512 << 20;
/// Below it, a busy node fills the rest within the hour: a million transfers are some 200 MB.
const FREE_BYTES_FEW: u64 = 10 << 30;
/// Writes that are synced to measure how long that takes.
const SYNCS: usize = 32;
/// Bytes of each: a block of the log.
const SYNC_BYTES: usize = 4_096;
/// A median above it makes every durable answer slow.
const SYNC_SLOW: Duration = Duration::from_millis(20);
/// A median above it is not a disk's, or the disk is broken.
const SYNC_TOO_SLOW: Duration = Duration::from_millis(500);

/// A file system that is mounted.
struct Mount {
    place: String,
    kind: String,
    read_only: bool,
}

pub(super) fn file_system(place: &Path) -> Finding {
    const CHECK: &str = "file system";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(mount) = mount_of(&mounts, place) else {
        return Finding::new(CHECK, Status::Warn, "cannot be told", "mount /proc");
    };
    let measured = format!("{} mounted on {}", mount.kind, mount.place);
    match &*mount.kind {
        _ if mount.read_only => {
            Finding::new(CHECK, Status::Fail, format!("{measured}, read-only"), "mount it for writing")
        }
        "ext4" | "xfs" | "btrfs" | "zfs" | "f2fs" | "bcachefs" => Finding::ok(CHECK, measured),
        "tmpfs" | "ramfs" => Finding::new(
            CHECK,
            Status::Warn,
            measured,
            "it is lost with the machine: use a disk for what must be durable",
        ),
        "nfs" | "nfs4" | "cifs" | "9p" | "ceph" | "virtiofs" => Finding::new(
            CHECK,
            Status::Warn,
            measured,
            "locks and syncs of network file systems depend on their server: use a local disk, ext4 or xfs",
        ),
        "overlay" | "overlayfs" => {
            Finding::new(CHECK, Status::Warn, measured, "it goes away with its container: mount a volume for the data")
        }
        _ => Finding::new(CHECK, Status::Warn, measured, "not one that this was tried on: ext4 and xfs are"),
    }
}

pub(super) fn free_space(place: &Path) -> Finding {
    const CHECK: &str = "free space";
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let disks = Disks::new_with_refreshed_list();
    let found = mount_of(&mounts, place).zip(disks.as_ref().ok()).and_then(|(mount, disks)| {
        disks.iter().find(|disk| disk.mount_point() == Path::new(&mount.place)).map(|disk| disk.available_space())
    });
    let Some(free) = found else {
        return Finding::new(CHECK, Status::Warn, "cannot be told", "look with `df`");
    };
    let status = match free {
        FREE_BYTES_FEW.. => Status::Ok,
        FREE_BYTES_MIN.. => Status::Warn,
        _ => Status::Fail,
    };
    let advice = "make room: a log that cannot be written stops the node";
    Finding::new(CHECK, status, format!("{} MiB", free >> 20), advice)
}

/// The mount that a path is on, by the text of `/proc/self/mountinfo`: of those above it the last one of the deepest.
fn mount_of(mounts: &str, path: &Path) -> Option<Mount> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let parsed = mounts.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(4);
        let place = fields.next()?.replace("\\040", " ");
        let read_only = fields.next()?.split(',').any(|option| option == "ro");
        Some(Mount { place, kind: after.split(' ').next()?.to_owned(), read_only })
    });
    parsed
        .filter(|mount| path.starts_with(&mount.place))
        .max_by_key(|mount| Path::new(&mount.place).components().count())
}

pub(super) fn sync_latency(place: &Path) -> Finding {
    const CHECK: &str = "sync latency";
    let path = place.join(format!("doctor-{}.sync", std::process::id()));
    let measured = measure(&path);
    // Left behind only if the disk lets nothing be removed either.
    _ = fs::remove_file(&path);
    match measured {
        Err(error) => Finding::new(
            CHECK,
            Status::Fail,
            format!("{}: {error}", path.display()),
            "make the directory writable for the user that runs the node",
        ),
        Ok(mut times) => {
            times.sort_unstable();
            let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
            let status = match median {
                _ if median >= SYNC_TOO_SLOW => Status::Fail,
                _ if median >= SYNC_SLOW => Status::Warn,
                _ => Status::Ok,
            };
            let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
            Finding::new(
                CHECK,
                status,
                format!(
                    "median {:.2} ms, longest {:.2} ms of {SYNCS} synced writes of {SYNC_BYTES} bytes",
                    milliseconds(median),
                    milliseconds(longest)
                ),
                "each durable answer waits for one: use a disk that syncs in a few milliseconds",
            )
        }
    }
}

fn measure(path: &Path) -> io::Result<Vec<Duration>> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let block = [0x5a; SYNC_BYTES];
    (0..SYNCS as u64)
        .map(|index| {
            let began = Instant::now();
            file.write_all_at(&block, index * SYNC_BYTES as u64)?;
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_on_the_deepest_mount_above_it() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      30 22 0:25 / /no\\040where rw - tmpfs tmpfs rw\n\
                      31 22 0:26 / /no\\040where/deep ro,noexec - xfs /dev/vdb rw\n\
                      32 22 0:27 / /no rw - nfs4 server:/ rw\n";
        for (path, kind, read_only) in [
            ("/var/lib", "ext4", false),
            ("/no where/data", "tmpfs", false),
            ("/no where/deep/er", "xfs", true),
            ("/nothing", "ext4", false),
            ("/no", "nfs4", false),
        ] {
            let mount = mount_of(mounts, Path::new(path)).expect("the root is above all");
            assert_eq!((&*mount.kind, mount.read_only), (kind, read_only), "{path}");
        }
    }
}
