//! What a tried call is said to have read.

use phalanx_engine::{
    Answer, BatchBuilder, Call, Delta, Dependency, Deployment, Engine, EngineError, HashSeed, Operator, Options,
    Outcome, Read,
};
use phalanx_exerciser::script::{Key, Op, encode};

const EXERCISER: &[u8] = include_bytes!("../../../contracts/wasm/exerciser.wasm");
const ALICE: [u8; 32] = [2; 32];

/// An engine with a contract that does what scripts say.
struct Scripted {
    engine: Engine,
    contract: [u8; 32],
}

impl Scripted {
    fn new(workers: usize) -> Scripted {
        let engine = Engine::new(Options { workers, hash_seed: HashSeed::Fixed(3), ..Options::default() });
        let deployment = Deployment::new(ALICE, [0; 32], EXERCISER);
        let mut batch = BatchBuilder::new(1, 0);
        batch.push(&deployment.call()).expect("it fits");
        let executed = engine.execute_batch(batch.finish()).expect("it is executed");
        engine.commit(executed).expect("what was executed last");
        Scripted { engine, contract: deployment.contract() }
    }

    fn batch(&self, scripts: &[&[Op]]) -> phalanx_engine::BatchBytes {
        let mut batch = BatchBuilder::new(self.engine.height() + 1, 0);
        for script in scripts {
            let arguments = &encode(script);
            let call = Call { contract: self.contract, method: "run", sender: ALICE, arguments, gas_limit: 10_000_000 };
            batch.push(&call).expect("it fits");
        }
        batch.finish()
    }

    fn commit(&self, script: &[Op]) {
        let executed = self.engine.execute_batch(self.batch(&[script])).expect("it is executed");
        assert!(executed.receipts().all(|receipt| receipt.outcome() == Outcome::Ok));
        self.engine.commit(executed).expect("what was executed last");
    }

    /// How a script that is tried ends, and what it reads; `None` if that is too much.
    fn try_script(&self, script: &[Op]) -> (Outcome, Option<Vec<Read>>) {
        let bytes = self.batch(&[script]);
        let tried = self.engine.try_calls(|trial| {
            let tried = trial.call(bytes).expect("it is executed");
            (tried.receipt().outcome(), tried.reads())
        });
        tried.expect("the engine goes on")
    }

    /// What a script reads, by key.
    fn tried(&self, script: &[Op]) -> (Outcome, Vec<(Vec<u8>, Dependency)>) {
        let before = self.engine.state_digest();
        let (outcome, reads) = self.try_script(script);
        let reads = reads.expect("they are few");
        assert!(reads.iter().all(|read| read.contract == self.contract));
        assert_eq!(self.engine.state_digest(), before);
        (outcome, reads.into_iter().map(|Read { key, what, .. }| (key, what)).collect())
    }
}

fn key(bytes: &[u8]) -> Key {
    Key::new(bytes)
}

fn get(bytes: &[u8]) -> Op {
    Op::Get { key: key(bytes), capacity: 100 }
}

fn set(bytes: &[u8], value: &[u8]) -> Op {
    Op::Set { key: key(bytes), value: value.to_vec() }
}

fn add(bytes: &[u8], magnitude: u128, high: u128) -> Op {
    Op::Add { key: key(bytes), magnitude, low: 0, high }
}

fn answer(magnitude: u128, high: u128, answer: Answer) -> (Delta, Answer) {
    (Delta { operator: Operator::Add, magnitude, low: 0, high }, answer)
}

fn value(bytes: &[u8]) -> Dependency {
    Dependency::Value(Some(bytes.to_vec()))
}

