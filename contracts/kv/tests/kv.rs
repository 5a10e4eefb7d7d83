//! The contract's rules.

use phalanx_contract::Address;
use phalanx_contract::test::{call, try_call};
use phalanx_kv::{Error, FIELDS, Kv, SCAN_RECORDS_MAX, Scanned, first_content};

const A: Address = Address([1; 32]);

fn field(record: u64, number: u8) -> Vec<u8> {
    let read = Kv::read(record).unwrap();
    read.fields[usize::from(number) * 100..][..100].to_vec()
}

#[test]
fn a_record_has_ten_fields_that_change_one_by_one() {
    call(A, || Kv::insert(5)).unwrap();
    assert_eq!(call(A, || Kv::insert(5)), Err(Error::Exists));
    assert!((0..FIELDS).all(|number| field(5, number) == first_content(5, number)));
    call(A, || Kv::update(5, 3, &[7; 100])).unwrap();
    assert_eq!(call(A, || Kv::modify(5, 3, 250)).unwrap().fields[300..400], [7; 100]);
    assert_eq!(field(5, 3), [1; 100]);
    assert!([0, 1, 2, 4, 5, 6, 7, 8, 9].iter().all(|number| field(5, *number) == first_content(5, *number)));
}

#[test]
fn what_is_not_there_is_refused() {
    assert_eq!(call(A, || Kv::read(5)), Err(Error::Unknown));
    assert_eq!(call(A, || Kv::modify(5, 0, 1)), Err(Error::Unknown));
    assert_eq!(call(A, || Kv::update(5, FIELDS, &[7; 100])), Err(Error::NoSuchField));
    assert_eq!(call(A, || Kv::modify(5, FIELDS, 1)), Err(Error::NoSuchField));
    for records in [0, SCAN_RECORDS_MAX + 1] {
        assert_eq!(call(A, || Kv::scan(0, records)), Err(Error::BadScan));
    }
}

#[test]
fn an_update_of_field_0_takes_the_number_of_a_record_that_is_not_there() {
    call(A, || Kv::update(5, 0, &[7; 100])).unwrap();
    assert_eq!((call(A, || Kv::read(5)), call(A, || Kv::insert(5))), (Err(Error::Unknown), Err(Error::Exists)));
    call(A, || Kv::update(6, 3, &[7; 100])).unwrap();
    assert_eq!((call(A, || Kv::insert(6)), field(6, 3)), (Ok(()), first_content(6, 3).to_vec()));
}

#[test]
fn a_scan_comes_across_records_in_order() {
    for record in [300, 1, 2, 200] {
        call(A, || Kv::insert_ordered(record)).unwrap();
    }
    assert_eq!(call(A, || Kv::insert_ordered(2)), Err(Error::Exists));
    let sum = |records: &[u64]| -> u64 {
        let fields = records.iter().flat_map(|record| (0..FIELDS).map(|number| first_content(*record, number)));
        fields.map(|content| u64::from(content[0])).sum()
    };
    let scan = |from, records| try_call(A, || Kv::scan(from, records)).unwrap().unwrap();
    assert_eq!(scan(2, 2), Scanned { records: 2, sum: sum(&[2, 200]) });
    assert_eq!(scan(0, 100), Scanned { records: 4, sum: sum(&[1, 2, 200, 300]) });
    assert_eq!(scan(301, 100), Scanned::default());
}
