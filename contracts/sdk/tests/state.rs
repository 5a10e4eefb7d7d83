//! Typed state and the native ledger: what production enforces, natively.

use phalanx_contract::test::{Failure, call, try_call};
use phalanx_contract::*;

const ALICE: Address = Address([1; 32]);
const BOB: Address = Address([2; 32]);

const TOTAL: Item<u128> = Item::at(0);
const NAMES: Map<(Address, u8), Text<8>> = Map::at(1);
/// Slot 1 again, with other types: what a careless upgrade does.
const NAMES_AS_NUMBERS: Map<(Address, u8), u128> = Map::at(1);
#[slot]
const PRICES: OrderedMap<(u16, Address), u64> = OrderedMap::at(5);

/// Runs `body` as a call and hands out its result.
fn within<T>(body: impl FnOnce() -> T) -> T {
    let mut result = None;
    call(ALICE, || result = Some(body()));
    result.unwrap()
}

#[test]
fn values_are_kept_removed_and_updated() {
    let name = |text| Text::<8>::new(text).unwrap();
    call(ALICE, || NAMES.set(&(ALICE, 1), &name("ann")));
    assert_eq!((NAMES.find(&(ALICE, 1)), NAMES.find(&(ALICE, 2))), (Some(name("ann")), None));
    assert_eq!(NAMES.get(&(BOB, 1)), name(""));
    call(ALICE, || NAMES.remove(&(ALICE, 1)));
    assert_eq!(NAMES.find(&(ALICE, 1)), None);
    let double = |_| TOTAL.update(|total| total.checked_mul(2).ok_or(Refused));
    call(ALICE, || TOTAL.set(&(1 << 126)));
    assert_eq!((call(ALICE, || double(())), TOTAL.get()), (Ok(()), 1 << 127));
    assert_eq!((call(ALICE, || double(())), TOTAL.get()), (Err(Refused), 1 << 127));
}

#[test]
fn deltas_keep_their_bounds() {
    let add = |amount, low, high| within(|| TOTAL.add_within(amount, low..=high));
    let sub = |amount, low, high| within(|| TOTAL.sub_within(amount, low..=high));
    assert_eq!((add(5, 0, 4), TOTAL.find()), (Err(Refused), None));
    assert_eq!((add(5, 0, 5), TOTAL.find()), (Ok(()), Some(5)));
    assert_eq!((add(1, 7, 9), add(1, 6, 6)), (Err(Refused), Ok(())));
    assert_eq!((add(u128::MAX, 0, u128::MAX), sub(7, 0, u128::MAX)), (Err(Refused), Err(Refused)));
    assert_eq!((sub(2, 5, 9), sub(2, 4, 4), TOTAL.get()), (Err(Refused), Ok(()), 4));
    assert_eq!((sub(4, 0, 0), TOTAL.find()), (Ok(()), Some(0)), "a result of 0 stays present");
    assert_eq!((add(0, 1, 9), add(0, 0, 0)), (Err(Refused), Ok(())));
    assert_eq!(within(|| TOTAL.sub(1)), Err(Refused));
    call(ALICE, || NAMES.set(&(ALICE, 1), &Text::new("ann").unwrap()));
    let wrong = try_call(ALICE, || NAMES_AS_NUMBERS.add(&(ALICE, 1), 1));
    assert_eq!(wrong, Err(Failure::BadValueLength { actual: 7 }));
}

#[test]
fn lists_grow_at_their_ends_and_share_no_keys() {
    const LIST: List<u16, u64> = List::at(6);
    /// The keys behind it: the list's key alone, and with an entry's number.
    const LENGTHS: Map<u16, u32> = Map::at(6);
    const ENTRIES: Map<(u16, u32), u64> = Map::at(6);
    assert!(LIST.is_empty(&1) && LIST.last(&1).is_none());
    assert_eq!([10, 11, 12].map(|entry| call(ALICE, || LIST.push(&1, &entry))), [0, 1, 2]);
    assert_eq!(call(BOB, || LIST.push(&2, &20)), 0);
    assert_eq!((LIST.len(&1), LIST.last(&1), LIST.get(&1, 1), LIST.get(&1, 3)), (3, Some(12), Some(11), None));
    assert_eq!((LENGTHS.get(&2), ENTRIES.find(&(1, 2)), LIST.last(&2)), (1, Some(12), Some(20)));
    assert_eq!(try_call(ALICE, || LIST.push(&1, &13)), Ok(3));
    call(ALICE, || LENGTHS.set(&1, &u32::MAX));
    assert_eq!(
        try_call(ALICE, || LIST.push(&1, &14)),
        Err(Failure::Aborted("a list has at most 2^32 - 1 entries".into()))
    );
}

