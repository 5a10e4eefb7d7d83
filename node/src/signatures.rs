//! Checking the signatures of calls, many at a time.
//!
//! Together they share a part of the arithmetic; by the rules of ZIP 215 the answer is that of one by one. Which of them is
//! bad is only looked for where one is.

use ed25519_zebra::batch::{Item, Verifier};
use ed25519_zebra::{Signature, VerificationKeyBytes};
use phalanx_engine::Address;
use phalanx_proto::signing::SignedCall;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// Signatures that are checked together. More would gain little, and wait in memory.
const TOGETHER: usize = 256;
/// Fewer than these are checked one by one.
const TOGETHER_MIN: usize = 4;

/// Signatures of calls of one chain that are to be checked.
pub(crate) struct Signatures {
    chain_id: [u8; 32],
    /// Signatures that have been checked.
    checked: usize,
    /// Those that are to be checked together.
    waiting: Vec<Item>,
    /// The first that is not its sender's.
    bad: Option<usize>,
    /// What is signed of the call that is added.
    signed: Vec<u8>,
}

impl Signatures {
    /// None yet.
    pub(crate) fn of_chain(chain_id: [u8; 32]) -> Signatures {
        Signatures { chain_id, checked: 0, waiting: Vec::new(), bad: None, signed: Vec::new() }
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
        // Behind a bad one nothing matters.
        if self.bad.is_some() {
            return;
        }
        let call = SignedCall { chain_id: &self.chain_id, contract, method, sender, id, gas_limit, arguments };
        self.signed.clear();
        call.write_to(&mut self.signed);
        let key = VerificationKeyBytes::from(*sender);
        self.waiting.push(Item::from((key, Signature::from_bytes(signature), &self.signed)));
        if self.waiting.len() == TOGETHER {
            self.check_waiting();
        }
    }

    fn check_waiting(&mut self) {
        let first_bad = || self.waiting.iter().position(|item| item.clone().verify_single().is_err());
        let bad = match self.waiting.len() < TOGETHER_MIN {
            true => first_bad(),
            false => {
                let mut all = Verifier::new();
                self.waiting.iter().for_each(|item| all.queue(item.clone()));
                all.verify(weights()).is_err().then(first_bad).flatten()
            }
        };
        self.bad = bad.map(|bad| self.checked + bad);
        self.checked += self.waiting.len();
        self.waiting.clear();
    }

    /// Checks them.
    ///
    /// # Errors
    /// The place of the first that is not its sender's, in the order in which they were added.
    pub(crate) fn check(mut self) -> Result<(), usize> {
        if self.bad.is_none() {
            self.check_waiting();
        }
        self.bad.map_or(Ok(()), Err)
    }
}

/// Weights of the signatures in their sum. Who can foresee them can make bad signatures that add up to a good sum.
fn weights() -> ChaCha20Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the system has randomness");
    ChaCha20Rng::from_seed(seed)
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

    /// What standards differ on is answered the same together and one by one: a key and a commitment that are the neutral
    /// element, or no canonical encoding of it, sign everything with 0.
    #[test]
    fn what_standards_differ_on_does_not_depend_on_how_many_there_are() {
        let neutral: [u8; 32] = core::array::from_fn(|index| u8::from(index == 0));
        let mut not_canonical = [0xff; 32];
        (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
        for key in [neutral, not_canonical] {
            for commitment in [neutral, not_canonical] {
                let mut signature = [0; 64];
                signature[..32].copy_from_slice(&commitment);
                for count in [1, TOGETHER_MIN, TOGETHER + 1] {
                    let mut signatures = Signatures::of_chain(CHAIN);
                    for _ in 0..count {
                        signatures.add((&[7; 32], "transfer"), &key, &[1; 16], 5, b"", &signature);
                    }
                    assert_eq!(signatures.check(), Ok(()), "{count} of them");
                }
            }
        }
    }

    #[test]
    fn the_first_bad_one_of_many_is_named() {
        let good: Vec<_> = (0..40u8).map(|key| (key % 7, &b"arguments"[usize::from(key % 5)..], true)).collect();
        assert_eq!(check(&good, CHAIN), Ok(()));
        assert_eq!(check(&good[..1], CHAIN), Ok(()));
        assert_eq!(check(&[], CHAIN), Ok(()));
        let many: Vec<_> = good.iter().cycle().take(2 * TOGETHER + 3).copied().collect();
        assert_eq!(check(&many, CHAIN), Ok(()));
        for bad in [0, 17, TOGETHER - 1, TOGETHER, 2 * TOGETHER + 1, 2 * TOGETHER + 2] {
            let mut calls = many.clone();
            calls[bad].2 = false;
            calls[2 * TOGETHER + 2].2 = false;
            assert_eq!(check(&calls, CHAIN), Err(bad));
        }
        assert_eq!(check(&good, [8; 32]), Err(0), "they are another chain's");
        assert_eq!(check(&good[..1], [8; 32]), Err(0));
    }
}
