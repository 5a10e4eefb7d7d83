//! Lists of calls that are read in place, against what generated code makes of the same bytes.

use phalanx_proto::history::Fields;
use phalanx_proto::{Bytes, Message, v1};
use v1::ListedCall;

fn call(number: u8) -> v1::Call {
    v1::Call {
        contract: vec![number; 32].into(),
        method: "transfer".repeat(usize::from(number % 3)),
        sender: vec![number + 1; 32].into(),
        arguments: vec![number; 70 * usize::from(number)].into(),
        gas_limit: u64::from(number) << (7 * (number % 8)),
        id: (number % 2 == 1).then(|| vec![number; 16].into()),
        signature: (number % 4 == 3).then(|| vec![number; 64].into()),
    }
}

/// A list as the file has it, each call by generated code.
fn as_generated(calls: &[v1::Call]) -> Vec<u8> {
    let mut encoded = Vec::new();
    calls.iter().for_each(|call| {
        encoded.push(1 << 3 | 2);
        encoded.extend(call.encode_length_delimited_to_vec());
    });
    encoded
}

#[test]
fn a_list_is_what_a_message_a_call_would_be() {
    let calls: Vec<v1::Call> = (0..20).map(call).collect();
    let list: v1::CallList = calls.iter().collect();
    let encoded = list.encode_to_vec();
    assert_eq!(encoded, as_generated(&calls));
    assert_eq!((list.len(), list.is_empty(), list.encoded_bytes()), (20, false, encoded.len()));
    // Unknown fields of a list are skipped.
    let arrived = [&encoded[..], &[2 << 3 | 2, 3, 1, 2, 3, 3 << 3, 9]].concat();
    let decoded = v1::CallList::decode(Bytes::from(arrived)).expect("it is well formed");
    assert_eq!(decoded, list);
    let read: Vec<ListedCall<'_>> = decoded.calls().collect::<Result<_, _>>().expect("they are well formed");
    assert_eq!(read, calls.iter().map(ListedCall::from).collect::<Vec<_>>());
    assert!(v1::CallList::default().is_empty() && v1::CallList::default().calls().next().is_none());
}

/// Bytes that are hardly ever a call, each a few changes away from one.
#[test]
fn calls_are_read_as_generated_code_reads_them() {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let (mut good, mut bad) = (0, 0);
    for round in 0..200_000 {
        let mut bytes = call((round % 6) as u8).encode_to_vec();
        // Fields may stand twice, in any order, and be unknown.
        for _ in 0..next(3) {
            bytes.extend(call(next(6) as u8).encode_to_vec());
        }
        for _ in 0..next(4) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes.truncate(at.max(1)),
                // Keys and lengths stand at the front.
                _ => bytes[at % 80] ^= 1 << next(8),
            }
        }
        let mut list = Vec::new();
        Fields::of(&mut list).optional_bytes(1, &bytes);
        let list = v1::CallList::decode(&list[..]).expect("a list is not looked into");
        let read = list.calls().next().expect("there is one");
        match v1::Call::decode(&bytes[..]) {
            Ok(call) => {
                assert_eq!(read, Ok(ListedCall::from(&call)), "{bytes:?}");
                good += 1;
            }
            Err(_) => {
                assert!(read.is_err(), "{bytes:?}");
                bad += 1;
            }
        }
    }
    assert!(good > 10_000 && bad > 10_000, "{good} {bad}");
}

#[test]
fn a_list_that_ends_within_a_call_is_refused() {
    let encoded = as_generated(&[call(3)]);
    for length in 1..encoded.len() {
        assert!(v1::CallList::decode(&encoded[..length]).is_err(), "{length}");
    }
    assert!(v1::CallList::decode(&[1 << 3, 5][..]).is_err(), "it is no number");
}

#[test]
fn behind_a_call_that_cannot_be_read_there_are_none() {
    let mut encoded = as_generated(&[call(1)]);
    encoded.extend([1 << 3 | 2, 2, 1 << 3 | 2, 9]);
    encoded.extend(as_generated(&[call(2)]));
    let list = v1::CallList::decode(&encoded[..]).expect("its calls are whole");
    let read: Vec<bool> = list.calls().map(|call| call.is_ok()).collect();
    assert_eq!((list.len(), read), (3, vec![true, false]));
}
