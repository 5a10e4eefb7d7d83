//! The bytes of a receipt.
//!
//! ```text
//! receipt  length u32 | gas used u32 | outcome u8 | events u8 | event… | return bytes
//! event    topic length u8 | 0 u8 | data length u16 | topic | data
//! ```
//!
//! The length counts the whole record; the return bytes are what is left behind the events.

use crate::outcome::Outcome;
use std::borrow::Cow;

pub(crate) const RECEIPT_HEADER_BYTES: usize = 10;
const EVENT_HEADER_BYTES: usize = 4;

/// Fills in the header of the receipt that starts at `start` and ends with the buffer.
#[inline]
pub(crate) fn seal(buffer: &mut [u8], start: usize, outcome: Outcome, gas_used: u64, events: u8) {
    let length = buffer.len() - start;
    let header = &mut buffer[start..start + RECEIPT_HEADER_BYTES];
    header[..4].copy_from_slice(&(length as u32).to_le_bytes());
    header[4..8].copy_from_slice(&(gas_used as u32).to_le_bytes());
    header[8] = outcome.code();
    header[9] = events;
}

/// Appends an event. Lengths have been checked against the limits.
#[inline]
pub(crate) fn push_event(buffer: &mut Vec<u8>, topic: &[u8], data: &[u8]) {
    let length = (data.len() as u16).to_le_bytes();
    buffer.extend_from_slice(&[topic.len() as u8, 0, length[0], length[1]]);
    buffer.extend_from_slice(topic);
    buffer.extend_from_slice(data);
}

/// The receipts of a batch, in the order of its calls.
#[derive(Clone, Copy, Debug)]
pub struct Receipts<'a> {
    bytes: &'a [u8],
    /// The pieces behind, which begin with a whole receipt each.
    rest: &'a [Vec<u8>],
}

impl<'a> Receipts<'a> {
    /// Reads encoded receipts, as the engine made them.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, rest: &[] }
    }

    pub(crate) fn of_pieces(rest: &'a [Vec<u8>]) -> Self {
        Self { bytes: &[], rest }
    }

    /// The encoded receipts, in one piece.
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        in_one_piece(self.bytes, self.rest)
    }
}

impl<'a> Iterator for Receipts<'a> {
    type Item = Receipt<'a>;

    fn next(&mut self) -> Option<Receipt<'a>> {
        while self.bytes.is_empty() {
            (self.bytes, self.rest) = self.rest.split_first()?;
        }
        let length = u32::from_le_bytes(*self.bytes.first_chunk()?) as usize;
        if length < RECEIPT_HEADER_BYTES {
            return None;
        }
        let (record, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(Receipt { record })
    }
}

/// Pieces put together.
pub(crate) fn in_one_piece<'a>(first: &'a [u8], rest: &[Vec<u8>]) -> Cow<'a, [u8]> {
    if rest.is_empty() {
        return Cow::Borrowed(first);
    }
    let mut whole = Vec::with_capacity(first.len() + rest.iter().map(Vec::len).sum::<usize>());
    whole.extend_from_slice(first);
    rest.iter().for_each(|piece| whole.extend_from_slice(piece));
    Cow::Owned(whole)
}

/// What a call left behind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt<'a> {
    record: &'a [u8],
}

impl<'a> Receipt<'a> {
    /// The encoded receipt.
    pub fn record(&self) -> &'a [u8] {
        self.record
    }

    /// How the call ended.
    ///
    /// # Panics
    /// If the bytes were not made by the engine.
    pub fn outcome(&self) -> Outcome {
        Outcome::from_code(self.record[8]).expect("receipts are made by the engine")
    }

    /// Gas used.
    pub fn gas_used(&self) -> u64 {
        u64::from(u32::from_le_bytes([4, 5, 6, 7].map(|at| self.record[at])))
    }

    /// The events, in the order in which they were emitted.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        let mut rest = &self.record[RECEIPT_HEADER_BYTES..];
        (0..self.record[9]).map_while(move |_| {
            let (event, behind) = split_event(rest)?;
            rest = behind;
            Some(event)
        })
    }

    /// What the method returned.
    pub fn return_bytes(&self) -> &'a [u8] {
        let mut rest = &self.record[RECEIPT_HEADER_BYTES..];
        for _ in 0..self.record[9] {
            rest = split_event(rest).map_or(&[], |(_, behind)| behind);
        }
        rest
    }
}

/// One event of a receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// What kind it is; the SDK writes the type's name.
    pub topic: &'a [u8],
    /// The encoded event.
    pub data: &'a [u8],
}

fn split_event(bytes: &[u8]) -> Option<(Event<'_>, &[u8])> {
    let header = bytes.first_chunk::<EVENT_HEADER_BYTES>()?;
    let (topic, rest) = bytes[EVENT_HEADER_BYTES..].split_at_checked(usize::from(header[0]))?;
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([header[2], header[3]])))?;
    Some((Event { topic, data }, rest))
}
