//! The state against a plain map: random batches of toy programs, committed and discarded, under several hash seeds.

mod model;

use model::Run;

#[test]
fn batches_of_random_programs_equal_a_plain_map() {
    for seed in 0..24 {
        let run = Run::new(seed).execute();
        run.assert_covered();
    }
}

#[test]
fn growing_and_shrinking_keeps_every_key() {
    use phalanx_scheduler::{CallIndex, ContractIndex, HashSeed, State};
    let mut state = State::new(HashSeed::Fixed(7), 1_024);
    let contract = ContractIndex(3);
    let key = |i: u32| [&[1][..], &i.to_le_bytes(), &[0; 28]].concat();
    for batch in 0..40u32 {
        for call in 0..50 {
            for i in 0..50 {
                let i = batch * 2_500 + call * 50 + i;
                state.set(contract, &key(i), false, Some(&i.to_le_bytes())).expect("below the limit");
            }
            state.end_call(CallIndex(call), true);
        }
        // Every third batch is discarded, in the middle of the table's growth.
        if batch % 3 == 2 { state.discard() } else { state.commit() }
    }
    let kept = (0..40).filter(|batch| batch % 3 != 2).count() * 2_500;
    assert_eq!(state.len(), kept);
    for i in 0..100_000u32 {
        let expected = ((i / 2_500) % 3 != 2).then(|| i.to_le_bytes());
        assert_eq!(state.committed(contract, &key(i), false), expected.as_ref().map(|bytes| &bytes[..]), "key {i}");
    }
    for call in 0..100u32 {
        for i in 0..1_000 {
            state.set(contract, &key(call * 1_000 + i), false, None).expect("below the limit");
        }
        state.end_call(CallIndex(call), true);
    }
    state.commit();
    assert_eq!((state.len(), state.entries().count()), (0, 0));
}

#[test]
fn a_call_may_not_write_more_keys_than_the_limit() {
    use phalanx_scheduler::{CallIndex, ContractIndex, HashSeed, State, TooManyWrites};
    let mut state = State::new(HashSeed::Random, 2);
    let contract = ContractIndex(1);
    assert_eq!(state.set(contract, b"a", false, Some(b"1")), Ok(()));
    assert_eq!(state.set(contract, b"b", false, Some(b"1")), Ok(()));
    assert_eq!(state.set(contract, b"a", false, Some(b"2")), Ok(()), "a key that is written already");
    assert_eq!(state.set(contract, b"c", false, Some(b"1")), Err(TooManyWrites));
    state.end_call(CallIndex(0), false);
    assert_eq!(state.get(contract, b"a", false), None, "a failed call leaves nothing");
}
