//! The history as a server sends it: encoded call by call from what it is kept as, without messages of their own in between.
//!
//! A height is told to many, and each call of it has a dozen fields. Made into messages and encoded for every one who is told,
//! they would cost more than executing the call did. The fields are those of `types.proto` and `query.proto`; what is called
//! here is what generated code calls.

use prost::bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::encoding::{
    DecodeContext, WireType, bytes, encode_key, encode_varint, encoded_len_varint, key_len, message, skip_field, uint64,
};
use prost::{DecodeError, Message};

use crate::v1::{CanonicalCalls, Cursor};

/// Numbers of the fields `calls` and `canonical`.
const CALLS: u32 = 3;
const CANONICAL: u32 = 5;
/// Numbers of `calls`, `receipts` and `writes` in a `CanonicalCalls`.
const CANONICAL_COLUMNS: [u32; 3] = [3, 4, 5];
/// Bytes of a length below 128.
const SHORT_LENGTH_BYTES: usize = 1;

/// A `SubscribeResponse` whose calls are encoded. The bytes on the wire are the same.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EncodedSubscribeResponse {
    /// The height.
    pub height: u64,
    /// When its batch was cut, in milliseconds since 1970.
    pub time_ms: u64,
    /// Any number of fields `calls`, as [`push_call`] makes them.
    pub calls: Bytes,
    /// Where to go on behind this message.
    pub next: Option<Cursor>,
    /// The calls in canonical bytes instead.
    pub canonical: Option<EncodedCanonicalCalls>,
}

/// A `CanonicalCalls` in pieces, which need not be copied before they are sent. The bytes on the wire are the same.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EncodedCanonicalCalls {
    /// The fields `indexes` and `targets`, encoded.
    pub head: Bytes,
    /// `calls`.
    pub calls: Bytes,
    /// `receipts`.
    pub receipts: Bytes,
    /// `writes`.
    pub writes: Bytes,
}

impl EncodedCanonicalCalls {
    /// Bytes of all pieces.
    pub fn piece_bytes(&self) -> usize {
        self.head.len() + self.columns().map(|(_, column)| column.len()).sum::<usize>()
    }

    /// Those that are not empty, with the numbers of their fields.
    fn columns(&self) -> impl Iterator<Item = (u32, &Bytes)> {
        let columns = CANONICAL_COLUMNS.into_iter().zip([&self.calls, &self.receipts, &self.writes]);
        columns.filter(|(_, column)| !column.is_empty())
    }

    fn length(&self) -> usize {
        self.head.len() + self.columns().map(|(number, column)| bytes::encoded_len(number, column)).sum::<usize>()
    }

    /// As a field.
    fn encode(&self, buf: &mut impl BufMut) {
        encode_key(CANONICAL, WireType::LengthDelimited, buf);
        encode_varint(self.length() as u64, buf);
        buf.put_slice(&self.head);
        self.columns().for_each(|(number, column)| bytes::encode(number, column, buf));
    }

    /// Length of the field.
    fn encoded_len(&self) -> usize {
        let length = self.length();
        key_len(CANONICAL) + encoded_len_varint(length as u64) + length
    }
}

impl From<CanonicalCalls> for EncodedCanonicalCalls {
    fn from(message: CanonicalCalls) -> Self {
        let CanonicalCalls { indexes, targets, calls, receipts, writes } = message;
        let head = CanonicalCalls { indexes, targets, ..CanonicalCalls::default() };
        Self { head: head.encode_to_vec().into(), calls, receipts, writes }
    }
}

/// Appends a field `calls` of a `SubscribeResponse`; `call` writes the fields of its `HistoryCall`.
pub fn push_call(calls: &mut Vec<u8>, call: impl FnOnce(&mut Fields<'_>)) {
    Fields(calls).message(CALLS, call);
}

/// Appends fields of a message, in the order of their numbers.
pub struct Fields<'a>(&'a mut Vec<u8>);

impl<'a> Fields<'a> {
    /// Appends them there.
    pub fn of(encoded: &'a mut Vec<u8>) -> Self {
        Self(encoded)
    }
}

