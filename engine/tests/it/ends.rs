//! What the end of a call costs: traps of the machine's own and ends by host functions have a price, and no limit is so small that
//! it gets around it.

use phalanx_engine::gas::{CALL, HOST_HALT, MEMORY_PAGE_SCAN, OUTPUT_BYTE, TRAP};
use phalanx_engine::{BatchBuilder, BatchBytes, Call, Deployment, Engine, Options, Oracle, Outcome, Receipts};

const SENDER: [u8; 32] = [7; 32];
/// Entering a method of [`module`]: it has one page and gets no arguments.
const ENTRY: u64 = CALL + MEMORY_PAGE_SCAN;
const ENOUGH: u32 = 1_000_000;

/// A method for each way to end.
fn module() -> Vec<u8> {
    let text = r#"(module
        (import "phalanx" "abort" (func $abort (param i32 i32)))
        (import "phalanx" "ret" (func $ret (param i32 i32)))
        (memory (export "memory") 1 1)
        (table 2 2 funcref)
        (elem (i32.const 0) $other)
        (func $other (param i64))
        (func $deep (call $deep))
        (func (export "sound") (result i32) (i32.const 0))
        (func (export "unreachable") (result i32) unreachable)
        (func (export "out_of_bounds") (result i32) (i32.load (i32.const -1)))
        (func (export "no_element") (result i32) (call_indirect (result i32) (i32.const 2)))
        (func (export "null_element") (result i32) (call_indirect (result i32) (i32.const 1)))
        (func (export "wrong_type") (result i32) (call_indirect (result i32) (i32.const 0)))
        (func (export "division") (result i32) (i32.div_u (i32.const 1) (i32.load (i32.const 0))))
        (func (export "overflow") (result i32)
            (i32.div_s (i32.const 0x80000000) (i32.sub (i32.load (i32.const 0)) (i32.const 1))))
        (func (export "stack") (result i32) (call $deep) (i32.const 0))
        (func (export "aborts") (result i32) (call $abort (i32.const 0) (i32.const 50)) (i32.const 0))
        (func (export "long_return") (result i32) (call $ret (i32.const 0) (i32.const 65537)) (i32.const 0))
        (func (export "bad_range") (result i32) (call $ret (i32.const -1) (i32.const 8)) (i32.const 0))
        (func (export "burn_and_trap") (result i32) (local $turns i32)
            (loop $again
                (br_if $again (i32.lt_u
                    (local.tee $turns (i32.add (local.get $turns) (i32.const 1)))
                    (i32.const 2000))))
            unreachable))"#;
    wat::parse_str(text).expect("valid text")
}

/// Executes calls of these methods with these limits, as the oracle does, and gives outcome, gas and explanation of each.
fn run(calls: &[(&str, u64)]) -> Vec<(Outcome, u64, Option<String>)> {
    let (engine, mut oracle) = (Engine::new(Options::default()), Oracle::new());
    let module = module();
    let deployment = Deployment::new(SENDER, [0; 32], &module);
    let contract = deployment.contract();
    let mut first = BatchBuilder::new(1, 1);
    first.push(&deployment.call()).expect("fits");
    let mut second = BatchBuilder::new(2, 2);
    for &(method, limit) in calls {
        let gas_limit = limit.try_into().expect("a limit of 32 bits");
        second.push(&Call { contract, method, sender: SENDER, arguments: &[], gas_limit }).expect("fits");
    }
    let mut execute = |batch: BatchBytes| {
        let expected = oracle.execute_batch(batch.clone()).expect("executes");
        let executed = engine.execute_batch(batch).expect("executes");
        for (ours, theirs) in executed.receipts().zip(Receipts::new(&expected.receipts)) {
            assert_eq!((ours.outcome(), ours.gas_used()), (theirs.outcome(), theirs.gas_used()));
        }
        assert_eq!(executed.digest(), expected.digest);
        let explanation = |index: usize| {
            let mut all = executed.explanations().iter();
            all.find(|(call, _)| *call as usize == index).map(|(_, text)| text.clone())
        };
        let ended = executed.receipts().enumerate();
        let ended = ended.map(|(index, receipt)| (receipt.outcome(), receipt.gas_used(), explanation(index))).collect();
        engine.commit(executed).expect("what was executed last");
        ended
    };
    let deployed: Vec<_> = execute(first.finish());
    assert_eq!(deployed[0].0, Outcome::Ok);
    execute(second.finish())
}

