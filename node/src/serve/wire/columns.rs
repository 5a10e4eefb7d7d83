//! Many calls in columns: what a client claims of their lengths is checked once, then each call is read in place.

use phalanx_engine::limits::{BATCH_CALLS_MAX, BATCH_TARGETS_MAX};
use phalanx_engine::{Address, CallsSize, Signed};
use phalanx_proto::{Bytes, v1};
use std::collections::HashMap;

use super::super::refusal::Refusal;
use super::calls::{Borrowed, check_method};
use super::{address, detach};

const TARGET_NUMBER_BYTES: usize = 2;
const SENDER_BYTES: usize = 32;
const GAS_LIMIT_BYTES: usize = 4;
const END_BYTES: usize = 4;

/// Checked columns.
pub(super) struct Columns {
    calls: usize,
    targets: Vec<v1::Target>,
    /// Empty: all calls go to the first target.
    target_numbers: Bytes,
    senders: Column<SENDER_BYTES>,
    gas_limits: Column<GAS_LIMIT_BYTES>,
    ends: Ends,
    arguments: Bytes,
    /// Of the calls that are signed, in order.
    signatures: Vec<Signature>,
}

/// What makes a call a signed one.
struct Signature {
    call: usize,
    id: [u8; 16],
    signature: [u8; 64],
}

/// A value for each call, or one for all.
struct Column<const N: usize> {
    bytes: Bytes,
    /// Bytes from a call's value to the next one's: 0 if it is one for all.
    stride: usize,
}

enum Ends {
    /// All arguments have this length.
    Length(usize),
    /// Each call's own.
    Each(Bytes),
}

impl<const N: usize> Column<N> {
    fn check(field: &'static str, bytes: Bytes, calls: usize) -> Result<Column<N>, Refusal> {
        let length = bytes.len();
        let stride = if length == N * calls {
            N
        } else if length == N {
            0
        } else {
            let what = format_args!("{length} bytes, {calls} calls have {} or, for all, {N}", N * calls);
            return Err(Refusal::malformed(field, what));
        };
        Ok(Column { bytes, stride })
    }

    #[inline]
    fn at(&self, index: usize) -> &[u8; N] {
        self.bytes[self.stride * index..].first_chunk().expect("the column's length was checked")
    }
}

impl Columns {
    /// Checks columns, and counts what they add to a batch.
    pub(super) fn check(message: v1::CallColumns) -> Result<(Columns, CallsSize), Refusal> {
        let calls = message.calls as usize;
        let limited = |field, limit, actual: usize, max: usize| match actual <= max {
            true => Ok(()),
            false => Err(Refusal::limit(field, limit, actual as u64, max as u64)),
        };
        limited("columns.calls", "batch_calls", calls, BATCH_CALLS_MAX)?;
        limited("columns.targets", "batch_targets", message.targets.len(), BATCH_TARGETS_MAX)?;
        if calls == 0 {
            return Err(Refusal::malformed("columns.calls", "there are no calls"));
        }
        let mut size = CallsSize::default();
        for (number, target) in message.targets.iter().enumerate() {
            address(format_args!("columns.targets[{number}].contract"), &target.contract)?;
            check_method(format_args!("columns.targets[{number}].method"), &target.method)?;
            size.add_target(target.method.len());
        }
        check_target_numbers(&message.target_numbers, calls, message.targets.len())?;
        let gas_limits = Column::check("columns.gas_limits", message.gas_limits, calls)?;
        let columns = Columns {
            calls,
            targets: message.targets,
            target_numbers: message.target_numbers,
            senders: Column::check("columns.senders", message.senders, calls)?,
            gas_limits,
            ends: Ends::check(message.argument_ends, calls, message.arguments.len())?,
            arguments: message.arguments,
            signatures: Vec::new(),
        };
        let gas = (0..calls).map(|index| u64::from(columns.gas_limit(index))).sum();
        size.add_calls(calls as u64, columns.arguments.len() as u64, gas);
        Ok((columns, size))
    }

    /// Shares nothing with the message any more.
    pub(super) fn detach(&mut self) {
        let ends = match &mut self.ends {
            Ends::Length(_) => None,
            Ends::Each(ends) => Some(ends),
        };
        let columns =
            [&mut self.target_numbers, &mut self.senders.bytes, &mut self.gas_limits.bytes, &mut self.arguments];
        let targets = self.targets.iter_mut().map(|target| &mut target.contract);
        detach(columns.into_iter().chain(ends).chain(targets));
    }

