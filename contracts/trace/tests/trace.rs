//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{self, call};
use phalanx_trace::{Batch, Error, HandedOver, Moved, ORIGINS_MAX, QUANTITY_MAX, Recalled, Trace};

const OPERATOR: Address = Address([9; 32]);
const FARM: Address = Address([1; 32]);
const DAIRY: Address = Address([2; 32]);
const STRANGER: Address = Address([7; 32]);
const MILK: u32 = 4;

fn produce() {
    test::set_deployer(OPERATOR);
    call(OPERATOR, || Trace::admit(FARM)).unwrap();
    call(FARM, || Trace::produce(1, MILK, 100)).unwrap();
    call(FARM, || Trace::produce(2, MILK, 50)).unwrap();
}

fn quantities(batches: &[u64]) -> Vec<u64> {
    batches.iter().map(|batch| Trace::batch(*batch).map_or(0, |found| found.quantity)).collect()
}

fn origins(batch: u64) -> Vec<u64> {
    (0..).map_while(|number| Trace::origin(batch, number)).collect()
}

#[test]
fn producers_alone_produce_and_recall_what_they_produced() {
    produce();
    for stranger in [STRANGER, DAIRY, OPERATOR] {
        assert_eq!(call(stranger, || Trace::produce(3, MILK, 1)), Err(Error::NotProducer));
        assert_eq!(call(stranger, || Trace::recall(1, 1)), Err(Error::NotProducer));
    }
    assert_eq!(call(FARM, || Trace::admit(DAIRY)), Err(Error::NotDeployer));
    assert_eq!(call(STRANGER, || Trace::expel(FARM)), Err(Error::NotDeployer));
    assert_eq!(call(FARM, || Trace::produce(1, MILK, 1)), Err(Error::Exists));
    for quantity in [0, QUANTITY_MAX + 1] {
        assert_eq!(call(FARM, || Trace::produce(3, MILK, quantity)), Err(Error::BadQuantity));
    }
    call(OPERATOR, || Trace::expel(FARM)).unwrap();
    assert_eq!(call(FARM, || Trace::produce(3, MILK, 1)), Err(Error::NotProducer));
    call(FARM, || Trace::recall(1, 1)).unwrap();
    assert_eq!(Trace::produced(MILK), 150);
}

#[test]
fn no_step_changes_how_much_there_is() {
    produce();
    call(FARM, || Trace::split(1, 3, 30)).unwrap();
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(Moved { from: 1, into: 3, quantity: 30 }));
    call(FARM, || Trace::merge(2, 3)).unwrap();
    assert_eq!((quantities(&[1, 2, 3]), origins(3)), (vec![70, 0, 80], vec![1, 2]));
    for quantity in [0, 70, 71] {
        assert_eq!(call(FARM, || Trace::split(1, 4, quantity)), Err(Error::BadQuantity));
    }
    assert_eq!(call(FARM, || Trace::split(1, 3, 1)), Err(Error::Exists));
    assert_eq!(call(FARM, || Trace::merge(2, 3)), Err(Error::BadQuantity), "nothing is left of it");
    assert_eq!(call(FARM, || Trace::merge(3, 2)), Err(Error::BadQuantity), "nor does it come back");
    assert_eq!(call(FARM, || Trace::merge(1, 1)), Err(Error::BadQuantity));
    call(FARM, || Trace::produce(5, MILK + 1, 1)).unwrap();
    assert_eq!(call(FARM, || Trace::merge(5, 1)), Err(Error::OtherProduct));
    call(FARM, || Trace::produce(6, MILK, QUANTITY_MAX)).unwrap();
    assert_eq!(call(FARM, || Trace::merge(6, 1)), Err(Error::BadQuantity));
    assert_eq!(quantities(&[1, 2, 3]), [70, 0, 80]);
}

#[test]
fn a_batch_changes_hands_when_both_agree() {
    produce();
    for stranger in [STRANGER, DAIRY] {
        assert_eq!(call(stranger, || Trace::hand_over(1, stranger)), Err(Error::NotHolder));
        assert_eq!(call(stranger, || Trace::split(1, 3, 1)), Err(Error::NotHolder));
        assert_eq!(call(stranger, || Trace::merge(1, 2)), Err(Error::NotHolder));
        assert_eq!(call(stranger, || Trace::take_over(1, 100)), Err(Error::NotOffered));
    }
    call(FARM, || Trace::hand_over(1, DAIRY)).unwrap();
    assert_eq!(call(STRANGER, || Trace::take_over(1, 100)), Err(Error::NotOffered));
    call(DAIRY, || Trace::take_over(1, 100)).unwrap();
    let handed_over = HandedOver { batch: 1, from: FARM, to: DAIRY };
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(handed_over));
    assert_eq!(Trace::batch(1), Some(Batch { product: MILK, quantity: 100, holder: DAIRY }));
    assert_eq!(call(FARM, || Trace::split(1, 3, 1)), Err(Error::NotHolder));
    assert_eq!(call(DAIRY, || Trace::merge(1, 2)), Err(Error::NotHolder), "the other is the farm's");
    call(FARM, || Trace::hand_over(2, DAIRY)).unwrap();
    call(FARM, || Trace::split(2, 4, 1)).unwrap();
    assert_eq!(call(DAIRY, || Trace::take_over(2, 49)), Err(Error::NotOffered), "it is no longer what was offered");
    call(FARM, || Trace::hand_over(2, DAIRY)).unwrap();
    assert_eq!(call(DAIRY, || Trace::take_over(2, 50)), Err(Error::OtherQuantity), "offered again, with less in it");
    call(DAIRY, || Trace::take_over(2, 49)).unwrap();
}

#[test]
fn a_recall_reaches_what_was_split_off_and_merged() {
    produce();
    call(FARM, || Trace::split(1, 3, 30)).unwrap();
    call(FARM, || Trace::merge(3, 2)).unwrap();
    call(FARM, || Trace::produce(4, MILK, 5)).unwrap();
    call(FARM, || Trace::hand_over(2, DAIRY)).unwrap();
    call(FARM, || Trace::recall(1, 6)).unwrap();
    assert_eq!(test::events().last().and_then(|event| event.decode()), Some(Recalled { origin: 1, reason: 6 }));
    assert_eq!([1, 2, 3, 4].map(Trace::recalled), [true, true, true, false]);
    assert_eq!(call(DAIRY, || Trace::take_over(2, 80)), Err(Error::Recalled));
    assert_eq!(call(FARM, || Trace::split(2, 5, 1)), Err(Error::Recalled));
    assert_eq!(call(FARM, || Trace::hand_over(1, DAIRY)), Err(Error::Recalled));
    assert_eq!(call(FARM, || Trace::merge(4, 2)), Err(Error::Recalled));
    assert_eq!(call(FARM, || Trace::recall(1, 6)), Err(Error::Recalled));
    assert_eq!(call(FARM, || Trace::recall(9, 6)), Err(Error::Unknown));
}

#[test]
fn a_batch_has_eight_origins_at_most() {
    produce();
    for batch in 10..10 + u64::from(ORIGINS_MAX) {
        call(FARM, || Trace::produce(batch, MILK, 1)).unwrap();
        let expected = if batch < 9 + u64::from(ORIGINS_MAX) { Ok(()) } else { Err(Error::TooManyOrigins) };
        assert_eq!(call(FARM, || Trace::merge(batch, 1)), expected);
    }
    call(FARM, || Trace::split(1, 3, 1)).unwrap();
    call(FARM, || Trace::merge(3, 1)).unwrap();
    assert_eq!((origins(1).len(), quantities(&[1])), (8, vec![107]), "known origins are not counted again");
}
