//! Field numbers and types, pinned: a height record with every field set, against bytes made without the generated
//! code.

use phalanx_proto::{Bytes, Message, v1};

/// A field of type `bytes`, `string` or a message.
fn bytes(number: u8, payload: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(payload.len() as u64), payload].concat()
}

/// A field of an integer type or an enum.
fn integer(number: u8, value: u64) -> Vec<u8> {
    [vec![number << 3], varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn repeated<const N: usize>(byte: u8) -> Bytes {
    vec![byte; N].into()
}

fn batch() -> (v1::Batch, Vec<u8>) {
    let message = v1::Batch {
        height: u64::MAX,
        time_ms: 1_700_000_000_000,
        calls: vec![v1::Call {
            contract: repeated::<32>(1),
            method: "transfer".into(),
            sender: repeated::<32>(2),
            arguments: Bytes::from_static(b"arguments"),
            gas_limit: 1_000_000_000,
            id: Some(repeated::<16>(3)),
            signature: Some(repeated::<64>(4)),
        }],
    };
    let call = [
        bytes(1, &[1; 32]),
        bytes(2, b"transfer"),
        bytes(3, &[2; 32]),
        bytes(4, b"arguments"),
        integer(5, 1_000_000_000),
        bytes(6, &[3; 16]),
        bytes(7, &[4; 64]),
    ];
    (message, [integer(1, u64::MAX), integer(2, 1_700_000_000_000), bytes(3, &call.concat())].concat())
}

fn receipt() -> (v1::Receipt, Vec<u8>) {
    let message = v1::Receipt {
        outcome: Some(v1::Outcome::NotPermitted.into()),
        gas_used: 676,
        return_bytes: Bytes::from_static(b"returned"),
        events: vec![v1::Event { topic: Bytes::from_static(b"Transfer"), data: Bytes::from_static(b"\xff\0") }],
    };
    let event = [bytes(1, b"Transfer"), bytes(2, b"\xff\0")].concat();
    (message, [integer(1, 22), integer(2, 676), bytes(3, b"returned"), bytes(4, &event)].concat())
}

fn writes() -> [(v1::Write, Vec<u8>); 3] {
    use v1::write::Change;
    let write = |change, encoded: Vec<u8>| {
        let message = v1::Write {
            call: 65_535,
            contract: repeated::<32>(5),
            key: Bytes::from_static(b"\x01key"),
            change: Some(change),
        };
        (message, [integer(1, 65_535), bytes(2, &[5; 32]), bytes(3, b"\x01key"), encoded].concat())
    };
    [
        write(Change::Value(Bytes::new()), bytes(4, b"")),
        write(Change::Tombstone(v1::Tombstone {}), bytes(5, b"")),
        write(Change::ModuleHash(repeated::<32>(6)), bytes(6, &[6; 32])),
    ]
}

fn digests() -> (v1::Digests, Vec<u8>) {
    let message = v1::Digests {
        protocol_version: 1,
        height: u64::MAX,
        previous: repeated::<32>(7),
        roots: Some(v1::Roots { input: repeated::<32>(8), receipts: repeated::<32>(9), writes: repeated::<32>(10) }),
        digest: repeated::<32>(11),
    };
    let roots = [bytes(1, &[8; 32]), bytes(2, &[9; 32]), bytes(3, &[10; 32])].concat();
    let encoded = [integer(1, 1), integer(2, u64::MAX), bytes(3, &[7; 32]), bytes(4, &roots), bytes(5, &[11; 32])];
    (message, encoded.concat())
}

#[test]
fn every_field_keeps_its_number_and_type() {
    let ((batch, batch_bytes), (receipt, receipt_bytes), (digests, digest_bytes)) = (batch(), receipt(), digests());
    let (writes, write_bytes): (Vec<_>, Vec<_>) = writes().into_iter().unzip();
    let record = v1::HeightRecord { batch: Some(batch), receipts: vec![receipt], writes, digests: Some(digests) };
    let write_bytes: Vec<u8> = write_bytes.iter().flat_map(|write| bytes(3, write)).collect();
    let expected = [bytes(1, &batch_bytes), bytes(2, &receipt_bytes), write_bytes, bytes(4, &digest_bytes)].concat();
    assert_eq!(record.encode_to_vec(), expected);
    assert_eq!(v1::HeightRecord::decode(&expected[..]), Ok(record));
}

#[test]
fn a_success_is_written_and_its_absence_is_seen() {
    let ok = v1::Receipt { outcome: Some(v1::Outcome::Ok.into()), ..Default::default() };
    assert_eq!(ok.encode_to_vec(), integer(1, 0));
    assert_eq!(v1::Receipt::decode(&[][..]).map(|receipt| receipt.outcome), Ok(None));
    // A later version's outcome is carried, and known as one that is not known.
    let unknown = v1::Receipt::decode(&integer(1, 200)[..]).expect("enums are open");
    assert_eq!(unknown.outcome, Some(200));
    assert!(v1::Outcome::try_from(200).is_err());
}

#[test]
fn what_is_decoded_shares_the_memory_of_the_message() {
    let sent = Bytes::from(batch().0.encode_to_vec());
    let arrived = v1::Batch::decode(sent.clone()).expect("it was encoded just now");
    assert!(sent.as_ptr_range().contains(&arrived.calls[0].arguments.as_ptr()));
}

#[test]
fn messages_by_hand_are_those_of_the_file() {
    let pool = prost_types::FileDescriptorSet::decode(phalanx_proto::FILE_DESCRIPTOR_SET).expect("it is one");
    let messages = pool.file.iter().flat_map(|file| &file.message_type);
    let fields = |name: &str| {
        let message = messages.clone().find(|message| message.name() == name).expect("it is there");
        message.field.iter().map(|field| (field.number(), field.name().to_owned())).collect::<Vec<_>>()
    };
    let named = |names: &[&str]| (1..).zip(names.iter().map(|&name| name.to_owned())).collect::<Vec<(i32, String)>>();
    assert_eq!(fields("CallList"), named(&["calls"]));
    let columns = ["targets", "calls", "target_numbers", "senders", "gas_limits", "argument_ends", "arguments"];
    assert_eq!(fields("CallColumns"), named(&columns));

    let columns = v1::CallColumns {
        targets: vec![v1::Target { contract: vec![7; 32].into(), method: "m".to_owned() }; 2],
        calls: 3,
        target_numbers: vec![1; 6].into(),
        senders: vec![2; 96].into(),
        gas_limits: vec![3; 12].into(),
        argument_ends: vec![4; 12].into(),
        arguments: vec![5; 9].into(),
    };
    let encoded = columns.encode_to_vec();
    assert_eq!(encoded.len(), columns.encoded_len());
    // Field by field as any protobuf library writes them: tag 1 twice, then 2 to 7.
    assert_eq!(encoded[..2], [1 << 3 | 2, 37]);
    assert_eq!(encoded[78..80], [2 << 3, 3]);
    assert_eq!(encoded[encoded.len() - 11..][..2], [7 << 3 | 2, 9]);
    assert_eq!(v1::CallColumns::decode(&encoded[..]), Ok(columns));
}

#[test]
fn a_hostile_list_keeps_one_element_above_the_limit() {
    // An empty call is two bytes: four million of them.
    let hostile = [1 << 3 | 2, 0].repeat(4 << 20);
    assert_eq!(v1::CallList::decode(&hostile[..]).expect("it is well formed").len(), 65_537);
    assert_eq!(v1::CallColumns::decode(&hostile[..]).expect("it is well formed").targets.len(), 65_537);
}
