use phalanx_proto::v1;

use super::super::Calls;
use super::*;
use crate::serve::refusal::Refusal;
use phalanx_engine::{Batch, BatchBuilder, Identity};

const TOKEN: [u8; 32] = [7; 32];

/// Three calls of two senders to two methods, with arguments of different lengths.
fn columns() -> v1::CallColumns {
    let target = |method: &str| v1::Target { contract: TOKEN.to_vec().into(), method: method.to_owned() };
    v1::CallColumns {
        targets: vec![target("mint"), target("transfer")],
        calls: 3,
        target_numbers: [0u16, 1, 1].map(u16::to_le_bytes).concat().into(),
        senders: [[1; 32], [2; 32], [1; 32]].concat().into(),
        gas_limits: [10u32, 20, 30].map(u32::to_le_bytes).concat().into(),
        argument_ends: [2u32, 2, 5].map(u32::to_le_bytes).concat().into(),
        arguments: b"abxyz".to_vec().into(),
    }
}

fn batch_of(calls: &Calls) -> Batch {
    let mut builder = BatchBuilder::new(1, 0);
    assert!(builder.has_room(calls.size()));
    calls.push_into(&mut builder, Identity::Anonymous).expect("there is room");
    Batch::decode(builder.finish()).expect("it is well formed")
}

fn read(batch: &Batch) -> Vec<(String, [u8; 32], u64, Vec<u8>)> {
    let call = |index| {
        let call = batch.call(index);
        let (contract, method) = batch.target_of(&call);
        assert_eq!(*contract, TOKEN);
        let method = String::from_utf8(method.to_vec()).expect("text");
        (method, *call.sender(), call.gas_limit(), call.arguments().to_vec())
    };
    (0..batch.len()).map(call).collect()
}

fn refusal(change: impl FnOnce(&mut v1::CallColumns)) -> String {
    let mut columns = columns();
    change(&mut columns);
    let status: tonic::Status = Calls::columns(columns).err().map(Refusal::into).expect("it is refused");
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    status.message().to_owned()
}

#[test]
fn columns_are_the_calls_that_a_list_would_be() {
    let calls = Calls::columns(columns()).expect("they are well formed");
    let batch = batch_of(&calls);
    let expected =
        [("mint", [1; 32], 10, &b"ab"[..]), ("transfer", [2; 32], 20, b""), ("transfer", [1; 32], 30, b"xyz")];
    let expected =
        expected.map(|(method, sender, gas, arguments)| (method.to_owned(), sender, gas, arguments.to_vec()));
    assert_eq!(read(&batch), expected);

    let call = |(method, sender, gas_limit, arguments): &(String, [u8; 32], u64, Vec<u8>)| v1::Call {
        contract: TOKEN.to_vec().into(),
        method: method.clone(),
        sender: sender.to_vec().into(),
        arguments: arguments.clone().into(),
        gas_limit: *gas_limit,
        ..v1::Call::default()
    };
    let list = Calls::list(&expected.iter().map(call).collect::<Vec<_>>().iter().collect()).expect("it is well formed");
    assert_eq!(batch_of(&list).bytes().as_slice(), batch.bytes().as_slice());
    assert_eq!(list.fingerprint(), calls.fingerprint());
}

#[test]
fn one_value_stands_for_all_calls() {
    let mut short = columns();
    short.target_numbers = Bytes::new();
    short.senders = vec![9; 32].into();
    short.gas_limits = 77u32.to_le_bytes().to_vec().into();
    short.argument_ends = Bytes::new();
    short.arguments = b"aabbcc".to_vec().into();
    let batch = batch_of(&Calls::columns(short).expect("they are well formed"));
    let expected = [b"aa", b"bb", b"cc"].map(|arguments| ("mint".to_owned(), [9; 32], 77, arguments.to_vec()));
    assert_eq!(read(&batch), expected);
}

#[test]
fn lying_lengths_are_refused_by_name() {
    let long = |bytes: &mut Bytes| *bytes = [&bytes[..], &[0]].concat().into();
    let cases: [(&str, String); 10] = [
        ("columns.target_numbers: 7 bytes", refusal(|it| long(&mut it.target_numbers))),
        ("columns.senders: 97 bytes", refusal(|it| long(&mut it.senders))),
        ("columns.senders: 0 bytes", refusal(|it| it.senders = Bytes::new())),
        ("columns.gas_limits: 13 bytes", refusal(|it| long(&mut it.gas_limits))),
        ("columns.argument_ends: 13 bytes", refusal(|it| long(&mut it.argument_ends))),
        ("columns.argument_ends: the last call ends at 5", refusal(|it| long(&mut it.arguments))),
        ("columns.argument_ends: call 2 ends at 5", refusal(|it| it.arguments = b"ab".to_vec().into())),
        ("columns.calls: batch_calls: 4294967295", refusal(|it| it.calls = u32::MAX)),
        ("columns.target_numbers: call 1 goes to target 1", refusal(|it| it.targets.truncate(1))),
        ("columns.calls: there are no calls", refusal(|it| it.calls = 0)),
    ];
    for (expected, found) in cases {
        assert!(found.starts_with(expected), "{found}");
    }
    let falling = refusal(|it| it.argument_ends = [3u32, 2, 5].map(u32::to_le_bytes).concat().into());
    assert!(falling.starts_with("columns.argument_ends: call 1 ends at 2, it begins at 3"), "{falling}");
    let uneven = refusal(|it| it.argument_ends = Bytes::new());
    assert!(uneven.contains("5 bytes of arguments are no equal parts for 3 calls"), "{uneven}");
    let gas = refusal(|it| {
        (it.calls, it.target_numbers, it.argument_ends, it.arguments) =
            (60_000, Bytes::new(), Bytes::new(), Bytes::new());
        (it.senders, it.gas_limits) = (vec![1; 32].into(), 1_000_000u32.to_le_bytes().to_vec().into());
    });
    assert!(gas.starts_with("columns: batch_gas: 60000000000 is above"), "{gas}");
}