#[test]
fn a_read_says_what_of_its_key_matters() {
    for workers in [1, 3] {
        let scripted = Scripted::new(workers);
        let long = [7; 300];
        let three = 3u128.to_le_bytes();
        scripted.commit(&[set(&[1], b"one"), set(&[2], &long), set(&[3], &three), set(&[4; 200], b"four")]);
        let script = [
            get(&[1]),
            get(&[2]),
            get(&[9]),
            get(&[4; 200]),
            // Answers that depend on the value, but are not it.
            add(&[3], 1, 10),
            add(&[3], 7, 10),
            add(&[5], 1, u128::MAX),
            Op::SetOnce { key: key(&[6]), value: b"six".to_vec() },
            // What it wrote itself, it does not read.
            set(&[7], b"seven"),
            get(&[7]),
            // A value that is read is more than an answer.
            add(&[8], 2, 10),
            get(&[8]),
        ];
        let (outcome, reads) = scripted.tried(&script);
        assert_eq!(outcome, Outcome::Ok);
        let expected = [
            (vec![1], value(b"one")),
            (vec![2], value(&long)),
            (vec![3], Dependency::Answers(vec![answer(1, 10, Answer::Applied), answer(7, 10, Answer::Refused)])),
            (vec![4; 200], value(b"four")),
            (vec![5], Dependency::Answers(vec![answer(1, u128::MAX, Answer::Applied)])),
            (vec![6], Dependency::Presence(false)),
            (vec![8], Dependency::Value(None)),
            (vec![9], Dependency::Value(None)),
        ];
        assert_eq!(reads, expected, "{workers} workers");
        // Nothing of a call that fails stays but what it saw.
        let (outcome, reads) = scripted.tried(&[get(&[1]), set(&[2], b""), Op::Revert(Vec::new())]);
        assert_eq!((outcome, reads), (Outcome::Reverted, vec![(vec![1], value(b"one"))]));
        let (outcome, reads) = scripted.tried(&[add(&[1], 1, 10)]);
        let found = (outcome, &reads[0].1);
        let expected = Dependency::Answers(vec![answer(1, 10, Answer::WrongLength)]);
        assert_eq!(found, (Outcome::BadValueLength, &expected));
    }
}

#[test]
fn a_scan_reads_as_far_as_it_came() {
    let scripted = Scripted::new(1);
    let entries = [[0x80, 1], [0x80, 2], [0x80, 3], [0x80, 5]];
    scripted.commit(&entries.map(|entry| set(&entry, b"entry")));
    let scan =
        |limit, direction| Op::Scan { start: vec![0x80, 2], end: vec![0x80, 9], direction, limit, capacity: 4_096 };
    let range = |descending, last: Option<u8>| Dependency::Range {
        end: Some(vec![0x80, 9]),
        descending,
        last: last.map(|last| vec![0x80, last]),
    };
    for (script, expected) in [
        (scan(100, 0), range(false, None)),
        // Whether there is another decides what is answered, and the scan is one key ahead of what it shows.
        (scan(1, 0), range(false, Some(5))),
        (scan(1, 1), range(true, Some(2))),
        (scan(2, 1), range(true, None)),
    ] {
        let (outcome, reads) = scripted.tried(&[script]);
        assert_eq!((outcome, reads), (Outcome::Ok, vec![(vec![0x80, 2], expected)]));
    }
}

#[test]
fn a_read_set_has_a_limit_and_a_try_one_call() {
    let scripted = Scripted::new(1);
    let large = vec![1; 60_000];
    for slot in 0..60 {
        scripted.commit(&[set(&[slot], &large)]);
    }
    let reading = |slots: u8| (0..slots).map(|slot| Op::Get { key: key(&[slot]), capacity: 0 }).collect::<Vec<_>>();
    assert_eq!(scripted.tried(&reading(50)).1.len(), 50);
    assert_eq!(scripted.try_script(&reading(60)), (Outcome::Ok, None));
    let reading = [get(&[1])];
    for calls in [0, 2] {
        let batch = scripted.batch(&[&reading[..]; 2][..calls]);
        let refused = scripted.engine.try_calls(|trial| trial.call(batch).err()).expect("the engine goes on");
        assert!(matches!(refused, Some(EngineError::Batch(_))));
    }
    // Nothing of it stopped the engine.
    scripted.commit(&[get(&[1])]);
}
