//! Letting a file's older pages go as it grows.
//!
//! What is written through the page cache (what is large goes past it, `direct.rs`) fills memory with pages that nobody reads again.
//! The kernel takes a fresh page for each that is appended, which under virtual machines that give unused memory back costs several
//! times what copying does; pages that are let go it uses for the next.

use super::File;

/// Bytes of a file that is appended to which stay cached behind its synced end, if they ever were: what readers at the tip look for.
pub(crate) const CACHED_BYTES: u64 = 32 << 20;

/// What of a growing file was let go.
#[derive(Default)]
pub(crate) struct Forgetting {
    /// Everything before it was let go.
    forgotten: u64,
}

impl Forgetting {
    /// How much is let go at a time.
    const STEP_BYTES: u64 = 4 << 20;

    /// After a sync of everything before `synced`.
    pub(crate) fn synced(&mut self, file: &dyn File, synced: u64) {
        let end = synced.saturating_sub(CACHED_BYTES);
        if end >= self.forgotten + Self::STEP_BYTES {
            file.forget_cached(self.forgotten..end);
            self.forgotten = end;
        }
    }

    /// When a synced file that does not grow any more is `length` bytes long.
    pub(crate) fn all(&mut self, file: &dyn File, length: u64) {
        if self.forgotten < length {
            file.forget_cached(self.forgotten..length);
            self.forgotten = length;
        }
    }
}
