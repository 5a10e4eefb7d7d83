//! The folder's rules, and values beyond what a stack buffer holds.

use phalanx_contract::test::{Failure, call, try_call};
use phalanx_contract::*;
use phalanx_heap::{Error, Heap, Note};

const ALICE: Address = Address([1; 32]);
const BOB: Address = Address([2; 32]);

fn note(title: &str, weight: u32) -> Note {
    Note { title: title.into(), words: vec!["one".into(), String::new()], weight }
}

#[test]
fn notes_are_kept_heaviest_first() {
    assert_eq!(call(ALICE, || Heap::add(note("light", 1))), 1);
    assert_eq!(call(ALICE, || Heap::add(note("heavy", 9))), 2);
    assert_eq!(Heap::notes(ALICE), [note("heavy", 9), note("light", 1)]);
    assert_eq!(call(ALICE, Heap::titles), "9. heavy\n1. light\n");
    assert_eq!(Heap::notes(BOB), []);
    assert_eq!(call(ALICE, || Heap::remove(0)), Ok(note("heavy", 9)));
    assert_eq!(call(ALICE, || Heap::remove(1)), Err(Error::NoNote));
    assert_eq!(Heap::notes(ALICE), [note("light", 1)]);
}

#[test]
fn a_value_may_have_64_kib_and_not_more() {
    // 4 bytes of count, 4 of each length, 4 of weight.
    let long = |bytes: usize| Note { title: "x".repeat(bytes - 16), words: vec![], weight: 0 };
    assert_eq!(call(ALICE, || Heap::add(long(64 << 10))), 1);
    assert_eq!(Heap::notes(ALICE)[0].title.len(), (64 << 10) - 16);
    let refused = try_call(BOB, || Heap::add(long((64 << 10) + 1)));
    assert!(matches!(refused, Err(Failure::Aborted(_))), "{refused:?}");
}
