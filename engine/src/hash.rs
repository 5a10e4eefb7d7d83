//! The hashes that contracts may ask for.

use sha2::Digest as _;

/// 0: blake3, 1: sha256, 2: keccak256. The caller has checked the number against [`crate::gas::HASH_BYTE`].
pub(crate) fn hash(algorithm: u32, bytes: &[u8]) -> [u8; 32] {
    match algorithm {
        0 => *blake3::hash(bytes).as_bytes(),
        1 => sha2::Sha256::digest(bytes).into(),
        _ => sha3::Keccak256::digest(bytes).into(),
    }
}
