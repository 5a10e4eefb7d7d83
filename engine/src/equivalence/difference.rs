//! The first place where what the engine made of a batch is not what the oracle made of it.

use crate::batch::{Address, Batch};
use crate::digest::{Digest, Roots};
use crate::engine::Executed;
use crate::oracle::OracleOutcome;
use crate::receipt::{Receipt, Receipts};
use crate::write_set::{WriteItem, WriteSet};
use std::fmt;

/// What differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Differing {
    /// How a call ended, or whether it has a receipt at all.
    Outcome,
    /// The gas that a call used.
    Gas,
    /// A call's events: their number, order, topics or data.
    Events,
    /// A call's return bytes.
    ReturnBytes,
    /// A key's last write: its value, the call that it is of, or whether there is one.
    Write,
    /// Roots or digest, where receipts and write sets are the same.
    Digest,
}

impl Differing {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Differing::Outcome => "outcome",
            Differing::Gas => "gas",
            Differing::Events => "events",
            Differing::ReturnBytes => "return_bytes",
            Differing::Write => "write",
            Differing::Digest => "digest",
        }
    }
}

/// The first difference of a batch: that of the first call with a receipt or a write that differs, the receipt before the
/// write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The batch's height.
    pub height: u64,
    /// What differs.
    pub what: Differing,
    /// Index of the call; `None` where only the digest differs.
    pub call: Option<u32>,
    /// Contract and key of the first write that differs.
    pub key: Option<(Address, Vec<u8>)>,
    /// What the engine has there, for people.
    pub engine: String,
    /// What the oracle has.
    pub oracle: String,
}

/// All that a batch came to.
#[derive(Clone, Copy)]
pub(super) struct Results<'a> {
    pub(super) receipts: Receipts<'a>,
    pub(super) writes: WriteSet<'a>,
    pub(super) roots: &'a Roots,
    pub(super) digest: Digest,
}

impl<'a> Results<'a> {
    pub(super) fn of_oracle(outcome: &'a OracleOutcome) -> Self {
        Self {
            receipts: Receipts::new(&outcome.receipts),
            writes: WriteSet::new(&outcome.writes),
            roots: &outcome.roots,
            digest: outcome.digest,
        }
    }
}

impl Difference {
    /// Compares what an engine and an [`Oracle`](crate::Oracle) made of the same batch, executed on the same state.
    pub fn between(batch: &Batch, executed: &Executed, outcome: &OracleOutcome) -> Option<Self> {
        let engine = Results {
            receipts: executed.receipts(),
            writes: executed.write_set(),
            roots: executed.roots(),
            digest: executed.digest(),
        };
        Self::of_results(batch, engine, Results::of_oracle(outcome))
    }

    pub(super) fn of_results(batch: &Batch, engine: Results<'_>, oracle: Results<'_>) -> Option<Self> {
        let receipt = first_receipt(batch, engine.receipts, oracle.receipts);
        let write = first_write(batch, engine.writes, oracle.writes);
        match (receipt, write) {
            (Some(receipt), Some(write)) if write.call >= receipt.call => {
                Some(Self { key: if write.call == receipt.call { write.key } else { None }, ..receipt })
            }
            (_, Some(write)) => Some(write),
            (Some(receipt), None) => Some(receipt),
            (None, None) if (engine.roots, engine.digest) == (oracle.roots, oracle.digest) => None,
            (None, None) => Some(Self {
                height: batch.height(),
                what: Differing::Digest,
                call: None,
                key: None,
                engine: hex(&engine.digest),
                oracle: hex(&oracle.digest),
            }),
        }
    }
}

fn first_receipt(batch: &Batch, engine: Receipts<'_>, oracle: Receipts<'_>) -> Option<Difference> {
    if engine.bytes() == oracle.bytes() {
        return None;
    }
    let (mut engine, mut oracle) = (engine, oracle);
    for call in 0.. {
        let (ours, theirs) = (engine.next(), oracle.next());
        if ours == theirs {
            ours?;
            continue;
        }
        let (what, ours, theirs) = receipts_differ(ours, theirs);
        return Some(Difference {
            height: batch.height(),
            what,
            call: Some(call),
            key: None,
            engine: ours,
            oracle: theirs,
        });
    }
    None
}

