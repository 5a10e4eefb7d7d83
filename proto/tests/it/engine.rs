//! What an engine executed crosses the wire whole: its canonical bytes can be made again from what arrives.

use phalanx_engine::{Batch, BatchBuilder, Call, Deployment, Engine, Executed, HashSeed, Options, PROTOCOL_VERSION};
use phalanx_proto::v1::write::Change;
use phalanx_proto::{Bytes, Message, v1};

const ISSUER: [u8; 32] = [1; 32];
const ALICE: [u8; 32] = [2; 32];

fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn batch_message(batch: &Batch) -> v1::Batch {
    let call = |index| {
        let call = batch.call(index);
        let (contract, method) = batch.target_of(&call);
        v1::Call {
            contract: copied(contract),
            method: str::from_utf8(method).expect("the builder takes text").to_owned(),
            sender: copied(call.sender()),
            arguments: copied(call.arguments()),
            gas_limit: call.gas_limit(),
            id: call.id().map(|id| copied(id)),
            signature: None,
        }
    };
    v1::Batch { height: batch.height(), time_ms: batch.time_ms(), calls: (0..batch.len()).map(call).collect() }
}

fn receipt_messages(executed: &Executed) -> Vec<v1::Receipt> {
    let event = |event: phalanx_engine::Event<'_>| v1::Event { topic: copied(event.topic), data: copied(event.data) };
    let receipt = |receipt: phalanx_engine::Receipt<'_>| v1::Receipt {
        outcome: Some(receipt.outcome().code().into()),
        gas_used: receipt.gas_used(),
        return_bytes: copied(receipt.return_bytes()),
        events: receipt.events().map(event).collect(),
    };
    executed.receipts().map(receipt).collect()
}

fn write_messages(executed: &Executed, batch: &Batch) -> Vec<v1::Write> {
    let write = |item: phalanx_engine::WriteItem<'_>| {
        let called = batch.target_of(&batch.call(item.call() as usize)).0;
        v1::Write {
            call: item.call(),
            contract: copied(item.contract().unwrap_or(called)),
            key: copied(item.key()),
            change: Some(match item.value() {
                None => Change::Tombstone(v1::Tombstone {}),
                Some(hash) if item.is_module_hash() => Change::ModuleHash(copied(hash)),
                Some(value) => Change::Value(copied(value)),
            }),
        }
    };
    executed.write_set().map(write).collect()
}

fn record(executed: &Executed, batch: &Batch, previous: [u8; 32]) -> v1::HeightRecord {
    let roots = executed.roots();
    v1::HeightRecord {
        batch: Some(batch_message(batch)),
        receipts: receipt_messages(executed),
        writes: write_messages(executed, batch),
        digests: Some(v1::Digests {
            protocol_version: PROTOCOL_VERSION,
            height: executed.height(),
            previous: copied(&previous),
            roots: Some(v1::Roots {
                input: copied(&roots.input),
                receipts: copied(&roots.receipts),
                writes: copied(&roots.writes),
            }),
            digest: copied(&executed.digest()),
        }),
    }
}

fn address(bytes: &Bytes) -> [u8; 32] {
    bytes[..].try_into().expect("32 bytes")
}

/// The canonical bytes of a batch that arrived.
fn canonical_batch(batch: &v1::Batch) -> Vec<u8> {
    let mut builder = BatchBuilder::new(batch.height, batch.time_ms);
    for call in &batch.calls {
        builder
            .push(&Call {
                contract: address(&call.contract),
                method: &call.method,
                sender: address(&call.sender),
                arguments: &call.arguments,
                gas_limit: call.gas_limit.try_into().expect("it was 32 bits"),
            })
            .expect("it was within the limits");
    }
    builder.finish().as_slice().to_vec()
}

