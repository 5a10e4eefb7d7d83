//! Calls that declare what was learned of their methods, and some that touch other keys than that.

use super::episode::{Covered, Setting, compare, engines};
use phalanx_engine::{Access, AccessLists, Address, BatchBuilder, Call, Deployment, Engine, Mode, Oracle, Statistics};
use phalanx_exerciser::FIRST_ORDERED_SLOT;
use phalanx_exerciser::script::{Key, Op, encode};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const EXERCISER: &[u8] = include_bytes!("../../../contracts/wasm/exerciser.wasm");
const SENDER: Address = [1; 32];

/// A key that calls meet on, in this slot.
fn key(slot: u8, number: u8) -> Key {
    let mut key = [slot; 33];
    key[1..].fill(number);
    Key::new(key)
}

/// Reads and writes a key, and reads another; those that stray write a third one too.
fn random_ops(rng: &mut ChaCha8Rng, strays: f64) -> Vec<Op> {
    let (written, read) = (rng.random_range(0..60), rng.random_range(0..60));
    let mut ops = vec![
        Op::Get { key: key(1, written), capacity: 16 },
        Op::Set { key: key(1, written), value: vec![rng.random(); 16] },
        Op::Get { key: key(1, read), capacity: 16 },
    ];
    if rng.random_bool(strays) {
        ops.push(Op::Set { key: key(2, written), value: vec![rng.random(); 8] });
    }
    ops
}

fn call(contract: Address, arguments: &[u8]) -> Call<'_> {
    Call { contract, method: "run", sender: SENDER, arguments, gas_limit: 1_000_000 }
}

/// Engines that execute what is declared beside the oracle.
struct Compared {
    engines: Vec<(Engine, Setting)>,
    oracle: Oracle,
    covered: Covered,
}

impl Compared {
    const SETTINGS: [Setting; 3] = [(Mode::Hinted, 1), (Mode::Hinted, 2), (Mode::Hinted, 5)];

    fn new() -> Self {
        Self { engines: engines(&Self::SETTINGS, 7), oracle: Oracle::new(), covered: Covered::default() }
    }

    fn batch(&mut self, calls: &[Call<'_>], lists: Option<&AccessLists>) {
        let height = self.oracle.height() + 1;
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        calls.iter().for_each(|call| batch.push(call).expect("within the limits"));
        compare(7, &batch.finish(), lists, &self.engines, &mut self.oracle, &mut self.covered);
        let expected = self.oracle.state_digest();
        self.engines.iter().for_each(|(engine, _)| assert_eq!(engine.state_digest(), expected));
    }

    /// What happened since the last time that it was asked.
    fn statistics(&mut self) -> Statistics {
        let statistics = core::mem::take(&mut self.covered.statistics);
        println!("{statistics:?}");
        statistics
    }
}

#[test]
fn calls_that_stray_from_what_was_learned_are_executed_again_in_order() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut compared = Compared::new();
    let deployment = Deployment::new(SENDER, [2; 32], EXERCISER);
    let contract = deployment.contract();
    compared.batch(&[deployment.call()], None);
    // In the first batch the method is learned. Later on some calls stray, and some write what others only read.
    for strays in [0.0, 0.0, 0.001, 0.01, 0.2] {
        let scripts: Vec<_> = (0..2_000).map(|_| encode(&random_ops(&mut rng, strays))).collect();
        compared.batch(&scripts.iter().map(|script| call(contract, script)).collect::<Vec<_>>(), None);
    }
    let counts = compared.statistics();
    assert!(counts.hinted_calls > 8_000 && counts.strayed_calls > 10 && counts.unhinted_calls > 1_000, "{counts:?}");
}

/// What may be wrong with an access list.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Nothing,
    /// Keys of the call's contract and of another, which the call does not touch, one of them absent for good.
    TooMany,
    /// No call has so many.
    FarTooMany,
    /// The key that the call writes is there for reading.
    ReadOnly,
    /// The key that the call reads is not there.
    TooFew,
    /// A key of an ordered slot, which cannot be declared.
    Ordered,
    /// There is none.
    Missing,
}

