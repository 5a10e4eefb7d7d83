//! Every call finds its instance as if it were new: memory is compared with its image after each of many random calls,
//! whatever way they end, and a contract that hides a secret never finds it again.
//!
//! `PHALANX_TEST_CALLS` sets how many calls run (default 200,000).

use crate::generate::Generator;
use phalanx_engine::{Engine, HashSeed, Options, Outcome};
use std::collections::BTreeMap;

#[test]
fn no_call_finds_what_another_left() {
    let calls: u64 = std::env::var("PHALANX_TEST_CALLS").map_or(200_000, |calls| calls.parse().expect("a number"));
    let options = Options { hash_seed: HashSeed::Fixed(5), pristine_check_calls: 1, ..Options::default() };
    let engine = Engine::new(options);
    let mut generator = Generator::new(11);
    let (mut done, mut secrets_sought) = (0, 0);
    let mut outcomes: BTreeMap<&'static str, u64> = BTreeMap::new();
    while done < calls {
        let height = engine.height() + 1;
        let batch = generator.batch_of_attacks(height);
        // A difference between memory and image stops the engine here.
        let executed = engine.execute_batch(batch.clone()).expect("every instance is pristine after its call");
        let decoded = phalanx_engine::Batch::decode(batch).expect("it was executed");
        for (index, receipt) in executed.receipts().enumerate() {
            *outcomes.entry(receipt.outcome().name()).or_default() += 1;
            if decoded.target_of(&decoded.call(index)).1 == b"reveal" && receipt.outcome() == Outcome::Ok {
                assert_eq!(receipt.return_bytes(), [0], "a secret was found, height {height}, call {index}");
                secrets_sought += 1;
            }
            done += 1;
        }
        engine.commit(executed).expect("what was executed last");
    }
    println!("{done} calls, {secrets_sought} searches for secrets, {outcomes:?}");
    assert!(secrets_sought > 0);
    for ended in [Outcome::Ok, Outcome::Reverted, Outcome::Unreachable, Outcome::OutOfGas, Outcome::Aborted] {
        assert!(outcomes.contains_key(ended.name()), "no call ended as {}", ended.name());
    }
}