#[test]
fn traps_and_ends_by_the_host_have_a_price() {
    let text = 50 * OUTPUT_BYTE;
    let ends = [
        ("unreachable", Outcome::Unreachable, TRAP),
        ("out_of_bounds", Outcome::MemoryOutOfBounds, TRAP),
        ("no_element", Outcome::TableOutOfBounds, TRAP),
        ("null_element", Outcome::IndirectCallToNull, TRAP),
        ("wrong_type", Outcome::BadSignature, TRAP),
        ("division", Outcome::DivisionByZero, TRAP),
        ("overflow", Outcome::IntegerOverflow, TRAP),
        ("stack", Outcome::StackExhausted, TRAP),
        ("aborts", Outcome::Aborted, HOST_HALT + text),
        ("bad_range", Outcome::MemoryOutOfBounds, HOST_HALT),
        ("sound", Outcome::Ok, 0),
    ];
    let seen = run(&ends.map(|(method, ..)| (method, ENOUGH.into())));
    for ((method, outcome, price), (ended, gas, _)) in ends.into_iter().zip(seen) {
        // The methods themselves are short, but for the one that goes down as far as the stack allows.
        let own = if method == "stack" { 900_000 } else { 100 };
        assert_eq!(ended, outcome, "{method}");
        assert!((ENTRY + price..ENTRY + price + own).contains(&gas), "{method}: {gas}");
    }
}

#[test]
fn where_less_is_left_than_a_trap_costs_it_costs_that() {
    let (least, rich) = (ENTRY + TRAP, u64::from(ENOUGH));
    let seen = run(&[("burn_and_trap", rich), ("burn_and_trap", least), ("unreachable", least)]);
    assert!(seen.iter().all(|(outcome, ..)| *outcome == Outcome::Unreachable), "{seen:?}");
    let burnt = seen[0].1 - ENTRY - TRAP;
    // It makes 2,000 turns, of more than one instruction each.
    assert!((2_000..TRAP).contains(&burnt), "{burnt}");
    assert_eq!((seen[1].1, seen[2].1), (least, least), "all of the limit, and the outcome stays");
}

#[test]
fn a_limit_that_does_not_cover_a_trap_enters_nothing_and_is_told_what_would() {
    let least = ENTRY + TRAP;
    let seen = run(&[("sound", least), ("sound", least - 1), ("unreachable", least - 1), ("sound", 0)]);
    assert_eq!((seen[0].0, &seen[0].2), (Outcome::Ok, &None));
    assert!(seen[0].1 < ENTRY + 100, "what is not used is not paid: {}", seen[0].1);
    for ((outcome, gas, explanation), limit) in seen[1..].iter().zip([least - 1, least - 1, 0]) {
        assert_eq!((*outcome, *gas), (Outcome::OutOfGas, limit));
        let text = explanation.as_deref().expect("it is explained");
        assert!(text.contains(&format!("gas limit {limit}")) && text.contains(&least.to_string()), "{text}");
    }
}

#[test]
fn a_passed_limit_is_named_beside_the_receipt() {
    let seen = run(&[("long_return", ENOUGH.into()), ("sound", 1_000_000_001)]);
    let texts =
        ["return bytes: 65537 is above the limit of 65536", "gas limit: 1000000001 is above the limit of 1000000000"];
    for ((outcome, _, explanation), text) in seen.iter().zip(texts) {
        assert_eq!((*outcome, explanation.as_deref()), (Outcome::LimitExceeded, Some(text)));
    }
}
