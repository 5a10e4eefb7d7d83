//! Writing past the page cache.
//!
//! Log and receipts are hundreds of megabytes a second that hardly anybody reads again, and whoever does reads them from the disk.
//! Through the page cache each byte is copied into a page that is found, marked, written back by another thread, and let go. Past it, the
//! thread that writes takes less time (`benches/examples/write_cost.rs` prints both), the other none, and a sync finds nothing left to write.
//!
//! A direct write begins and ends at a block, in the file and in memory. What does not is copied into a buffer that does, and what does
//! not fill a block at either end goes through the page cache. The kernel keeps the two in step: before and after a direct write it
//! drops the pages that it passes. Where a file system refuses, everything goes through the page cache.

use rustix::fs::OFlags;
use rustix::io::Errno;
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::atomic::{AtomicBool, Ordering};

/// What direct writes begin at and are multiples of: a multiple of what disks ask for.
const BLOCK_BYTES: usize = 4_096;
/// Bytes that are copied before they are written: enough to keep a disk busy, few enough to stay in a core's cache.
const BUFFER_BYTES: usize = 1 << 20;
/// Bytes from which on a write goes directly: a smaller one would wait longer for the disk than it saves.
const DIRECT_BYTES_MIN: usize = 128 << 10;

thread_local! {
    /// The thread's buffer, once something was copied, with a block more than is used, so that it can begin at one.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A file that is written past the page cache where that is worth it.
pub(super) struct DirectFile {
    pub(super) file: File,
    /// Whether it cannot be written so: the file system refuses, or there is no `/proc`.
    refused: AtomicBool,
}

impl DirectFile {
    pub(super) fn new(file: File) -> Self {
        Self { file, refused: AtomicBool::new(false) }
    }

    /// Writes parts one after the other from `offset` on.
    ///
    /// # Errors
    /// Those of writing. Any part may have been written then.
    pub(super) fn write_at(&self, mut offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        // Nothing else depends on the flag: relaxed is enough.
        if bytes >= DIRECT_BYTES_MIN && !self.refused.load(Ordering::Relaxed) {
            match self.write_directly(offset, parts) {
                Err(error) if is_refusal(&error) => self.refused.store(true, Ordering::Relaxed),
                Err(error) if is_exhausted(&error) => {}
                written => return written,
            }
        }
        for part in parts {
            self.file.write_all_at(part, offset)?;
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// The same; some errors say only that it cannot be done this way.
    fn write_directly(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        // A descriptor of its own, since with the flag reads would have to keep to blocks too. By number it is the same file, whatever
        // its name is by now. It costs some microseconds, and a file that is kept open has one descriptor.
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(OFlags::DIRECT.bits() as i32);
        let direct = options.open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))?;
        BUFFER.with_borrow_mut(|buffer| {
            // Bytes stand in the buffer as far from a block's beginning as in the file.
            let mut begin = (offset % BLOCK_BYTES as u64) as usize;
            let (mut block, mut end) = (offset - begin as u64, begin);
            for part in parts {
                let mut rest = *part;
                if end == 0 && rest.as_ptr().addr() % BLOCK_BYTES == 0 {
                    let (blocks, behind) = rest.split_at(rest.len() / BLOCK_BYTES * BLOCK_BYTES);
                    self.write_blocks(&direct, block, 0, blocks)?;
                    (block, rest) = (block + blocks.len() as u64, behind);
                }
                while !rest.is_empty() {
                    let buffer = blocks(buffer);
                    let (now, later) = rest.split_at(rest.len().min(BUFFER_BYTES - end));
                    buffer[end..end + now.len()].copy_from_slice(now);
                    (rest, end) = (later, end + now.len());
                    if end == BUFFER_BYTES {
                        self.write_blocks(&direct, block, begin, buffer)?;
                        (block, begin, end) = (block + BUFFER_BYTES as u64, 0, 0);
                    }
                }
            }
            if begin == end { Ok(()) } else { self.write_blocks(&direct, block, begin, &blocks(buffer)[..end]) }
        })
    }

    /// Writes `buffer` from `begin` on, of which the beginning stands at a block of the file.
    fn write_blocks(&self, direct: &File, block: u64, begin: usize, buffer: &[u8]) -> io::Result<()> {
        let first = begin.next_multiple_of(BLOCK_BYTES).min(buffer.len());
        let last = (buffer.len() / BLOCK_BYTES * BLOCK_BYTES).max(first);
        self.file.write_all_at(&buffer[begin..first], block + begin as u64)?;
        let mut done = first;
        if first < last {
            // What a short write leaves, or one that was interrupted, goes the other way, which also says what stood in its way.
            done += match direct.write_at(&buffer[first..last], block + first as u64) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                written => written?,
            };
        }
        self.file.write_all_at(&buffer[done..], block + done as u64)
    }
}

/// The part of the thread's buffer that begins at a block.
fn blocks(buffer: &mut Vec<u8>) -> &mut [u8] {
    buffer.resize(BUFFER_BYTES + BLOCK_BYTES, 0);
    let start = buffer.as_ptr().align_offset(BLOCK_BYTES);
    &mut buffer[start..start + BUFFER_BYTES]
}

