//! The applications run natively, in the SDK's ledger, as they run on the engine: the same drawn calls of all methods, some with malformed
//! arguments, come to the same return codes, return bytes and events. So what the contracts' own tests show is true of the modules.
//!
//! The gas of each method is committed in `tests/golden/gas`, where a change of a module or of a price shows.
//! `PHALANX_WRITE_GOLDEN=1` writes it.

mod methods;

use phalanx_contract::entry::Contract;
use phalanx_contract::test::{self, call_encoded};
use phalanx_engine::{
    Address, BatchBuilder, Call, Deployment, Engine, HashSeed, Mode, Options, Outcome, Receipt, contract_id,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

const BATCHES: u64 = 150;
const CALLS_A_BATCH: usize = 80;
const SALT: [u8; 32] = [3; 32];
/// Enough for any drawn call.
const GAS_LIMIT: u32 = 1_000_000;

/// Draws arguments out of few, so that calls are about the same things and often succeed.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    /// The number of a thing.
    pub(crate) fn thing(&mut self) -> u64 {
        self.below(3)
    }

    pub(crate) fn amount(&mut self) -> u128 {
        // Now and then too much of it.
        if self.0.random_ratio(1, 50) { u128::MAX } else { self.below(200).into() }
    }

    /// Milliseconds: before, within and after the heights that are executed.
    pub(crate) fn time(&mut self) -> u64 {
        self.below(2 * BATCHES * 1_000)
    }

    pub(crate) fn digest(&mut self) -> [u8; 32] {
        [self.below(3) as u8; 32]
    }

    /// One of five; the first is the deployer.
    pub(crate) fn account(&mut self) -> Address {
        [self.below(5) as u8; 32]
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.0.random()
    }

    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// Now and then makes a call's arguments into bytes that are none: without their end, or with something after it.
    fn malform(&mut self, arguments: &mut Vec<u8>) -> bool {
        let malformed = self.0.random_ratio(1, 20);
        if malformed && (self.coin() || arguments.pop().is_none()) {
            arguments.push(0);
        }
        malformed
    }

    pub(crate) fn maybe<T>(&mut self, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.coin().then(|| some(self))
    }
}

/// A method and how its arguments are drawn.
pub(crate) type Drawn = (&'static str, fn(&mut Dice) -> Vec<u8>);

/// What a call came to.
#[derive(Debug, PartialEq)]
struct Answer {
    code: i32,
    bytes: Vec<u8>,
    events: Vec<(String, Vec<u8>)>,
}

fn of_engine(receipt: &Receipt<'_>) -> Answer {
    let code = match receipt.outcome() {
        Outcome::Ok => 0,
        Outcome::Reverted => 1,
        Outcome::BadArguments => 2,
        other => panic!("{}", other.name()),
    };
    let text = |topic: &[u8]| String::from_utf8(topic.to_vec()).unwrap();
    let events = receipt.events().map(|event| (text(event.topic), event.data.to_vec())).collect();
    Answer { code, bytes: receipt.return_bytes().to_vec(), events }
}

fn of_native<C: Contract>(sender: Address, method: &str, arguments: &[u8]) -> Answer {
    let before = test::events().len();
    let answer = call_encoded::<C>(phalanx_contract::Address(sender), method, arguments);
    let answer = answer.unwrap_or_else(|failure| panic!("{method}: {failure}"));
    let events = test::events().split_off(before).into_iter().map(|event| (event.topic, event.data)).collect();
    Answer { code: answer.code, bytes: answer.bytes, events }
}

/// Compares drawn calls of all methods of a contract; each method must succeed at least once.
fn compare<C: Contract>(name: &str, methods: &[Drawn]) {
    let listed: BTreeSet<_> = methods.iter().map(|(method, _)| *method).collect();
    assert_eq!(listed, C::METHODS.iter().map(|method| method.name).collect(), "{name}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../contracts/wasm/{name}.wasm"));
    let module = std::fs::read(path).unwrap();
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(5));
    let deployer: Address = [0; 32];
    let contract = contract_id(&deployer, &SALT, &module);
    test::reset();
    test::set_deployer(phalanx_contract::Address(deployer));
    test::set_contract_id(phalanx_contract::Address(contract));
    let options = Options { hash_seed: HashSeed::Fixed(1), mode: Mode::Optimistic, workers: 2, ..Options::default() };
    let engine = Engine::new(options);
    let (mut succeeded, mut gas) = (BTreeSet::new(), BTreeMap::new());
    let mut first = BatchBuilder::new(1, 1_000);
    first.push(&Deployment::new(deployer, SALT, &module).call()).unwrap();
    engine.commit(engine.execute_batch(first.finish()).unwrap()).unwrap();
    for height in 2..2 + BATCHES {
        let calls: Vec<_> = (0..CALLS_A_BATCH)
            .map(|_| {
                let (method, arguments) = dice.of(methods);
                let (sender, mut arguments) = (dice.account(), arguments(&mut dice));
                let malformed = dice.malform(&mut arguments);
                (sender, method, arguments, malformed)
            })
            .collect();
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        for (sender, method, arguments, _) in &calls {
            batch.push(&Call { contract, method, sender: *sender, arguments, gas_limit: GAS_LIMIT }).unwrap();
        }
        let executed = engine.execute_batch(batch.finish()).unwrap();
        test::set_height(height, 1_000 * height);
        for ((sender, method, arguments, malformed), receipt) in calls.iter().zip(executed.receipts()) {
            let expected = of_native::<C>(*sender, method, arguments);
            assert_eq!(of_engine(&receipt), expected, "{name} {method}, height {height}, {arguments:?}");
            assert_eq!(expected.code == 2, *malformed, "{name} {method}, height {height}, {arguments:?}");
            if expected.code == 0 {
                succeeded.insert(*method);
            }
            let used = receipt.gas_used();
            let gas =
                gas.entry((*method, receipt.outcome().name())).or_insert(Gas { calls: 0, least: used, most: used });
            *gas = Gas { calls: gas.calls + 1, least: gas.least.min(used), most: gas.most.max(used) };
        }
        engine.commit(executed).unwrap();
    }
    let never: Vec<_> = listed.difference(&succeeded).collect();
    assert!(never.is_empty(), "{name}: {never:?} never succeeded");
    compare_gas(name, &gas);
}

/// Gas of the calls of a method that ended with one outcome.
#[derive(Clone, Copy)]
struct Gas {
    calls: u64,
    least: u64,
    most: u64,
}

fn compare_gas(name: &str, gas: &BTreeMap<(&str, &str), Gas>) {
    let table = gas.iter().fold(String::new(), |mut table, ((method, outcome), Gas { calls, least, most })| {
        writeln!(table, "{method} {outcome}: {calls} calls, {least} to {most} gas").unwrap();
        table
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/gas/{name}.txt"));
    if std::env::var("PHALANX_WRITE_GOLDEN").is_ok_and(|value| value == "1") {
        std::fs::write(&path, &table).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let differing = |one: &str, other: &str| -> Vec<String> {
        one.lines().filter(|line| !other.lines().any(|known| known == *line)).map(str::to_owned).collect()
    };
    assert!(
        table == committed,
        "{name}: gas changed.\ncommitted: {:#?}\nnow: {:#?}",
        differing(&committed, &table),
        differing(&table, &committed)
    );
}
