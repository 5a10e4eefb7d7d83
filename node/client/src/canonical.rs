//! The history in canonical bytes, taken apart: slices of the message, with no copy and no allocation a call.

use phalanx_proto::v1;

use crate::ClientError;

const CALL_HEADER_BYTES: usize = 44;
const RECEIPT_HEADER_BYTES: usize = 10;
const WRITE_HEADER_BYTES: usize = 12;
const EVENT_HEADER_BYTES: usize = 4;
const FLAG_ID: u16 = 1;
const FLAG_SIGNATURE: u16 = 2;
const FLAG_SUBMISSION: u16 = 4;
const SUBMISSION_BYTES: usize = 24;
const WRITE_REMOVED: u8 = 1;
const WRITE_ELSEWHERE: u8 = 2;
const WRITE_MODULE_HASH: u8 = 4;

/// A call of the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CanonicalCall<'a> {
    /// Its index in its height.
    pub index: u32,
    /// The call, if calls were asked for.
    pub call: Option<CallRecord<'a>>,
    /// Its receipt, if receipts were asked for.
    pub receipt: Option<ReceiptRecord<'a>>,
}

/// What was called, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallRecord<'a> {
    /// Id of the contract.
    pub contract: &'a [u8],
    /// Name of the method.
    pub method: &'a str,
    /// Who called: 32 bytes.
    pub sender: &'a [u8],
    /// The arguments.
    pub arguments: &'a [u8],
    /// Most gas that the call might use.
    pub gas_limit: u32,
    /// The sender's id of the call: 16 bytes.
    pub id: Option<&'a [u8]>,
    /// The sender's signature: 64 bytes.
    pub signature: Option<&'a [u8]>,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiptRecord<'a> {
    /// The outcome's code, a [`v1::Outcome`].
    pub outcome: u8,
    /// Gas that was used.
    pub gas_used: u32,
    /// What it returned.
    pub return_bytes: &'a [u8],
    events: &'a [u8],
}

impl<'a> ReceiptRecord<'a> {
    /// The topic and the data of each event, in order.
    pub fn events(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut left = Bytes(self.events);
        std::iter::from_fn(move || left.event())
    }
}

/// A write of the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WriteRecord<'a> {
    /// Index of the call in its height.
    pub call: u32,
    /// Id of the contract whose key it is; `None`: the one that the call named.
    pub contract: Option<&'a [u8]>,
    /// The key.
    pub key: &'a [u8],
    /// What became of the key.
    pub change: Change<'a>,
}

/// What a write made of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<'a> {
    /// The key has this value now.
    Value(&'a [u8]),
    /// The key was removed.
    Removed,
    /// The value is a module, which the call's arguments hold, with this blake3 hash.
    ModuleHash(&'a [u8]),
}

/// The calls of a message, each with what was asked for of it.
///
/// # Errors
/// [`ClientError::Answer`] for bytes that are not what the node promises; behind it nothing comes.
pub fn canonical_calls(message: &v1::CanonicalCalls) -> impl Iterator<Item = Result<CanonicalCall<'_>, ClientError>> {
    let mut targets: Vec<&v1::CanonicalTarget> = message.targets.iter().collect();
    targets.sort_unstable_by_key(|target| target.number);
    let (mut calls, mut receipts) = (Bytes(&message.calls), Bytes(&message.receipts));
    let (with_calls, with_receipts) = (!message.calls.is_empty(), !message.receipts.is_empty());
    let one = move |index: Option<&u32>| -> Result<Option<CanonicalCall<'_>>, ClientError> {
        let Some(index) = index else {
            let all = calls.0.is_empty() && receipts.0.is_empty();
            return if all { Ok(None) } else { Err(ClientError::Answer("more canonical bytes than calls")) };
        };
        let call = match with_calls {
            true => Some(calls.call(&targets).ok_or(ClientError::Answer("a call that ends within its bytes"))?),
            false => None,
        };
        let receipt = match with_receipts {
            true => Some(receipts.receipt().ok_or(ClientError::Answer("a receipt that ends within its bytes"))?),
            false => None,
        };
        Ok(Some(CanonicalCall { index: *index, call, receipt }))
    };
    each(message.indexes.iter(), one)
}

