//! What the host answered, for the return bytes.

use core::cell::UnsafeCell;

use crate::JOURNAL_BYTES_MAX;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
const DIGEST_BYTES: usize = 8;

/// FNV-1a: it tells differing answers apart and costs two instructions a byte; nobody attacks it here.
#[derive(Clone, Copy)]
pub(crate) struct Fold(pub(crate) u64);

impl Fold {
    pub(crate) const NEW: Self = Self(FNV_OFFSET);

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
        }
    }

    pub(crate) fn push_word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(FNV_PRIME).rotate_left(23);
    }
}

/// The digest of all answers, and the first of them.
pub(crate) struct Journal {
    /// The digest's place, then answers.
    bytes: &'static mut [u8; DIGEST_BYTES + JOURNAL_BYTES_MAX],
    len: usize,
    fold: Fold,
}

impl Journal {
    /// The journal of this call.
    ///
    /// # Safety
    ///
    /// Once a call: the bytes are a static.
    pub(crate) unsafe fn new() -> Self {
        struct Place(UnsafeCell<[u8; DIGEST_BYTES + JOURNAL_BYTES_MAX]>);
        // SAFETY: a module has one thread.
        unsafe impl Sync for Place {}
        static PLACE: Place = Place(UnsafeCell::new([0; DIGEST_BYTES + JOURNAL_BYTES_MAX]));
        // SAFETY: the caller's promise makes this the only reference.
        Self { bytes: unsafe { &mut *PLACE.0.get() }, len: DIGEST_BYTES, fold: Fold::NEW }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.fold.push(bytes);
        let kept = bytes.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + kept].copy_from_slice(&bytes[..kept]);
        self.len += kept;
    }

    pub(crate) fn push_number(&mut self, number: u64) {
        self.push(&number.to_le_bytes());
    }

    /// The return bytes.
    pub(crate) fn finish(&mut self) -> &[u8] {
        self.bytes[..DIGEST_BYTES].copy_from_slice(&self.fold.0.to_le_bytes());
        &self.bytes[..self.len]
    }
}