#[test]
fn roles_and_sets_hold_what_was_put_in() {
    const SET: Set<(u8, Address)> = Set::at(7);
    const ROLES: Roles<u8> = Roles::at(7);
    call(ALICE, || SET.insert(&(1, BOB)));
    assert!(SET.contains(&(1, BOB)) && !SET.contains(&(2, BOB)) && !SET.contains(&(1, ALICE)));
    assert!(ROLES.has(1, BOB), "a role is a set's member");
    let require = || ROLES.require(1, Refused);
    assert_eq!((call(BOB, require), call(ALICE, require)), (Ok(()), Err(Refused)));
    call(ALICE, || ROLES.revoke(1, BOB));
    assert_eq!((call(BOB, require), SET.contains(&(1, BOB))), (Err(Refused), false));
    let once = || call(ALICE, || SET.insert_once(&(3, BOB)));
    assert_eq!((once(), once(), SET.contains(&(3, BOB))), (Ok(()), Err(Refused), true));
    call(ALICE, || SET.remove(&(3, BOB)));
    assert_eq!(once(), Ok(()));
}

#[test]
fn a_value_of_another_type_aborts() {
    call(ALICE, || NAMES.set(&(ALICE, 1), &Text::new("ann").unwrap()));
    let read = try_call(ALICE, || NAMES_AS_NUMBERS.get(&(ALICE, 1)));
    assert_eq!(read, Err(Failure::Aborted("a stored value is not of its type".into())));
}

#[test]
fn a_panic_takes_back_what_the_call_did() {
    let failed = try_call(ALICE, || {
        TOTAL.set(&1);
        emit(&Moved { by: 1 });
        abort("no")
    });
    assert_eq!(failed, Err::<(), _>(Failure::Aborted("no".into())));
    assert_eq!((TOTAL.find(), test::events().len()), (None, 0));
}

#[derive(Wire, Debug, PartialEq)]
struct Moved {
    by: u8,
}

#[test]
fn a_call_knows_its_surroundings() {
    test::set_deployer(BOB);
    test::set_contract_id(Address([9; 32]));
    test::set_height(7, 7_000);
    assert_eq!(call(ALICE, || (caller(), deployer())), (ALICE, BOB));
    assert_eq!(call(BOB, || (caller(), contract_id())), (BOB, Address([9; 32])));
    assert_eq!((height(), batch_time()), (7, 7_000));
    call(ALICE, || emit(&Moved { by: 3 }));
    let events = test::events();
    assert_eq!((events[0].topic.as_str(), events[0].decode()), ("Moved", Some(Moved { by: 3 })));
}

fn from_hex<const N: usize>(hex: &str) -> [u8; N] {
    assert_eq!(hex.len(), 2 * N);
    core::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..][..2], 16).unwrap())
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    let key = from_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    let signature = from_hex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
    assert!(signature::ed25519(&key, &[0x72], &signature));
    assert!(!signature::ed25519(&key, &[0x73], &signature));
}