/// The writes of a message.
///
/// # Errors
/// As of [`canonical_calls`].
pub fn canonical_writes(message: &v1::CanonicalCalls) -> impl Iterator<Item = Result<WriteRecord<'_>, ClientError>> {
    let mut left = Bytes(&message.writes);
    each(std::iter::empty(), move |_: Option<()>| match left.0 {
        [] => Ok(None),
        _ => left.write().map(Some).ok_or(ClientError::Answer("a write that ends within its bytes")),
    })
}

/// What `next` answers, up to the first error.
fn each<I: Iterator, T>(
    mut items: I,
    mut next: impl FnMut(Option<I::Item>) -> Result<Option<T>, ClientError>,
) -> impl Iterator<Item = Result<T, ClientError>> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let item = next(items.next()).transpose();
        is_over = !matches!(item, Some(Ok(_)));
        item
    })
}

/// Bytes that are taken from the front.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// A record that begins with its length, which is at least that of its header.
    fn record(&mut self, header: usize) -> Option<(&'a [u8], Bytes<'a>)> {
        let length = u32_at(self.0.get(..4)?, 0) as usize;
        let (head, rest) = self.take(length)?.split_at_checked(header)?;
        Some((head, Bytes(rest)))
    }

    /// `targets`: in the order of their numbers.
    fn call(&mut self, targets: &[&'a v1::CanonicalTarget]) -> Option<CallRecord<'a>> {
        let (head, mut rest) = self.record(CALL_HEADER_BYTES)?;
        let target = targets.binary_search_by_key(&u16_at(head, 8).into(), |target| target.number).ok()?;
        let target = targets[target];
        let flags = u16_at(head, 10);
        let mut part = |flag: u16, length: usize| match flags & flag {
            0 => Some(None),
            _ => rest.take(length).map(Some),
        };
        let (id, signature) = (part(FLAG_ID, 16)?, part(FLAG_SIGNATURE, 64)?);
        part(FLAG_SUBMISSION, SUBMISSION_BYTES)?;
        Some(CallRecord {
            contract: &target.contract,
            method: &target.method,
            sender: &head[12..],
            arguments: rest.0,
            gas_limit: u32_at(head, 4),
            id,
            signature,
        })
    }

    fn receipt(&mut self) -> Option<ReceiptRecord<'a>> {
        let (head, mut rest) = self.record(RECEIPT_HEADER_BYTES)?;
        let events = rest.0;
        for _ in 0..head[9] {
            rest.event()?;
        }
        let events = &events[..events.len() - rest.0.len()];
        Some(ReceiptRecord { outcome: head[8], gas_used: u32_at(head, 4), return_bytes: rest.0, events })
    }

    fn event(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let head = self.take(EVENT_HEADER_BYTES)?;
        Some((self.take(head[0].into())?, self.take(u16_at(head, 2).into())?))
    }

    fn write(&mut self) -> Option<WriteRecord<'a>> {
        let head = self.take(WRITE_HEADER_BYTES)?;
        let flags = head[4];
        let contract = match flags & WRITE_ELSEWHERE {
            0 => None,
            _ => Some(self.take(32)?),
        };
        let (key, value) = (self.take(u16_at(head, 6).into())?, self.take(u32_at(head, 8) as usize)?);
        let change = match flags & (WRITE_REMOVED | WRITE_MODULE_HASH) {
            0 => Change::Value(value),
            WRITE_MODULE_HASH => Change::ModuleHash(value),
            _ => Change::Removed,
        };
        Some(WriteRecord { call: u32_at(head, 0), contract, key, change })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call with an id and a submission that begins, its receipt with two events, and three writes.
    fn message() -> v1::CanonicalCalls {
        let record = |rest: &[&[u8]]| {
            let rest = rest.concat();
            [&(4 + rest.len() as u32).to_le_bytes()[..], &rest].concat()
        };
        let flags = FLAG_ID | FLAG_SUBMISSION;
        let head = [&9u32.to_le_bytes()[..], &3u16.to_le_bytes(), &flags.to_le_bytes(), &[7; 32]].concat();
        let call = record(&[&head, &[1; 16], &[2; 24], b"arguments"]);
        let event = |topic: &[u8], data: &[u8]| {
            [&[topic.len() as u8, 0], &(data.len() as u16).to_le_bytes()[..], topic, data].concat()
        };
        let receipt = record(&[&5u32.to_le_bytes(), &[0, 2], &event(b"t", b"data"), &event(b"", b""), b"returned"]);
        let write = |flags: u8, contract: &[u8], value: &[u8]| {
            let lengths = [&1u16.to_le_bytes()[..], &(value.len() as u32).to_le_bytes()].concat();
            [&6u32.to_le_bytes()[..], &[flags, 0], &lengths, contract, b"k", value].concat()
        };
        let writes =
            [write(0, &[], b"value"), write(WRITE_REMOVED | WRITE_ELSEWHERE, &[4; 32], b""), write(4, &[], &[8; 32])];
        let target = v1::CanonicalTarget { number: 3, contract: vec![9; 32].into(), method: "m".into() };
        v1::CanonicalCalls {
            indexes: vec![6],
            targets: vec![v1::CanonicalTarget { number: 5, ..target.clone() }, target],
            calls: call.into(),
            receipts: receipt.into(),
            writes: writes.concat().into(),
        }
    }

    #[test]
    fn records_are_taken_apart() {
        let message = message();
        let [Ok(only)] = &canonical_calls(&message).collect::<Vec<_>>()[..] else { panic!("there is one call") };
        let call = only.call.expect("it was asked for");
        assert_eq!((only.index, call.gas_limit, call.contract, call.method), (6, 9, &[9; 32][..], "m"));
        assert_eq!((call.sender, call.arguments), (&[7; 32][..], &b"arguments"[..]));
        assert_eq!((call.id, call.signature), (Some(&[1; 16][..]), None));
        let receipt = only.receipt.expect("it was asked for");
        assert_eq!((receipt.outcome, receipt.gas_used, receipt.return_bytes), (0, 5, &b"returned"[..]));
        assert_eq!(receipt.events().collect::<Vec<_>>(), [(&b"t"[..], &b"data"[..]), (b"", b"")]);
        let writes: Vec<_> = canonical_writes(&message).map(|write| write.expect("it is whole")).collect();
        let write = |contract, change| WriteRecord { call: 6, contract, key: b"k", change };
        let elsewhere = Some(&[4; 32][..]);
        let changes =
            [(None, Change::Value(b"value")), (elsewhere, Change::Removed), (None, Change::ModuleHash(&[8; 32]))];
        assert_eq!(writes, changes.map(|(contract, change)| write(contract, change)));
        assert_eq!(canonical_calls(&v1::CanonicalCalls::default()).count(), 0);
    }

    #[test]
    fn bytes_that_are_cut_short_or_too_many_are_errors() {
        let whole = message();
        type Field = fn(&mut v1::CanonicalCalls) -> &mut phalanx_proto::Bytes;
        let fields: [Field; 3] = [|it| &mut it.calls, |it| &mut it.receipts, |it| &mut it.writes];
        let is_whole = |message: &v1::CanonicalCalls| {
            canonical_calls(message).all(|call| call.is_ok()) && canonical_writes(message).all(|write| write.is_ok())
        };
        assert!(is_whole(&whole));
        for (at, field) in fields.into_iter().enumerate() {
            let length = field(&mut whole.clone()).len();
            for cut in 1..length {
                let mut short = whole.clone();
                field(&mut short).truncate(cut);
                let ends_between_writes = at == 2 && [18, 63].contains(&cut);
                assert_eq!(is_whole(&short), ends_between_writes, "cut to {cut} of {length}");
            }
            let mut long = whole.clone();
            let more = [&field(&mut long)[..], &[0]].concat();
            *field(&mut long) = more.into();
            assert!(!is_whole(&long));
        }
        let strange = v1::CanonicalCalls { targets: Vec::new(), ..whole.clone() };
        assert!(!is_whole(&strange), "a target is not there");
        let missing = v1::CanonicalCalls { indexes: vec![6, 7], ..whole };
        assert_eq!(canonical_calls(&missing).map(|call| call.is_ok()).collect::<Vec<_>>(), [true, false]);
    }
}
