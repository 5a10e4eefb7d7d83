//! `CallList` as it is on the wire, with calls that are read in place.
//!
//! Decoded into a message each, a call would cost more than it takes to execute: a place in a list, five slices that count their users,
//! a name. A node looks at each call once, and a client makes it once.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{
    DecodeContext, WireType, check_wire_type, decode_key, decode_varint, encode_key, encode_varint, message, skip_field,
};
use prost::{DecodeError, Message};
use std::fmt::{self, Debug, Formatter};

use crate::bounded::ELEMENTS_KEPT;
use crate::v1::Call;

/// Number of the field `calls`.
const CALLS: u32 = 1;
/// Bytes before a call, at most: the field's key, and a length of 32 bits.
const PREFIX_BYTES_MAX: usize = 6;
/// How many times as much as is there a list that is decoded makes room for, as far as so much may come: so little of it is moved.
const GROWTH: usize = 16;

/// Calls, a message each, encoded. Decoding keeps at most 65,537, one above the limit. None may have an `id` unless it is signed: a submission is
/// known by its place in a session.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct CallList {
    /// Fields `calls`, one behind the other.
    encoded: Vec<u8>,
    calls: usize,
}

/// A call of a list. What is not in its message is empty, or 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ListedCall<'a> {
    /// Id of the contract.
    pub contract: &'a [u8],
    /// Name of the method.
    pub method: &'a str,
    /// Address of who calls.
    pub sender: &'a [u8],
    /// The arguments.
    pub arguments: &'a [u8],
    /// Most gas that the call may use.
    pub gas_limit: u64,
    /// The sender's id for the call.
    pub id: Option<&'a [u8]>,
    /// The sender's signature.
    pub signature: Option<&'a [u8]>,
}

impl CallList {
    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.calls
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.calls == 0
    }

    /// Bytes of all calls, encoded.
    pub fn encoded_bytes(&self) -> usize {
        self.encoded.len()
    }

    /// Puts a call behind the others.
    pub fn push(&mut self, call: &Call) {
        message::encode(CALLS, call, &mut self.encoded);
        self.calls += 1;
    }

    /// The calls, in order. Behind an error there are none.
    pub fn calls(&self) -> ListedCalls<'_> {
        ListedCalls { rest: &self.encoded }
    }

    /// Takes one in that is encoded, in a buffer that begins with its length.
    fn push_encoded(&mut self, buf: &mut impl Buf) -> Result<(), DecodeError> {
        let length = usize::try_from(decode_varint(buf)?).unwrap_or(usize::MAX);
        if length > buf.remaining() {
            return Err(too_short());
        }
        let needed = PREFIX_BYTES_MAX + length;
        if self.encoded.capacity() - self.encoded.len() < needed {
            // What is left of the message is calls, as a rule, but others pay for it if it is not.
            let expected = needed.max(GROWTH * self.encoded.len());
            self.encoded.reserve_exact(expected.min(PREFIX_BYTES_MAX + buf.remaining()));
        }
        encode_key(CALLS, WireType::LengthDelimited, &mut self.encoded);
        encode_varint(length as u64, &mut self.encoded);
        self.encoded.put(buf.take(length));
        self.calls += 1;
        Ok(())
    }
}

impl<'a> FromIterator<&'a Call> for CallList {
    fn from_iter<I: IntoIterator<Item = &'a Call>>(calls: I) -> Self {
        let mut list = CallList::default();
        calls.into_iter().for_each(|call| list.push(call));
        list
    }
}

impl Debug for CallList {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.calls()).finish()
    }
}

/// See [`CallList::calls`].
#[derive(Clone, Debug)]
pub struct ListedCalls<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ListedCalls<'a> {
    type Item = Result<ListedCall<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let call = key(&mut self.rest).and_then(|_| delimited(&mut self.rest)).and_then(ListedCall::decode);
        if call.is_err() {
            self.rest = &[];
        }
        Some(call)
    }
}

