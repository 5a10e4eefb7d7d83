//! Signatures, verified by the host. One costs about as much gas as 120,000 instructions, and more with the message's length.

use crate::host;

/// Whether `signature` is `key`'s of `message`, by ed25519 under the rules of [ZIP 215](https://zips.z.cash/zip-0215): the two halves are
/// the encoded point R and the scalar s, as every library makes them.
///
/// A signature says nothing of when or how often it was given: put a number that is used once, and the contract's own id, into the message.
///
/// ```
/// use phalanx_contract::signature;
///
/// assert!(!signature::ed25519(&[7; 32], b"pay 5 to the bearer", &[0; 64]));
/// ```
#[inline]
pub fn ed25519(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    host::verify_ed25519(key, message, signature)
}