#[test]
fn hashes_are_the_known_ones() {
    let hex = |bytes: [u8; 32]| format!("{:?}", Address(bytes));
    assert_eq!(hex(hash::blake3(b"")), "0xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    assert_eq!(hex(hash::sha256(b"abc")), "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(hex(hash::keccak256(b"")), "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
}

fn scanned(range: impl std::ops::RangeBounds<(u16, Address)>, direction: Direction, limit: usize) -> Vec<(u16, u64)> {
    let mut entries = Vec::new();
    let count = PRICES.scan(range, direction, limit, |(price, _), amount| entries.push((price, amount)));
    assert_eq!(count, entries.len());
    entries
}

#[test]
fn scans_follow_the_order_of_keys() {
    call(ALICE, || {
        // Little-endian bytes would sort 256 below 1.
        for price in [256, 1, 2, 255, 1_000] {
            PRICES.set(&(price, ALICE), &u64::from(price));
        }
    });
    let all = [1, 2, 255, 256, 1_000].map(|price| (price, u64::from(price)));
    assert_eq!(scanned(.., Direction::Ascending, 10), all);
    assert_eq!(scanned((2, ALICE)..(256, ALICE), Direction::Ascending, 10), all[1..3]);
    assert_eq!(scanned((2, ALICE)..=(256, ALICE), Direction::Ascending, 10), all[1..4]);
    assert_eq!(scanned(.., Direction::Descending, 2), [all[4], all[3]]);
    assert_eq!(scanned(.., Direction::Ascending, 0), []);
    let over = try_call(ALICE, || scanned(.., Direction::Ascending, 1_001).len() as u64);
    assert_eq!(over, Err(Failure::LimitExceeded { limit: "entries of a scan", max: 1_000, actual: 1_001 }));
}

#[test]
fn a_scan_longer_than_its_buffer_goes_on() {
    call(ALICE, || (0..500).for_each(|price| PRICES.set(&(price, BOB), &u64::from(price))));
    let all: Vec<_> = (0..500).map(|price| (price, u64::from(price))).collect();
    assert_eq!(scanned(.., Direction::Ascending, 1_000), all);
    assert_eq!(scanned(.., Direction::Ascending, 400), all[..400]);
    let reversed: Vec<_> = all.into_iter().rev().collect();
    assert_eq!(scanned(.., Direction::Descending, 1_000), reversed);
}

#[slot]
const NEWS: Journal<u16> = Journal::at(6);

#[test]
fn a_value_is_raised_and_never_lowered() {
    call(ALICE, || TOTAL.raise_to(5));
    call(ALICE, || TOTAL.raise_to(3));
    assert_eq!(TOTAL.get(), 5);
    call(ALICE, || TOTAL.raise_to(u128::MAX));
    assert_eq!(TOTAL.get(), u128::MAX);
    call(ALICE, || NAMES.set(&(ALICE, 1), &Text::<8>::new("ann").unwrap()));
    let failed = try_call(ALICE, || NAMES_AS_NUMBERS.raise_to(&(ALICE, 1), 1));
    assert_eq!(failed, Err(Failure::BadValueLength { actual: 7 }));
}

#[test]
fn the_first_value_stays() {
    let name = |text| Text::<8>::new(text).unwrap();
    let claim = |text| within(|| NAMES.set_once(&(BOB, 1), &name(text)));
    assert_eq!((claim("ann"), claim("bob")), (Ok(()), Err(Refused)));
    assert_eq!(NAMES.find(&(BOB, 1)), Some(name("ann")));
    call(ALICE, || NAMES.remove(&(BOB, 1)));
    assert_eq!((claim("bob"), NAMES.find(&(BOB, 1))), (Ok(()), Some(name("bob"))));
    call(ALICE, || TOTAL.set_once(&1).unwrap());
    assert_eq!((within(|| TOTAL.set_once(&2)), TOTAL.get()), (Err(Refused), 1));
}

#[test]
fn a_journal_is_in_the_order_of_the_calls() {
    let append = |element| within(|| NEWS.append_within(&element, 4));
    assert!(NEWS.is_empty());
    test::set_height(1, 0);
    assert_eq!((append(10), append(11)), (Ok(()), Ok(())));
    test::set_height(2, 0);
    call(ALICE, || {
        NEWS.append(&12);
        NEWS.append(&13);
    });
    assert_eq!((append(14), NEWS.len()), (Err(Refused), 4));
    let mut seen = Vec::new();
    let count = NEWS.scan(.., Direction::Ascending, 10, |place, element| seen.push((place, element)));
    assert_eq!((count, &seen[..]), (4, &[((1, 0, 0), 10), ((1, 1, 0), 11), ((2, 0, 0), 12), ((2, 0, 1), 13)][..]));
    seen.clear();
    NEWS.scan((2, 0, 0).., Direction::Descending, 1, |place, element| seen.push((place, element)));
    assert_eq!(seen, [((2, 0, 1), 13)]);
}
