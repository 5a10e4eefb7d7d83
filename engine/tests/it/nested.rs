//! Calls of contracts by contracts, case by case: every engine beside the oracle, and what the rules say.

mod concurrency;
mod depth;
mod gas;
mod limits;
mod stack;
mod vault;

use phalanx_engine::{
    Address, BatchBuilder, Call, Deployment, Engine, HashSeed, Mode, NestedEnd, Options, Oracle, Outcome, Receipts,
    upgrade_arguments,
};
use phalanx_exerciser::script::{Key, Op, encode};

const EXERCISER: &[u8] = include_bytes!("../../../contracts/wasm/exerciser.wasm");
const SENDER: Address = [1; 32];
const GAS: u32 = 10_000_000;

/// Engines that execute the same batches as an oracle.
struct Scene {
    engines: Vec<Engine>,
    oracle: Oracle,
}

/// What a batch came to.
struct Seen {
    /// Outcome, gas used and return bytes of each call.
    receipts: Vec<(Outcome, u64, Vec<u8>)>,
    /// Topics of each call's events.
    topics: Vec<Vec<Vec<u8>>>,
    nested: Vec<NestedEnd>,
    /// Calls that some engine's parallel execution found to have seen what they should not have.
    dirty_calls: u64,
}

impl Scene {
    fn new() -> Self {
        let engine = |(mode, workers)| {
            Engine::new(Options {
                hash_seed: HashSeed::Fixed(workers as u64),
                workers,
                mode,
                // Fewer than there are calls within calls.
                instances: 3 * workers,
                pristine_check_calls: 1,
                ..Options::default()
            })
        };
        let engines = [(Mode::Serial, 1), (Mode::Pipe, 2), (Mode::Optimistic, 2)].map(engine).into();
        Self { engines, oracle: Oracle::new() }
    }

    /// Executes a batch everywhere, and compares everything.
    fn run(&mut self, calls: &[Call<'_>]) -> Seen {
        let height = self.oracle.height() + 1;
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        calls.iter().for_each(|call| batch.push(call).expect("within the limits"));
        let bytes = batch.finish();
        let expected = self.oracle.execute_batch(bytes.clone()).expect("executes");
        let mut dirty_calls = 0;
        for engine in &self.engines {
            let executed = engine.execute_batch(bytes.clone()).expect("executes");
            for (call, (ours, theirs)) in executed.receipts().zip(Receipts::new(&expected.receipts)).enumerate() {
                assert_eq!(
                    (ours.outcome(), ours.gas_used(), ours.return_bytes()),
                    (theirs.outcome(), theirs.gas_used(), theirs.return_bytes()),
                    "call {call}"
                );
            }
            assert_eq!(executed.receipts().bytes(), expected.receipts);
            assert_eq!(executed.write_set().bytes(), expected.writes);
            assert_eq!(executed.digest(), expected.digest);
            dirty_calls += executed.statistics().dirty_calls;
            engine.commit(executed).expect("what was executed last");
            assert_eq!(engine.state_digest(), self.oracle.state_digest());
        }
        let receipts = Receipts::new(&expected.receipts)
            .map(|receipt| (receipt.outcome(), receipt.gas_used(), receipt.return_bytes().to_vec()))
            .collect();
        let topics = Receipts::new(&expected.receipts)
            .map(|receipt| receipt.events().map(|event| event.topic.to_vec()).collect())
            .collect();
        Seen { receipts, topics, nested: expected.nested, dirty_calls }
    }

    /// Deploys modules, a contract each; the salt is the place in the list.
    fn deploy(&mut self, modules: &[&[u8]]) -> Vec<Address> {
        let deployments: Vec<Deployment> =
            (0..).zip(modules).map(|(number, module)| Deployment::new(SENDER, [number; 32], module)).collect();
        let calls: Vec<Call<'_>> = deployments.iter().map(Deployment::call).collect();
        let seen = self.run(&calls);
        assert!(seen.receipts.iter().all(|(outcome, ..)| *outcome == Outcome::Ok));
        deployments.iter().map(Deployment::contract).collect()
    }

    /// A value of a contract's state.
    fn get(&self, contract: &Address, key: &[u8]) -> Option<Vec<u8>> {
        self.engines[0].get(contract, key)
    }
}

/// A scene with so many exercisers.
fn exercisers<const N: usize>() -> (Scene, [Address; N]) {
    let mut scene = Scene::new();
    let ids = scene.deploy(&[EXERCISER; N]).try_into().expect("an id a module");
    (scene, ids)
}

/// A call of `run` with an encoded script.
fn script(contract: Address, script: &[u8]) -> Call<'_> {
    Call { contract, method: "run", sender: SENDER, arguments: script, gas_limit: GAS }
}