/// Whether an error says that a file cannot be written directly: the file system has no such writes, or there is no `/proc`. Where the
/// disk is at fault, writing through the page cache meets it too.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, NotFound, PermissionDenied, Unsupported};
    matches!(error.kind(), InvalidInput | NotFound | PermissionDenied | Unsupported)
}

/// Whether there is no descriptor for it just now.
fn is_exhausted(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, DirectFile) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(folder.path().join("file")).expect("it is new");
        (folder, DirectFile::new(file))
    }

    /// Bytes that no shift makes the same.
    fn bytes(length: usize, seed: usize) -> Vec<u8> {
        (0..length).map(|at| ((at + seed).wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    fn read(file: &DirectFile, offset: u64, length: usize) -> Vec<u8> {
        let mut found = vec![0; length];
        file.file.read_exact_at(&mut found, offset).expect("it is that long");
        found
    }

    #[test]
    fn what_is_written_is_read_wherever_it_begins_and_ends() {
        let lengths =
            [BUFFER_BYTES, 2 * BUFFER_BYTES + 1, DIRECT_BYTES_MIN, DIRECT_BYTES_MIN + 4_095, DIRECT_BYTES_MIN - 1];
        for (seed, length) in lengths.into_iter().enumerate() {
            for offset in [0, 64, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 100] {
                let (_folder, file) = file();
                // What stands around it stays, also where it has not been written to the disk.
                let before = bytes(offset + length + 2 * BLOCK_BYTES, seed + 100);
                file.file.write_all_at(&before, 0).expect("it is written");
                let whole = bytes(length, seed);
                let (first, rest) = whole.split_at(length / 3);
                file.write_at(offset as u64, &[first, &[], &rest[..7], &rest[7..]]).expect("it is written");
                assert!(read(&file, offset as u64, length) == whole, "{length} at {offset}");
                assert!(read(&file, 0, offset) == before[..offset], "{length} at {offset}");
                assert!(read(&file, (offset + length) as u64, 2 * BLOCK_BYTES) == before[offset + length..]);
                if file.refused.load(Ordering::Relaxed) {
                    eprintln!("the file system of temporary files has no direct writes: they were not tried");
                }
            }
        }
    }

    #[test]
    fn what_stands_at_a_block_in_memory_is_written_from_there() {
        let all = bytes(4 * BUFFER_BYTES, 3);
        let all = &all[all.as_ptr().align_offset(BLOCK_BYTES)..][..3 * BUFFER_BYTES];
        let (first, rest) = all.split_at(BUFFER_BYTES + BLOCK_BYTES);
        let (second, third) = rest.split_at(BLOCK_BYTES);
        let (third, odd) = third.split_at(BUFFER_BYTES - 100);
        // Where parts and blocks of the file are shifted against each other, they are copied.
        let cases = [
            (&[first, second][..], 0, false),
            (&[first, second], BLOCK_BYTES, false),
            (&[first, &[], second], 0, false),
        ];
        let copied =
            [(&[first, second][..], 100, true), (&[first, second, third, odd], 0, true), (&[odd, first], 0, true)];
        for (parts, offset, is_copied) in cases.into_iter().chain(copied) {
            let whole = parts.concat();
            let (_folder, file) = file();
            let before = bytes(offset + whole.len() + 2 * BLOCK_BYTES, 7);
            file.file.write_all_at(&before, 0).expect("it is written");
            // A thread has a buffer once it copied something.
            let has_buffer = std::thread::scope(|scope| {
                let writing = scope.spawn(|| {
                    file.write_at(offset as u64, parts).expect("it is written");
                    BUFFER.with_borrow(|buffer| !buffer.is_empty())
                });
                writing.join().expect("it does not panic")
            });
            let (end, length) = (offset + whole.len(), before.len());
            assert!(read(&file, 0, length) == [&before[..offset], &whole, &before[end..]].concat(), "at {offset}");
            match file.refused.load(Ordering::Relaxed) {
                true => eprintln!("the file system of temporary files has no direct writes: they were not tried"),
                false => assert_eq!(has_buffer, is_copied, "at {offset}"),
            }
        }
    }

    #[test]
    fn appended_pieces_stand_behind_each_other() {
        let (_folder, file) = file();
        let mut all = Vec::new();
        for (seed, length) in [64, 300_000, 100, 1 << 20, 4_096, 200_000].into_iter().enumerate() {
            let piece = bytes(length, seed);
            file.write_at(all.len() as u64, &[&piece]).expect("it is written");
            all.extend_from_slice(&piece);
            assert!(read(&file, 0, all.len()) == all, "after {length}");
        }
        assert_eq!(file.file.metadata().expect("it is there").len(), all.len() as u64);
    }

    #[test]
    fn where_direct_writes_are_refused_pages_are_written() {
        let (_folder, file) = file();
        file.refused.store(true, Ordering::Relaxed);
        let piece = bytes(DIRECT_BYTES_MIN, 1);
        file.write_at(5, &[&piece]).expect("it is written");
        assert!(read(&file, 5, piece.len()) == piece);
        // Of this one there is no second descriptor to write with.
        let reading = DirectFile::new(File::open("/proc/self/status").expect("it is there"));
        assert!(reading.write_at(0, &[&piece]).is_err(), "errors of writing are told");
        assert!(reading.refused.load(Ordering::Relaxed), "it is not asked again");
    }
}
