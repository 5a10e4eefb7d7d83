//! Hash functions, computed by the host. Gas grows with the length.

use crate::host::{self, HashAlgorithm};

/// BLAKE3 of `data`.
#[inline]
pub fn blake3(data: &[u8]) -> [u8; 32] {
    host::hash(HashAlgorithm::Blake3, data)
}

/// SHA-256 of `data`.
#[inline]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    host::hash(HashAlgorithm::Sha256, data)
}

/// Keccak-256 of `data` (Ethereum's padding, not SHA-3's).
#[inline]
pub fn keccak256(data: &[u8]) -> [u8; 32] {
    host::hash(HashAlgorithm::Keccak256, data)
}