    /// How many calls are signed.
    pub(super) fn signed(&self) -> u32 {
        self.signatures.len() as u32
    }

    /// The calls, in order.
    pub(super) fn calls(&self) -> impl Iterator<Item = Borrowed<'_>> {
        let mut signatures = self.signatures.iter().peekable();
        (0..self.calls).map(move |index| {
            let signature = signatures.next_if(|next| next.call == index);
            Borrowed { signed: signature.map(Signature::borrow), ..self.call(index) }
        })
    }

    /// Contract and method of each target.
    pub(super) fn targets(&self) -> impl Iterator<Item = (&Address, &str)> {
        self.targets.iter().map(|target| (target.contract[..].try_into().expect("32 bytes"), &*target.method))
    }

    #[inline]
    pub(super) fn target_number(&self, index: usize) -> usize {
        number_at(&self.target_numbers, index)
    }

    #[inline]
    fn sender(&self, index: usize) -> &Address {
        self.senders.at(index)
    }

    #[inline]
    fn gas_limit(&self, index: usize) -> u32 {
        u32::from_le_bytes(*self.gas_limits.at(index))
    }

    #[inline]
    fn arguments(&self, index: usize) -> &[u8] {
        match &self.ends {
            Ends::Length(length) => &self.arguments[index * length..(index + 1) * length],
            Ends::Each(ends) => {
                let start = index.checked_sub(1).map_or(0, |before| end_at(ends, before));
                &self.arguments[start..end_at(ends, index)]
            }
        }
    }

    /// A call, without its signature.
    #[inline]
    fn call(&self, index: usize) -> Borrowed<'_> {
        let target = &self.targets[self.target_number(index)];
        Borrowed {
            contract: target.contract[..].try_into().expect("32 bytes"),
            method: &target.method,
            sender: self.sender(index),
            arguments: self.arguments(index),
            gas_limit: self.gas_limit(index),
            signed: None,
        }
    }
}

impl Signature {
    fn borrow(&self) -> Signed<'_> {
        Signed { id: &self.id, signature: &self.signature }
    }
}

/// Columns that are made of calls of a list.
pub(super) struct Gathered {
    targets: Vec<v1::Target>,
    /// Numbers of the targets, by contract and method.
    numbers: HashMap<Address, HashMap<String, u16>>,
    target_numbers: Vec<u8>,
    senders: Vec<u8>,
    gas_limits: Vec<u8>,
    ends: Vec<u8>,
    arguments: Vec<u8>,
    signatures: Vec<Signature>,
    calls: usize,
}

impl Gathered {
    /// With room for the calls of a list.
    pub(super) fn new(list: &v1::CallList) -> Gathered {
        let calls = list.len();
        Gathered {
            targets: Vec::new(),
            numbers: HashMap::new(),
            target_numbers: Vec::with_capacity(TARGET_NUMBER_BYTES * calls),
            senders: Vec::with_capacity(SENDER_BYTES * calls),
            gas_limits: Vec::with_capacity(GAS_LIMIT_BYTES * calls),
            ends: Vec::with_capacity(END_BYTES * calls),
            // They are a part of what is encoded, besides addresses.
            arguments: Vec::with_capacity(list.encoded_bytes().saturating_sub(2 * SENDER_BYTES * calls)),
            signatures: Vec::new(),
            calls: 0,
        }
    }

    /// Puts a checked call behind the others, and counts its target if it is a new one. There are no more than a batch holds.
    pub(super) fn push(&mut self, call: &Borrowed<'_>, size: &mut CallsSize) {
        let number = self.number(call, size);
        self.target_numbers.extend_from_slice(&number.to_le_bytes());
        self.senders.extend_from_slice(call.sender);
        self.gas_limits.extend_from_slice(&call.gas_limit.to_le_bytes());
        self.arguments.extend_from_slice(call.arguments);
        // A message is far below 4 GiB.
        self.ends.extend_from_slice(&(self.arguments.len() as u32).to_le_bytes());
        if let Some(Signed { id, signature }) = call.signed {
            self.signatures.push(Signature { call: self.calls, id: *id, signature: *signature });
        }
        self.calls += 1;
    }

