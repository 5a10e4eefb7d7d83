//! Contracts that call each other on the test ledger: what an engine would answer, but for gas and stack.

use phalanx_contract::test::{Failure, call, deploy, on, try_call};
use phalanx_contract::*;

#[slot]
const COUNT: Item<u128> = Item::at(0);
#[slot]
const SEEN: Item<Address> = Item::at(1);

/// Somebody counted.
#[derive(Wire, Debug, PartialEq)]
pub struct Counted {
    by: Address,
}

/// Why nothing was counted.
#[derive(Wire, Debug, PartialEq)]
pub enum Error {
    /// There are three already.
    Full,
}

/// Counts.
pub struct Counter;

#[contract]
impl Counter {
    /// Counts to three.
    pub fn count() -> Result<u128, Error> {
        emit(&Counted { by: caller() });
        SEEN.set(&caller());
        COUNT.add_within(1, 0..=3).map_err(|Refused| Error::Full)?;
        Ok(COUNT.get())
    }

    /// Fails after it has counted.
    pub fn count_and_abort() {
        COUNT.add(1).or_abort("full");
        abort("on purpose");
    }

    /// Arguments of a kind each, and one without a greatest length.
    pub fn describe(number: u16, text: &str) -> Text<32> {
        assert_eq!(number as usize, text.len());
        Text::new(text).or_abort_with("longer than 32 bytes")
    }
}

trait OrAbortWith<T> {
    fn or_abort_with(self, text: &str) -> T;
}

impl<T> OrAbortWith<T> for Option<T> {
    fn or_abort_with(self, text: &str) -> T {
        self.unwrap_or_else(|| abort(text))
    }
}

/// Calls itself, and others.
pub struct Chain;

#[contract]
impl Chain {
    /// Counts in `counter` below `levels` calls of itself.
    #[reentrant]
    pub fn down(levels: u8, counter: Address) -> Result<u128, Error> {
        COUNT.add(1).or_abort("below the largest number");
        let result = match levels {
            0 => Counter::at(counter).count(),
            _ => Chain::at(contract_id()).down(levels - 1, counter),
        };
        match result {
            Ok(count) => Ok(count),
            Err(CallError::Reverted(error)) => Err(error),
            Err(CallError::Failed(OutcomeCode::TOO_DEEP)) => Ok(u128::MAX),
            Err(other) => abort(if other == CallError::BadAnswer { "answer" } else { "failed" }),
        }
    }

    /// Is called again by itself, which it does not allow.
    pub fn again(counter: Address) -> u8 {
        match Chain::at(contract_id()).again(counter) {
            Err(CallError::Failed(code)) => code.0,
            other => panic!("{other:?}"),
        }
    }

    /// What a failed callee did is gone, and what this one did before stays.
    pub fn try_abort(counter: Address) -> u8 {
        SEEN.set(&counter);
        match Counter::at(counter).with_gas(5_000).count_and_abort() {
            Err(CallError::Failed(code)) => code.0,
            other => panic!("{other:?}"),
        }
    }
}

const ALICE: Address = Address([1; 32]);
const DEPLOYER: Address = Address([2; 32]);
const COUNTER: Address = Address([3; 32]);
const CHAIN: Address = Address([4; 32]);

fn set_up() {
    deploy::<Counter>(COUNTER, DEPLOYER);
    deploy::<Chain>(CHAIN, DEPLOYER);
}

#[test]
fn a_callee_has_its_own_state_and_is_called_by_the_contract() {
    set_up();
    assert_eq!(on(CHAIN, || call(ALICE, || Chain::down(0, COUNTER))), Ok(1));
    assert_eq!(on(COUNTER, || (COUNT.get(), SEEN.get())), (1, CHAIN));
    assert_eq!(on(CHAIN, || (COUNT.get(), SEEN.find(), deployer())), (1, None, DEPLOYER));
    let events: Vec<_> = test::events().iter().map(|event| event.decode::<Counted>()).collect();
    assert_eq!(events, [Some(Counted { by: CHAIN })]);
}

#[test]
fn typed_errors_come_through_and_take_back_what_was_done() {
    set_up();
    on(CHAIN, || {
        (1..=3).for_each(|n| assert_eq!(call(ALICE, || Chain::down(2, COUNTER)), Ok(n)));
        assert_eq!(COUNT.get(), 9);
        assert_eq!(call(ALICE, || Chain::down(2, COUNTER)), Err(Error::Full));
        assert_eq!((COUNT.get(), test::events().len()), (9, 3));
    });
    assert_eq!(on(COUNTER, || COUNT.get()), 3);
}

#[test]
fn depth_and_re_entrancy_are_limited() {
    set_up();
    on(CHAIN, || {
        // The eighth call within calls may not make another.
        assert_eq!(call(ALICE, || Chain::down(6, COUNTER)), Ok(1));
        assert_eq!(call(ALICE, || Chain::down(7, COUNTER)), Ok(u128::MAX));
        assert_eq!(call(ALICE, || Chain::again(COUNTER)), OutcomeCode::REENTRANT.0);
    });
}

#[test]
fn a_failed_callee_leaves_nothing_and_its_caller_goes_on() {
    set_up();
    on(CHAIN, || {
        assert_eq!(call(ALICE, || Chain::try_abort(COUNTER)), OutcomeCode::ABORTED.0);
        assert_eq!(SEEN.get(), COUNTER);
    });
    assert_eq!(on(COUNTER, || COUNT.find()), None);
}

#[test]
fn what_cannot_be_called_is_told_apart() {
    set_up();
    let nowhere = Counter::at(ALICE);
    let answers = on(CHAIN, || {
        call(ALICE, || {
            let failed = |error| match error {
                CallError::Failed(code) => code.0,
                other => panic!("{other:?}"),
            };
            // A method that the contract does not have, since it is another contract.
            let unknown = Chain::at(COUNTER).again(ALICE).map_err(failed);
            let described = Counter::at(COUNTER).describe(4, "four").map(|text| text.as_str().len());
            let bad = Counter::at(COUNTER).describe(9, "four").map_err(failed).map(|text| text.as_str().len());
            assert_eq!((described, bad), (Ok(4), Err(OutcomeCode::ABORTED.0)));
            let nowhere = match nowhere.count() {
                Err(CallError::Failed(code)) => code.0,
                other => panic!("{other:?}"),
            };
            (nowhere, unknown.unwrap_err())
        })
    });
    assert_eq!(answers, (OutcomeCode::UNKNOWN_CONTRACT.0, OutcomeCode::UNKNOWN_METHOD.0));
}

#[test]
fn limits_are_those_of_the_whole_call() {
    set_up();
    let ended = on(CHAIN, || {
        try_call(ALICE, || {
            (0..64).for_each(|_| emit(&Counted { by: ALICE }));
            match Counter::at(COUNTER).count() {
                Err(CallError::Failed(code)) => code.0,
                other => panic!("{other:?}"),
            }
        })
    });
    assert_eq!(ended, Ok(OutcomeCode::LIMIT_EXCEEDED.0));
    assert_eq!(test::events().len(), 64);
    assert_eq!(Failure::SlotNotOrdered { slot: 1 }.outcome(), OutcomeCode::SLOT_NOT_ORDERED);
}
