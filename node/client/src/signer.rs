//! Signing calls.

use ed25519_zebra::{SigningKey, VerificationKey};
use phalanx_proto::signing::{SignedCall, signed_call_id};
use phalanx_proto::v1;

use crate::ClientError;

/// Heights beyond the last one for which a call is best signed, where nothing else is known: nearly all that a node allows (its limit
/// `signed_call_heights`), so that the window begins just before the heights whose ids a busy node surely remembers.
pub const VALID_HEIGHTS: u64 = 32_700;

/// An ed25519 key that signs calls for one chain. The address of its sender is its public key.
pub struct Signer {
    key: SigningKey,
    address: [u8; 32],
    chain_id: [u8; 32],
}

impl Signer {
    /// A signer with a secret key, as RFC 8032 has it, for a chain. The chain's id is best known from elsewhere than from a node
    /// that is not trusted: what is signed for a chain is valid there.
    pub fn new(secret: &[u8; 32], chain_id: [u8; 32]) -> Signer {
        let key = SigningKey::from(*secret);
        let address = VerificationKey::from(&key).into();
        Signer { key, address, chain_id }
    }

    /// The sender that it signs for: its public key.
    pub fn address(&self) -> [u8; 32] {
        self.address
    }

    /// Signs a call as its sender, to be ordered at heights up to the last one. Gives it its sender and an id.
    ///
    /// # Errors
    /// [`ClientError::Unsignable`] if a field does not have a form in which nodes take it in, [`ClientError::Randomness`].
    pub fn sign(&self, call: &mut v1::Call, last_height: u64) -> Result<(), ClientError> {
        let mut rest = [0; 8];
        getrandom::fill(&mut rest).map_err(ClientError::Randomness)?;
        let id = signed_call_id(last_height, rest);
        let contract =
            call.contract[..].try_into().map_err(|_| ClientError::Unsignable("a contract id has 32 bytes"))?;
        let gas_limit = call.gas_limit.try_into().map_err(|_| ClientError::Unsignable("a gas limit has 32 bits"))?;
        if call.method.len() > 64 {
            return Err(ClientError::Unsignable("a method's name has at most 64 bytes"));
        }
        let signed = SignedCall {
            chain_id: &self.chain_id,
            contract,
            method: &call.method,
            sender: &self.address,
            id: &id,
            gas_limit,
            arguments: &call.arguments,
        };
        let signature: [u8; 64] = self.key.sign(&signed.to_bytes()).into();
        call.sender = self.address.to_vec().into();
        call.id = Some(id.to_vec().into());
        call.signature = Some(signature.to_vec().into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_do_not_take_in_is_not_signed() {
        let signer = Signer::new(&[1; 32], [0; 32]);
        let good = v1::Call { contract: vec![7; 32].into(), method: "mint".to_owned(), ..v1::Call::default() };
        let bad = [
            v1::Call { contract: vec![7; 31].into(), ..good.clone() },
            v1::Call { gas_limit: 1 << 32, ..good.clone() },
            v1::Call { method: "m".repeat(65), ..good.clone() },
        ];
        for mut call in bad {
            assert!(matches!(signer.sign(&mut call, 1), Err(ClientError::Unsignable(_))));
            assert!(call.signature.is_none());
        }
        let (mut once, mut again) = (good.clone(), good);
        signer.sign(&mut once, 1).expect("it can be signed");
        signer.sign(&mut again, 1).expect("it can be signed");
        assert_ne!(once.id, again.id, "each call is another one");
        assert_eq!(once.sender, signer.address().to_vec());
    }
}
