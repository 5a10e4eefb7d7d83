//! Batches of short scripts without scans, over more keys than calls: some calls are dirty, few enough that each is repaired by
//! itself, in the middle of its keys' chains. The generator of the equivalence tests makes such rounds rarely.

use crate::generate::Generator;
use phalanx_engine::{Address, BatchBuilder, BatchBytes, Call, contract_id};
use phalanx_exerciser::script::{Condition, Key, Op, encode};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(crate) const EXERCISER: &[u8] = include_bytes!("../../../../contracts/wasm/exerciser.wasm");
/// Who deploys it in the first batch of [`Generator`], and with which salt.
pub(crate) const DEPLOYER: Address = [1; 32];
pub(crate) const SALT: [u8; 32] = [2; 32];

const CALLS: usize = 400;
const KEYS: u16 = 1_200;

/// Batches of one seed; every second one, from height 2 on, is of the equivalence tests.
pub(crate) struct Chains {
    rng: ChaCha8Rng,
    others: Generator,
}

impl Chains {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), others: Generator::new(seed) }
    }

    pub(crate) fn batch(&mut self, height: u64) -> BatchBytes {
        if height == 1 || height.is_multiple_of(2) {
            return self.others.batch(height);
        }
        let contract = contract_id(&DEPLOYER, &SALT, EXERCISER);
        let mut batch = BatchBuilder::new(height, 1_000 * height + 999);
        for _ in 0..CALLS {
            let arguments = encode(&self.script());
            let call = Call { contract, method: "run", sender: [9; 32], arguments: &arguments, gas_limit: 100_000 };
            batch.push(&call).expect("generated batches keep the limits");
        }
        batch.finish()
    }

    fn key(&mut self) -> Key {
        let [low, high] = self.rng.random_range(0..KEYS).to_le_bytes();
        Key::new([1, low, high])
    }

    fn script(&mut self) -> Vec<Op> {
        let read = Op::Get { key: self.key(), capacity: 16 };
        let number = u128::from(self.rng.random_range(0..50u32));
        let write = match self.rng.random_range(0..4) {
            0 => Op::Set { key: self.key(), value: number.to_le_bytes().to_vec() },
            1 => Op::Add { key: self.key(), magnitude: number, low: 0, high: 60 },
            2 => Op::Sub { key: self.key(), magnitude: number, low: 0, high: u128::MAX },
            _ => Op::SetFromLast { key: self.key(), addend: number },
        };
        match self.rng.random_range(0..4) {
            0 => vec![write],
            1 => {
                let condition = Condition::ALL[self.rng.random_range(0..Condition::ALL.len())];
                vec![read, Op::When { condition, operand: number, then: vec![write] }]
            }
            _ => vec![read, write],
        }
    }
}
