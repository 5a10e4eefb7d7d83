//! Addresses.

use crate::wire::{Reader, Wire, Writer};

/// 32 bytes that name a sender or a contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Address(pub [u8; 32]);

impl Address {
    /// An address seen in place, without a copy.
    #[inline(always)]
    pub const fn from_bytes(bytes: &[u8; 32]) -> &Self {
        // SAFETY: `Address` is `repr(transparent)` over `[u8; 32]`: same size, alignment and validity.
        unsafe { &*core::ptr::from_ref(bytes).cast::<Self>() }
    }

    /// A copy in four words. The compiler keeps them as values, where an array of bytes would be copied through memory on each
    /// use: each store of a module is metered and marks its granule, so copies are what a call pays for.
    #[inline(always)]
    pub(crate) fn from_words(bytes: &[u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let words: [u64; 4] = core::array::from_fn(|i| u64::from_ne_bytes(words[i]));
        // SAFETY: both are 32 bytes for which any bits are a value.
        Self(unsafe { core::mem::transmute::<[u64; 4], [u8; 32]>(words) })
    }
}

impl core::fmt::Debug for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<'a> Wire<'a> for Address {
    const MIN_LEN: usize = 32;
    const MAX_LEN: usize = 32;

    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        reader.array().map(Self::from_words)
    }

    #[inline(always)]
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(&self.0);
    }
}
