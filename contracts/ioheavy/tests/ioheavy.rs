//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::call;
use phalanx_ioheavy::{Error, IoHeavy, KEYS_MAX, key};

const A: Address = Address([1; 32]);

#[test]
fn what_was_written_is_read() {
    call(A, || IoHeavy::write(10, 5, 100)).unwrap();
    assert_eq!(call(A, || IoHeavy::read(10, 5)), Ok(110 + 111 + 112 + 113 + 114));
    call(A, || IoHeavy::write(12, 1, 0)).unwrap();
    assert_eq!(call(A, || IoHeavy::read(11, 2)), Ok(111 + 12));
    assert_eq!(call(A, || IoHeavy::read(11, 5)), Err(Error::Absent));
    assert_eq!(call(A, || IoHeavy::read(0, 0)), Ok(0));
}

#[test]
fn a_call_touches_a_thousand_keys_at_most_and_numbers_wrap() {
    call(A, || IoHeavy::write(0, KEYS_MAX, 0)).unwrap();
    assert_eq!(call(A, || IoHeavy::write(0, KEYS_MAX + 1, 0)), Err(Error::TooMany));
    assert_eq!(call(A, || IoHeavy::read(0, KEYS_MAX + 1)), Err(Error::TooMany));
    call(A, || IoHeavy::write(u64::MAX, 2, 1)).unwrap();
    assert_eq!(call(A, || IoHeavy::read(u64::MAX, 2)), Ok(1));
    assert_ne!(key(0), key(u64::MAX));
}