impl<'a> ListedCall<'a> {
    /// Reads the fields of a `Call`. Of a field that is there more than once the last one counts, as everywhere.
    fn decode(mut rest: &'a [u8]) -> Result<ListedCall<'a>, DecodeError> {
        let mut call = ListedCall::default();
        while !rest.is_empty() {
            let (number, wire_type) = key(&mut rest)?;
            let mut bytes = || {
                check_wire_type(WireType::LengthDelimited, wire_type)?;
                delimited(&mut rest)
            };
            match number {
                1 => call.contract = bytes()?,
                2 => call.method = std::str::from_utf8(bytes()?).map_err(|_| not_text())?,
                3 => call.sender = bytes()?,
                4 => call.arguments = bytes()?,
                5 => {
                    check_wire_type(WireType::Varint, wire_type)?;
                    call.gas_limit = varint(&mut rest)?;
                }
                6 => call.id = Some(bytes()?),
                7 => call.signature = Some(bytes()?),
                _ => skip_field(wire_type, number, &mut rest, DecodeContext::default())?,
            }
        }
        Ok(call)
    }
}

impl<'a> From<&'a Call> for ListedCall<'a> {
    fn from(call: &'a Call) -> Self {
        let Call { contract, method, sender, arguments, gas_limit, id, signature } = call;
        let (id, signature) = (id.as_deref(), signature.as_deref());
        ListedCall { contract, method, sender, arguments, gas_limit: *gas_limit, id, signature }
    }
}

/// Takes off an integer. Nearly all are one byte, for which no function need be called.
#[inline]
fn varint(rest: &mut &[u8]) -> Result<u64, DecodeError> {
    match rest.split_first() {
        Some((&byte, behind)) if byte < 0x80 => {
            *rest = behind;
            Ok(byte.into())
        }
        _ => decode_varint(rest),
    }
}

/// Takes off a field's number and the type of what comes behind it, the same way.
#[inline]
fn key(rest: &mut &[u8]) -> Result<(u32, WireType), DecodeError> {
    match rest.split_first() {
        Some((&byte, behind)) if (0x08..0x80).contains(&byte) => {
            *rest = behind;
            Ok((u32::from(byte >> 3), WireType::try_from(u64::from(byte & 7))?))
        }
        _ => decode_key(rest),
    }
}

/// Takes off bytes with their length before them.
fn delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = usize::try_from(varint(rest)?).unwrap_or(usize::MAX);
    let (bytes, behind) = rest.split_at_checked(length).ok_or_else(too_short)?;
    *rest = behind;
    Ok(bytes)
}

#[expect(deprecated, reason = "it is how generated code says it, and there is no other way from outside")]
fn too_short() -> DecodeError {
    DecodeError::new("a call ends within a field")
}

#[expect(deprecated, reason = "as above")]
fn not_text() -> DecodeError {
    DecodeError::new("the method is not UTF-8")
}

impl Message for CallList {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(&self.encoded);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        if tag != CALLS || self.calls == ELEMENTS_KEPT {
            return skip_field(wire_type, tag, buf, ctx);
        }
        check_wire_type(WireType::LengthDelimited, wire_type)?;
        self.push_encoded(buf)
    }

    fn encoded_len(&self) -> usize {
        self.encoded.len()
    }

    fn clear(&mut self) {
        *self = CallList::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_makes_room_for_its_calls_and_not_for_what_is_none() {
        let call = Call { method: "transfer".to_owned(), arguments: vec![7; 48].into(), ..Call::default() };
        let encoded = CallList::from_iter([&call; 5_000]).encode_to_vec();
        let list = CallList::decode(&encoded[..]).expect("it is well formed");
        assert!(list.encoded == encoded && list.encoded.capacity() <= encoded.len() + 2 * PREFIX_BYTES_MAX);

        // A field that nobody knows, behind one call.
        let mut padded = CallList::from_iter([&call]).encode_to_vec();
        let one = padded.len();
        encode_key(9, WireType::LengthDelimited, &mut padded);
        encode_varint(1 << 20, &mut padded);
        padded.resize(padded.len() + (1 << 20), 0);
        let list = CallList::decode(&padded[..]).expect("it is well formed");
        assert!(list.len() == 1 && list.encoded.capacity() <= GROWTH * one, "{} bytes", list.encoded.capacity());
    }
}