fn receipts_differ(engine: Option<Receipt<'_>>, oracle: Option<Receipt<'_>>) -> (Differing, String, String) {
    let (Some(engine), Some(oracle)) = (engine, oracle) else {
        let show = |receipt: Option<Receipt<'_>>| receipt.map_or("no receipt", |it| it.outcome().name()).to_owned();
        return (Differing::Outcome, show(engine), show(oracle));
    };
    if engine.outcome() != oracle.outcome() {
        return (Differing::Outcome, engine.outcome().name().to_owned(), oracle.outcome().name().to_owned());
    }
    if engine.gas_used() != oracle.gas_used() {
        return (Differing::Gas, engine.gas_used().to_string(), oracle.gas_used().to_string());
    }
    if !engine.events().eq(oracle.events()) {
        return (Differing::Events, events(&engine), events(&oracle));
    }
    if engine.return_bytes() != oracle.return_bytes() {
        return (Differing::ReturnBytes, hex(engine.return_bytes()), hex(oracle.return_bytes()));
    }
    // A byte of their framing that nobody reads.
    (Differing::Events, hex(engine.record()), hex(oracle.record()))
}

fn events(receipt: &Receipt<'_>) -> String {
    let events = receipt.events().map(|event| format!("{} {}", hex(event.topic), hex(event.data)));
    format!("[{}]", events.collect::<Vec<_>>().join(", "))
}

fn first_write(batch: &Batch, engine: WriteSet<'_>, oracle: WriteSet<'_>) -> Option<Difference> {
    if engine.bytes() == oracle.bytes() {
        return None;
    }
    let (mut engine, mut oracle) = (engine, oracle);
    loop {
        let (ours, theirs) = (engine.next(), oracle.next());
        if ours.map(|item| item.record()) == theirs.map(|item| item.record()) {
            ours?;
            continue;
        }
        // Items are in the order of calls, contracts and keys: the earlier one is what the other side lacks.
        let place = |item: &WriteItem<'_>| (item.call(), contract_of(batch, item), item.key().to_vec());
        let first = ours.iter().chain(&theirs).map(place).min()?;
        let show = |item: Option<WriteItem<'_>>| match item.filter(|item| place(item) == first) {
            None => "no such write".to_owned(),
            Some(item) => item.value().map_or("removed".to_owned(), hex),
        };
        let (call, contract, key) = first.clone();
        return Some(Difference {
            height: batch.height(),
            what: Differing::Write,
            call: Some(call),
            key: Some((contract, key)),
            engine: show(ours),
            oracle: show(theirs),
        });
    }
}

fn contract_of(batch: &Batch, item: &WriteItem<'_>) -> Address {
    // A write set that is wrong may name a call that is not there.
    let called =
        || ((item.call() as usize) < batch.len()).then(|| *batch.target_of(&batch.call(item.call() as usize)).0);
    item.contract().copied().or_else(called).unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        // Writing into a string cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

/// Characters of a value that are shown: values may have 64 KiB.
const SHOWN_MAX: usize = 140;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at height {}", self.what.name(), self.height)?;
        if let Some(call) = self.call {
            write!(f, ", call {call}")?;
        }
        if let Some((contract, key)) = &self.key {
            write!(f, ", contract {}, key {}", hex(contract), hex(key))?;
        }
        let shown = |text: &str| match text.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        };
        write!(f, ": {}, the oracle has {}", shown(&self.engine), shown(&self.oracle))
    }
}

#[cfg(test)]
mod tests {
    use super::{Difference, Differing};
    use crate::batch::{Batch, BatchBuilder, Call};
    use crate::{Deployment, Engine, Executed, Oracle, OracleOutcome};