/// A nested call of a script, with all the gas there is.
fn nested(contract: Address, method: &str, ops: &[Op]) -> Op {
    Op::Call { contract, method: method.into(), gas: u64::MAX, capacity: 4_096, arguments: encode(ops) }
}

fn set(key: &[u8], value: &[u8]) -> Op {
    Op::Set { key: Key::new(key), value: value.to_vec() }
}

fn get(key: &[u8]) -> Op {
    Op::Get { key: Key::new(key), capacity: 64 }
}

/// Outcome and return bytes of a nested call, as the first thing that a script journals.
fn first_answer(return_bytes: &[u8]) -> (Outcome, &[u8]) {
    let (answer, rest) = return_bytes[8..].split_first_chunk().expect("an answer");
    let answer = u64::from_le_bytes(*answer);
    (Outcome::from_code((answer >> 32) as u8).expect("an outcome"), &rest[..answer as u32 as usize])
}

#[test]
fn the_callee_sees_its_caller_and_its_own_state() {
    let (mut scene, [a, b]) = exercisers();
    let inner = [Op::Caller, Op::ContractId, Op::Deployer, Op::CallIndex, Op::Input { capacity: 4 }, get(b"\x01k")];
    let outer = encode(&[nested(b, "run", &inner), Op::Caller, Op::ContractId]);
    let own = encode(&[set(b"\x01k", b"mine")]);
    let seen = scene.run(&[script(b, &own), script(a, &outer)]);
    let (outcome, journal) = first_answer(&seen.receipts[1].2);
    assert_eq!(outcome, Outcome::Ok);
    assert_eq!(journal[8..40], a, "the caller is the calling contract");
    assert_eq!(journal[40..72], b);
    assert_eq!(journal[72..104], SENDER, "the deployer");
    assert_eq!(journal[104..112], 1u64.to_le_bytes(), "the index of the batch's call");
    assert_eq!(journal[112..120], (encode(&inner).len() as u64).to_le_bytes());
    assert_eq!(&journal[124..], &[&4u64.to_le_bytes()[..], b"mine"].concat());
    let rest = &seen.receipts[1].2[16 + journal.len()..];
    assert_eq!(rest, [SENDER, a].concat(), "the frame is the caller's again");
}

#[test]
fn what_cannot_be_called_is_an_answer() {
    let (mut scene, [a, b]) = exercisers();
    let raw = |contract, method: &str| Op::Call {
        contract,
        method: method.into(),
        gas: u64::MAX,
        capacity: 0,
        arguments: vec![0xee],
    };
    let cases = [
        (raw([7; 32], "run"), Outcome::UnknownContract),
        (raw(phalanx_engine::SYSTEM_CONTRACT, "deploy"), Outcome::UnknownContract),
        (raw(b, "walk"), Outcome::UnknownMethod),
        (raw(b, "run"), Outcome::BadArguments),
        (raw(a, "run"), Outcome::Reentrant),
    ];
    for (op, expected) in cases {
        let bytes = encode(&[op, set(b"\x01went on", b"")]);
        let seen = scene.run(&[script(a, &bytes)]);
        assert_eq!((seen.receipts[0].0, first_answer(&seen.receipts[0].2)), (Outcome::Ok, (expected, &[][..])));
        assert!(scene.get(&a, b"\x01went on").is_some());
    }
}

#[test]
fn code_is_that_of_the_height_before() {
    let (mut scene, [a]) = exercisers();
    let born = Deployment::new(SENDER, [99; 32], EXERCISER);
    let b = born.contract();
    let outer = encode(&[nested(b, "run", &[set(b"\x01k", b"")])]);
    let seen = scene.run(&[born.call(), script(a, &outer)]);
    assert_eq!(first_answer(&seen.receipts[1].2).0, Outcome::UnknownContract);
    assert_eq!(first_answer(&scene.run(&[script(a, &outer)]).receipts[0].2).0, Outcome::Ok);
    // An upgrade to a module without the method.
    let module =
        wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "walk") (result i32) i32.const 0))"#);
    let arguments = upgrade_arguments(&b, &module.expect("valid text"));
    let upgrade = Call { method: "upgrade", arguments: &arguments, gas_limit: GAS, ..born.call() };
    let seen = scene.run(&[upgrade, script(a, &outer)]);
    assert_eq!((seen.receipts[0].0, first_answer(&seen.receipts[1].2).0), (Outcome::Ok, Outcome::Ok));
    assert_eq!(first_answer(&scene.run(&[script(a, &outer)]).receipts[0].2).0, Outcome::UnknownMethod);
}
