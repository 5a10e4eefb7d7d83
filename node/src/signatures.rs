//! Checking the signatures of calls.

use ed25519_zebra::{Signature, VerificationKey};
use phalanx_engine::Address;
use phalanx_proto::signing::SignedCall;

/// Signatures of calls of one chain that are to be checked.
pub(crate) struct Signatures {
    chain_id: [u8; 32],
    added: usize,
    /// The first that is not its sender's.
    bad: Option<usize>,
    /// What is signed of the call that is added.
    signed: Vec<u8>,
}

impl Signatures {
    /// None yet.
    pub(crate) fn of_chain(chain_id: [u8; 32]) -> Signatures {
        Signatures { chain_id, added: 0, bad: None, signed: Vec::new() }
    }

    /// Adds a call's.
    pub(crate) fn add(
        &mut self,
        (contract, method): (&Address, &str),
        sender: &Address,
        id: &[u8; 16],
        gas_limit: u32,
        arguments: &[u8],
        signature: &[u8; 64],
    ) {
        let call = SignedCall { chain_id: &self.chain_id, contract, method, sender, id, gas_limit, arguments };
        self.signed.clear();
        call.write_to(&mut self.signed);
        let signature = Signature::from_bytes(signature);
        let key = VerificationKey::try_from(*sender);
        if self.bad.is_none() && key.and_then(|key| key.verify(&signature, &self.signed)).is_err() {
            self.bad = Some(self.added);
        }
        self.added += 1;
    }

    /// Checks them.
    ///
    /// # Errors
    /// The place of the first that is not its sender's, in the order in which they were added.
    pub(crate) fn check(self) -> Result<(), usize> {
        match self.bad {
            Some(bad) => Err(bad),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_zebra::{SigningKey, VerificationKey};

    const CHAIN: [u8; 32] = [9; 32];

    fn signed(key: u8, arguments: &[u8]) -> (Address, [u8; 64]) {
        let key = SigningKey::from([key; 32]);
        let sender: Address = VerificationKey::from(&key).into();
        let call = SignedCall {
            chain_id: &CHAIN,
            contract: &[7; 32],
            method: "transfer",
            sender: &sender,
            id: &[1; 16],
            gas_limit: 5,
            arguments,
        };
        (sender, key.sign(&call.to_bytes()).into())
    }

    fn check(calls: &[(u8, &[u8], bool)], chain: [u8; 32]) -> Result<(), usize> {
        let mut signatures = Signatures::of_chain(chain);
        for (key, arguments, good) in calls {
            let (sender, mut signature) = signed(*key, arguments);
            signature[5] ^= u8::from(!good);
            signatures.add((&[7; 32], "transfer"), &sender, &[1; 16], 5, arguments, &signature);
        }
        signatures.check()
    }

    #[test]
    fn the_first_bad_one_of_many_is_named() {
        let good: Vec<_> = (0..40u8).map(|key| (key % 7, &b"arguments"[usize::from(key % 5)..], true)).collect();
        assert_eq!(check(&good, CHAIN), Ok(()));
        assert_eq!(check(&good[..1], CHAIN), Ok(()));
        assert_eq!(check(&[], CHAIN), Ok(()));
        for bad in [0, 17, 39] {
            let mut calls = good.clone();
            calls[bad].2 = false;
            calls[39].2 = false;
            assert_eq!(check(&calls, CHAIN), Err(bad));
        }
        assert_eq!(check(&good, [8; 32]), Err(0), "they are another chain's");
        assert_eq!(check(&good[..1], [8; 32]), Err(0));
    }
}
