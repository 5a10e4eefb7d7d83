//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, Answer, call_encoded};
use phalanx_donothing::DoNothing;

#[test]
fn nothing_takes_no_arguments_and_answers_nothing() {
    let call = |arguments: &[u8]| call_encoded::<DoNothing>(Address([1; 32]), "nothing", arguments).unwrap();
    assert_eq!(call(&[]), Answer { code: 0, bytes: vec![] });
    assert_eq!(call(&[0]).code, 2);
    assert_eq!(test::events(), []);
}
