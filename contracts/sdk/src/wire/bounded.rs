//! Byte strings and texts with a maximum length, held in place: most modules have no allocator.

use super::{Reader, Wire, Writer};

/// At most `N` bytes.
#[derive(Clone, Copy)]
pub struct Bytes<const N: usize> {
    bytes: [u8; N],
    /// ≤ `N`; the bytes from here on are 0.
    len: usize,
}

impl<const N: usize> Bytes<N> {
    /// A copy of `bytes`, or `None` if there are more than `N`.
    #[inline]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut copy = Self { bytes: [0; N], len: bytes.len() };
        copy.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(copy)
    }

    /// The bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}

impl<const N: usize> PartialEq for Bytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for Bytes<N> {}

impl<const N: usize> core::fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl<'a, const N: usize> Wire<'a> for Bytes<N> {
    const MIN_LEN: usize = 4;
    const MAX_LEN: usize = 4 + N;

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Self::new(<&[u8]>::read(reader)?)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        self.as_slice().write(writer);
    }
}

/// At most `N` bytes of UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Text<const N: usize>(Bytes<N>);

impl<const N: usize> Text<N> {
    /// A copy of `text`, or `None` if it has more than `N` bytes.
    #[inline]
    pub fn new(text: &str) -> Option<Self> {
        Bytes::new(text.as_bytes()).map(Self)
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.0.as_slice()).unwrap_or_default()
    }
}

impl<const N: usize> core::fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<'a, const N: usize> Wire<'a> for Text<N> {
    const MIN_LEN: usize = 4;
    const MAX_LEN: usize = 4 + N;

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        Self::new(<&str>::read(reader)?)
    }

    #[inline]
    fn write(&self, writer: &mut Writer<'_>) {
        self.0.write(writer);
    }
}