/// The canonical bytes of receipts that arrived, as engine/src/receipt.rs pictures them.
fn canonical_receipts(receipts: &[v1::Receipt]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for receipt in receipts {
        let mut record = (receipt.gas_used as u32).to_le_bytes().to_vec();
        record.push(receipt.outcome.expect("every receipt has one") as u8);
        record.push(receipt.events.len() as u8);
        for event in &receipt.events {
            record.extend([event.topic.len() as u8, 0]);
            record.extend((event.data.len() as u16).to_le_bytes());
            record.extend(event.topic.iter().chain(&event.data));
        }
        record.extend(&receipt.return_bytes);
        bytes.extend((record.len() as u32 + 4).to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

/// The canonical bytes of writes that arrived, as engine/src/write_set.rs pictures them.
fn canonical_writes(writes: &[v1::Write], batch: &v1::Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for write in writes {
        let (flag, value) = match write.change.as_ref().expect("every write has one") {
            Change::Value(value) => (0, &value[..]),
            Change::Tombstone(_) => (1, &[][..]),
            Change::ModuleHash(hash) => (4, &hash[..]),
        };
        let other = write.contract != batch.calls[write.call as usize].contract;
        bytes.extend(write.call.to_le_bytes());
        bytes.extend([flag | u8::from(other) << 1, 0]);
        bytes.extend((write.key.len() as u16).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(if other { &write.contract[..] } else { &[] });
        bytes.extend(&write.key[..]);
        bytes.extend(value);
    }
    bytes
}

/// The digest that follows from all else in the message, as engine/src/digest.rs says.
fn digest(digests: &v1::Digests) -> [u8; 32] {
    let roots = digests.roots.as_ref().expect("digests have roots");
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"phalanx/digest");
    hasher.update(&digests.protocol_version.to_le_bytes());
    hasher.update(&digests.height.to_le_bytes());
    for hash in [&digests.previous, &roots.input, &roots.receipts, &roots.writes] {
        hasher.update(hash);
    }
    hasher.finalize().into()
}

/// Executes and commits a batch; its record crosses the wire and is compared with what was executed.
fn execute_and_cross(engine: &Engine, calls: &[Call<'_>]) -> v1::HeightRecord {
    let height = engine.height() + 1;
    let mut builder = BatchBuilder::new(height, 1_000 * height);
    for call in calls {
        builder.push(call).expect("a small batch");
    }
    let batch = Batch::decode(builder.finish()).expect("the builder made it");
    let previous = engine.digest();
    let executed =
        engine.commit(engine.execute_batch(batch.bytes().clone()).expect("it executes")).expect("it is the last one");

    let sent = Bytes::from(record(&executed, &batch, previous).encode_to_vec());
    let arrived = v1::HeightRecord::decode(sent).expect("it was encoded just now");
    let arrived_batch = arrived.batch.as_ref().expect("a record has a batch");
    assert_eq!(canonical_batch(arrived_batch), batch.bytes().as_slice());
    assert_eq!(executed.receipts().bytes(), canonical_receipts(&arrived.receipts));
    assert_eq!(executed.write_set().bytes(), canonical_writes(&arrived.writes, arrived_batch));
    assert_eq!(digest(arrived.digests.as_ref().expect("a record has digests")), executed.digest());
    arrived
}

#[test]
fn canonical_bytes_can_be_made_again_from_what_arrives() {
    let engine = Engine::new(Options { hash_seed: HashSeed::Fixed(1), ..Options::default() });
    let token = Deployment::new(ISSUER, [0; 32], include_bytes!("../../../contracts/wasm/token.wasm"));
    let deployed = execute_and_cross(&engine, &[token.call()]);
    let is_module = |write: &v1::Write| matches!(write.change, Some(Change::ModuleHash(_)));
    assert!(deployed.writes.iter().any(is_module), "the module is written");

    let arguments = [&ALICE[..], &100u128.to_le_bytes()].concat();
    let mint =
        Call { contract: token.contract(), method: "mint", sender: ISSUER, arguments: &arguments, gas_limit: 50_000 };
    let minted =
        execute_and_cross(&engine, &[mint, Call { sender: ALICE, ..mint }, Call { method: "no such method", ..mint }]);
    let outcomes: Vec<_> = minted.receipts.iter().map(v1::Receipt::outcome).collect();
    assert_eq!(outcomes, [v1::Outcome::Ok, v1::Outcome::Reverted, v1::Outcome::UnknownMethod]);
    assert!(!minted.receipts[0].events.is_empty(), "a mint emits an event");
    assert!(!minted.receipts[1].return_bytes.is_empty(), "who may not mint gets a typed error");
}
