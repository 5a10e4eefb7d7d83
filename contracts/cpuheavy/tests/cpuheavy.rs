//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::call;
use phalanx_cpuheavy::{CpuHeavy, Error, NUMBERS_MAX};

#[test]
fn sorted_numbers_stand_at_their_own_places() {
    for count in [0, 1, 2, 3, 10, 1_000, u64::from(NUMBERS_MAX)] {
        let squares: u64 = (1..=count).map(|number| number * number).sum();
        assert_eq!(call(Address([1; 32]), || CpuHeavy::sort(count as u32)), Ok(squares));
    }
    assert_eq!(call(Address([1; 32]), || CpuHeavy::sort(NUMBERS_MAX + 1)), Err(Error::TooMany));
}