/// The access list of a call that does this in one of two contracts.
fn push_list(lists: &mut AccessLists, ops: &[Op], contracts: [Address; 2], wrong: Wrong) {
    let [contract, other] = contracts;
    let key_of = |op: &Op| match op {
        Op::Get { key, .. } => (key.bytes.clone(), false),
        Op::Set { key, .. } => (key.bytes.clone(), !matches!(wrong, Wrong::ReadOnly)),
        op => unreachable!("{op:?} is none of the scripts here"),
    };
    let mut keys: Vec<(Address, Vec<u8>, bool)> =
        ops.iter().map(key_of).map(|(key, writes)| (contract, key, writes)).collect();
    match wrong {
        Wrong::Nothing | Wrong::ReadOnly => {}
        Wrong::TooMany => keys.extend([
            (other, vec![1; 33], true),
            (contract, vec![77; 256], true),
            ([99; 32], vec![1], true),
            ([0; 32], vec![1], true),
            (contract, Vec::new(), true),
            (contract, vec![1; 257], true),
        ]),
        Wrong::FarTooMany => keys.extend((0..40).map(|number| (contract, vec![3, number], false))),
        Wrong::TooFew => keys.truncate(2),
        Wrong::Ordered => keys.push((contract, vec![FIRST_ORDERED_SLOT, 1], true)),
        Wrong::Missing => return lists.push_unknown(),
    }
    let accesses = keys.iter().map(|(contract, key, writes)| Access { contract: *contract, key, writes: *writes });
    lists.push(&accesses.collect::<Vec<_>>());
}

#[test]
fn access_lists_whether_right_or_wrong_never_show() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let mut compared = Compared::new();
    let deployments = [[2; 32], [3; 32]].map(|salt| Deployment::new(SENDER, salt, EXERCISER));
    let contracts = deployments.each_ref().map(Deployment::contract);
    compared.batch(&deployments.each_ref().map(Deployment::call), None);
    assert_eq!(compared.statistics().unhinted_calls, 6, "deploys have no lists");
    let mut batch = |calls: usize, lists_of: usize, mut wrong: Box<dyn FnMut(&mut ChaCha8Rng) -> Wrong>| {
        let mut lists = AccessLists::default();
        let mut scripts = Vec::new();
        for number in 0..calls {
            let (ops, mut contracts) = (random_ops(&mut rng, 0.3), contracts);
            if rng.random() {
                contracts.reverse();
            }
            let wrong = wrong(&mut rng);
            if number < lists_of {
                push_list(&mut lists, &ops, contracts, wrong);
            }
            scripts.push((contracts[0], encode(&ops)));
        }
        assert_eq!((lists.len(), lists.is_empty()), (lists_of, lists_of == 0));
        let calls: Vec<_> = scripts.iter().map(|(contract, script)| call(*contract, script)).collect();
        compared.batch(&calls, Some(&lists));
        compared.statistics()
    };
    // Every call is declared, in one way or another, from the first batch on: nothing had been learned.
    for wrong in [Wrong::Nothing, Wrong::TooMany] {
        let counts = batch(1_000, 1_000, Box::new(move |_| wrong));
        assert_eq!((counts.hinted_calls, counts.unhinted_calls), (3_000, 0), "{wrong:?}");
    }
    for wrong in [Wrong::FarTooMany, Wrong::Ordered] {
        let counts = batch(1_000, 1_000, Box::new(move |_| wrong));
        assert_eq!((counts.hinted_calls, counts.strayed_calls), (0, 0), "{wrong:?}");
    }
    for wrong in [Wrong::ReadOnly, Wrong::TooFew] {
        let counts = batch(1_000, 1_000, Box::new(move |_| wrong));
        assert!(counts.strayed_calls > 0, "{wrong:?}");
    }
    // Scripts that begin with a key that none of the others has teach what strays.
    batch(1_000, 0, Box::new(|_| Wrong::Missing));
    let some = [Wrong::TooMany, Wrong::FarTooMany, Wrong::ReadOnly, Wrong::TooFew, Wrong::Ordered, Wrong::Missing];
    for (share, lists_of) in [(0.002, 3_000), (0.02, 2_500), (0.2, 1_000)] {
        let wrong = move |rng: &mut ChaCha8Rng| match rng.random_bool(share) {
            true => some[rng.random_range(0..some.len())],
            false => Wrong::Nothing,
        };
        let counts = batch(3_000, lists_of, Box::new(wrong));
        assert!(counts.hinted_calls > 0 && counts.unhinted_calls > 0, "{share}");
    }
}