    fn number(&mut self, call: &Borrowed<'_>, size: &mut CallsSize) -> u16 {
        // Most calls go where the one before went.
        let before = self.target_numbers.last_chunk().map(|number| u16::from_le_bytes(*number));
        let is_same = |target: &v1::Target| target.contract[..] == call.contract[..] && target.method == call.method;
        if let Some(number) = before
            && is_same(&self.targets[usize::from(number)])
        {
            return number;
        }
        let methods = self.numbers.entry(*call.contract).or_default();
        methods.get(call.method).copied().unwrap_or_else(|| {
            size.add_target(call.method.len());
            let number = self.targets.len() as u16;
            let (contract, method) = (Bytes::copy_from_slice(call.contract), call.method.to_owned());
            self.targets.push(v1::Target { contract, method });
            methods.insert(call.method.to_owned(), number);
            number
        })
    }

    pub(super) fn into_columns(mut self) -> Columns {
        // What was encoded besides, of which a client may send as much as it likes, is not kept until the calls are answered.
        self.arguments.shrink_to_fit();
        let one_target = self.targets.len() < 2;
        Columns {
            calls: self.calls,
            targets: self.targets,
            target_numbers: if one_target { Bytes::new() } else { self.target_numbers.into() },
            senders: Column { bytes: self.senders.into(), stride: SENDER_BYTES },
            gas_limits: Column { bytes: self.gas_limits.into(), stride: GAS_LIMIT_BYTES },
            ends: Ends::Each(self.ends.into()),
            arguments: self.arguments.into(),
            signatures: self.signatures,
        }
    }
}

fn number_at(numbers: &[u8], index: usize) -> usize {
    match numbers.get(TARGET_NUMBER_BYTES * index..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => usize::from(u16::from_le_bytes(*bytes)),
        None => 0,
    }
}

fn check_target_numbers(numbers: &[u8], calls: usize, targets: usize) -> Result<(), Refusal> {
    let field = "columns.target_numbers";
    let expected = TARGET_NUMBER_BYTES * calls;
    if !numbers.is_empty() && numbers.len() != expected {
        let what = format_args!("{} bytes, {calls} calls have {expected} or none", numbers.len());
        return Err(Refusal::malformed(field, what));
    }
    let named = if numbers.is_empty() { 1 } else { calls };
    match (0..named).map(|index| (index, number_at(numbers, index))).find(|(_, number)| *number >= targets) {
        None => Ok(()),
        Some((index, number)) => {
            let what = format_args!("call {index} goes to target {number}, there are {targets}");
            Err(Refusal::malformed(field, what))
        }
    }
}

fn end_at(ends: &[u8], index: usize) -> usize {
    let bytes = ends[END_BYTES * index..].first_chunk().expect("the column's length was checked");
    u32::from_le_bytes(*bytes) as usize
}

impl Ends {
    fn check(ends: Bytes, calls: usize, arguments: usize) -> Result<Ends, Refusal> {
        let field = "columns.argument_ends";
        if ends.is_empty() {
            return match arguments.is_multiple_of(calls) {
                true => Ok(Ends::Length(arguments / calls)),
                false => {
                    let what =
                        format_args!("none, and {arguments} bytes of arguments are no equal parts for {calls} calls");
                    Err(Refusal::malformed(field, what))
                }
            };
        }
        let expected = END_BYTES * calls;
        if ends.len() != expected {
            let what = format_args!("{} bytes, {calls} calls have {expected} or none", ends.len());
            return Err(Refusal::malformed(field, what));
        }
        let mut start = 0;
        for index in 0..calls {
            let end = end_at(&ends, index);
            if end < start || end > arguments {
                let what = format_args!("call {index} ends at {end}, it begins at {start} of {arguments} bytes");
                return Err(Refusal::malformed(field, what));
            }
            start = end;
        }
        match start == arguments {
            true => Ok(Ends::Each(ends)),
            false => {
                let what = format_args!("the last call ends at {start}, there are {arguments} bytes of arguments");
                Err(Refusal::malformed(field, what))
            }
        }
    }
}

#[cfg(test)]
mod tests;