    const MODULE: &str = r#"(module
        (import "phalanx" "emit" (func $emit (param i32 i32 i32 i32)))
        (import "phalanx" "set" (func $set (param i32 i32 i32 i32)))
        (import "phalanx" "ret" (func $ret (param i32 i32)))
        (memory (export "memory") 1 1)
        (data (i32.const 0) "ab")
        (func (export "m") (result i32)
            (call $emit (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1))
            (call $emit (i32.const 1) (i32.const 1) (i32.const 1) (i32.const 1))
            (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 2))
            (call $ret (i32.const 0) (i32.const 2))
            (i32.const 0)))"#;

    /// Two calls, the second of which leaves everything that a call can leave.
    fn executed() -> (Batch, Executed, OracleOutcome) {
        let module = wat::parse_str(MODULE).expect("the test's module");
        let deployment = Deployment::new([3; 32], [4; 32], &module);
        let (engine, mut oracle) = (Engine::default(), Oracle::new());
        let mut batch = BatchBuilder::new(1, 1);
        batch.push(&deployment.call()).expect("fits");
        let batch = batch.finish();
        oracle.execute_batch(batch.clone()).expect("executes");
        engine.commit(engine.execute_batch(batch).expect("executes")).expect("what was executed last");
        let mut batch = BatchBuilder::new(2, 2);
        for contract in [[9; 32], deployment.contract()] {
            let call = Call { contract, method: "m", sender: [5; 32], arguments: &[], gas_limit: 100_000 };
            batch.push(&call).expect("fits");
        }
        let batch = batch.finish();
        let executed = engine.execute_batch(batch.clone()).expect("executes");
        let outcome = oracle.execute_batch(batch.clone()).expect("executes");
        (Batch::decode(batch).expect("decodes"), executed, outcome)
    }

    /// The second call's receipt has 10 bytes of header, two events of 6 bytes, and two return bytes.
    fn with_byte(from_end: usize, change: u8) -> Difference {
        let (batch, executed, mut outcome) = executed();
        let at = outcome.receipts.len() - from_end;
        outcome.receipts[at] ^= change;
        Difference::between(&batch, &executed, &outcome).expect("a byte differs")
    }

    #[test]
    fn equal_results_are_no_difference() {
        let (batch, executed, outcome) = executed();
        assert_eq!(executed.receipts().nth(1).map(|receipt| receipt.record().len()), Some(24));
        assert_eq!(Difference::between(&batch, &executed, &outcome), None);
    }

    #[test]
    fn the_part_of_the_receipt_that_differs_is_named() {
        let parts = [
            (24 - 4, Differing::Gas),
            (16, Differing::Outcome),
            (10, Differing::Events),
            (13, Differing::Events),
            (1, Differing::ReturnBytes),
        ];
        for (from_end, what) in parts {
            let found = with_byte(from_end, 1);
            assert_eq!((found.what, found.height, found.call), (what, 2, Some(1)), "{found}");
        }
        assert!(with_byte(1, 1).to_string().ends_with("call 1: 0x6162, the oracle has 0x6163"));
    }

    #[test]
    fn a_value_and_a_missing_write_are_named_with_their_key() {
        let (batch, executed, mut outcome) = executed();
        *outcome.writes.last_mut().expect("there is a write") ^= 1;
        let found = Difference::between(&batch, &executed, &outcome).expect("a value differs");
        assert_eq!((found.what, found.call), (Differing::Write, Some(1)));
        assert_eq!(found.key.as_ref().map(|(_, key)| &key[..]), Some(&b"a"[..]));
        assert_eq!((&*found.engine, &*found.oracle), ("0x6162", "0x6163"));
        outcome.writes.clear();
        let found = Difference::between(&batch, &executed, &outcome).expect("a write is missing");
        assert_eq!(found.oracle, "no such write");
    }

    #[test]
    fn another_digest_alone_is_a_difference() {
        let (batch, executed, mut outcome) = executed();
        outcome.digest[0] ^= 1;
        let found = Difference::between(&batch, &executed, &outcome).expect("the digest differs");
        assert_eq!((found.what, found.call), (Differing::Digest, None));
    }
}
