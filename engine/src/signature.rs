//! The signatures that contracts may ask about.

use ed25519_zebra::{Signature, VerificationKey};

/// Whether `signature` is the key's of `message`. The caller has checked the algorithm against [`crate::gas::VERIFY_BYTE`]; there is one, 0:
/// ed25519 by the rules of [ZIP 215](https://zips.z.cash/zip-0215).
///
/// RFC 8032 leaves open whether points may be encoded in a second way or be of small order, and by which of two equations a signature is
/// checked. Implementations differ there, and a library may change its mind; ZIP 215 says all of it.
pub(crate) fn verifies(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerificationKey::try_from(*key).is_ok_and(|key| key.verify(&Signature::from_bytes(signature), message).is_ok())
}

#[cfg(test)]
mod tests {
    use super::verifies;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        assert_eq!(hex.len(), 2 * N);
        core::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
    }

    #[test]
    fn the_vectors_of_rfc_8032_verify_and_nothing_near_them_does() {
        let key = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = bytes(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        );
        assert!(verifies(&key, b"", &signature));
        assert!(!verifies(&key, b"\0", &signature));
        for byte in 0..64 {
            let mut other = signature;
            other[byte] ^= 1;
            assert!(!verifies(&key, b"", &other), "byte {byte}");
        }
        let key = bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = bytes(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert!(verifies(&key, b"\x72", &signature));
    }

    /// What only ZIP 215 says: if this fails after an update, the library has changed the rules, and results with them.
    #[test]
    fn points_of_small_order_and_second_encodings_are_accepted_and_large_scalars_are_not() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(verifies(&identity, b"anything", &signature));
        // The same point with a sign that its x of 0 does not have.
        let mut second = identity;
        second[31] = 0x80;
        assert!(verifies(&second, b"anything", &signature));
        // A y of p + 1 in place of 1.
        let mut above = [0xff; 32];
        (above[0], above[31]) = (0xee, 0x7f);
        assert!(verifies(&above, b"anything", &signature));
        // The group's order in place of a scalar of 0.
        let order = bytes::<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        signature[32..].copy_from_slice(&order);
        assert!(!verifies(&identity, b"anything", &signature));
        assert!(!verifies(&[2; 32], b"anything", &signature), "2 is no y of a point");
    }
}