impl Fields<'_> {
    /// An integer; nothing if it is 0.
    pub fn integer(&mut self, number: u32, value: u64) {
        if value != 0 {
            self.optional_integer(number, value);
        }
    }

    /// An integer that is there also if it is 0.
    pub fn optional_integer(&mut self, number: u32, value: u64) {
        self.key(number, WireType::Varint);
        self.varint(value);
    }

    /// Bytes, or text; nothing if there are none.
    pub fn bytes(&mut self, number: u32, value: &[u8]) {
        if !value.is_empty() {
            self.optional_bytes(number, value);
        }
    }

    /// Bytes that are there also if there are none.
    pub fn optional_bytes(&mut self, number: u32, value: &[u8]) {
        self.key(number, WireType::LengthDelimited);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A field's number and the type of what comes behind it.
    #[inline]
    fn key(&mut self, number: u32, wire_type: WireType) {
        self.varint(u64::from(number << 3 | wire_type as u32));
    }

    /// Nearly all are one byte, for which no function need be called.
    #[inline]
    fn varint(&mut self, value: u64) {
        if value < 0x80 {
            self.0.push(value as u8);
        } else {
            encode_varint(value, self.0);
        }
    }

    /// Integers, packed; nothing if there are none.
    pub fn integers(&mut self, number: u32, values: impl Iterator<Item = u64> + Clone) {
        let length: usize = values.clone().map(encoded_len_varint).sum();
        if length > 0 {
            self.key(number, WireType::LengthDelimited);
            self.varint(length as u64);
            values.for_each(|value| self.varint(value));
        }
    }

    /// A message, whose fields `body` writes.
    pub fn message(&mut self, number: u32, body: impl FnOnce(&mut Fields<'_>)) {
        self.key(number, WireType::LengthDelimited);
        // Its length comes first and is known last. Nearly all are short; for a longer one what was written makes room.
        self.0.push(0);
        let start = self.0.len();
        body(&mut Fields(self.0));
        let length = self.0.len() - start;
        let mut encoded = [0; 10];
        let mut rest = &mut encoded[..];
        encode_varint(length as u64, &mut rest);
        let taken = 10 - rest.len();
        if taken > SHORT_LENGTH_BYTES {
            self.0.extend_from_slice(&[0; 10][SHORT_LENGTH_BYTES..taken]);
            self.0.copy_within(start..start + length, start + taken - SHORT_LENGTH_BYTES);
        }
        let place = start - SHORT_LENGTH_BYTES;
        self.0[place..place + taken].copy_from_slice(&encoded[..taken]);
    }
}

impl Message for EncodedSubscribeResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        if self.height != 0 {
            uint64::encode(1, &self.height, buf);
        }
        if self.time_ms != 0 {
            uint64::encode(2, &self.time_ms, buf);
        }
        buf.put_slice(&self.calls);
        if let Some(next) = &self.next {
            message::encode(4, next, buf);
        }
        self.canonical.iter().for_each(|canonical| canonical.encode(buf));
    }

    // Nobody but a test decodes what servers alone encode: whoever is told has the generated type.
    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            1 => uint64::merge(wire_type, &mut self.height, buf, ctx),
            2 => uint64::merge(wire_type, &mut self.time_ms, buf, ctx),
            CALLS => {
                let mut field = Bytes::new();
                bytes::merge(wire_type, &mut field, buf, ctx)?;
                let mut fields = BytesMut::from(&self.calls[..]);
                bytes::encode(tag, &field, &mut fields);
                self.calls = fields.freeze();
                Ok(())
            }
            CANONICAL => {
                let mut told = CanonicalCalls::default();
                message::merge(wire_type, &mut told, buf, ctx)?;
                self.canonical = Some(told.into());
                Ok(())
            }
            4 => message::merge(wire_type, self.next.get_or_insert_default(), buf, ctx),
            _ => skip_field(wire_type, tag, buf, ctx),
        }
    }

    fn encoded_len(&self) -> usize {
        let integer = |number, value: &u64| if *value == 0 { 0 } else { uint64::encoded_len(number, value) };
        let next = self.next.as_ref().map_or(0, |next| message::encoded_len(4, next));
        let canonical = self.canonical.as_ref().map_or(0, EncodedCanonicalCalls::encoded_len);
        integer(1, &self.height) + integer(2, &self.time_ms) + self.calls.len() + next + canonical
    }

    fn clear(&mut self) {
        *self = EncodedSubscribeResponse::default();
    }
}
