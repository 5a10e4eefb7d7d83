//! The bytes of contracts to JSON.

use phalanx_engine::Outcome;
use serde_json::{Map, Value};

use super::types::Type;
use super::{Abi, DEPTH_MAX, Field, are_numbered};
use crate::hex::hex;

/// Values that one decoding makes: a type without bytes can be repeated without end by a few letters of an ABI.
const VALUES_MAX: usize = 100_000;

impl Abi {
    /// Arguments of a method as a JSON object; `None` if they are not what the ABI says.
    pub(crate) fn decode_arguments(&self, method: &[u8], bytes: &[u8]) -> Option<Value> {
        let method = self.methods.get(std::str::from_utf8(method).ok()?)?;
        self.whole(bytes, |reader| reader.named_fields(&method.arguments, DEPTH_MAX))
    }

    /// What a method returned, or its error if it reverted.
    pub(crate) fn decode_return(&self, method: &[u8], outcome: Outcome, bytes: &[u8]) -> Option<Value> {
        let method = self.methods.get(std::str::from_utf8(method).ok()?)?;
        let ty = match (&method.returns, outcome) {
            (Type::Result(ok, _), Outcome::Ok) => ok,
            (Type::Result(_, error), Outcome::Reverted) => error,
            (ty, Outcome::Ok) => ty,
            _ => return None,
        };
        self.whole(bytes, |reader| reader.value(ty, DEPTH_MAX))
    }

    /// An event whose topic is the name of a struct or enum.
    pub(crate) fn decode_event(&self, topic: &[u8], data: &[u8]) -> Option<Value> {
        let name = std::str::from_utf8(topic).ok()?;
        self.whole(data, |reader| reader.named(name, DEPTH_MAX))
    }

    fn whole<'a>(&'a self, bytes: &'a [u8], read: impl FnOnce(&mut Reader<'a>) -> Option<Value>) -> Option<Value> {
        let mut reader = Reader { abi: self, bytes, values_left: VALUES_MAX };
        let value = read(&mut reader)?;
        reader.bytes.is_empty().then_some(value)
    }
}

struct Reader<'a> {
    abi: &'a Abi,
    bytes: &'a [u8],
    values_left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, ty: &Type, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.values_left = self.values_left.checked_sub(1)?;
        Some(match ty {
            Type::Unsigned(width) => {
                let number = self.integer(*width)?;
                if *width <= 4 { Value::from(number as u64) } else { number.to_string().into() }
            }
            Type::Signed(width) => {
                let spare = 128 - 8 * width;
                let number = self.integer(*width)?.cast_signed() << spare >> spare;
                if *width <= 4 { Value::from(number as i64) } else { number.to_string().into() }
            }
            Type::Bool => self.flag()?.into(),
            Type::FixedBytes(length) => hex(self.take(*length)?).into(),
            Type::Bytes => hex(self.with_length()?).into(),
            Type::Text => std::str::from_utf8(self.with_length()?).ok()?.into(),
            Type::Option(some) => match self.flag()? {
                true => self.value(some, depth)?,
                false => Value::Null,
            },
            Type::Tuple(types) => self.sequence(types.iter(), depth)?,
            Type::Array(element, length) => self.sequence(std::iter::repeat_n(&**element, *length), depth)?,
            Type::List(element) => {
                let length = self.length()?;
                self.sequence(std::iter::repeat_n(&**element, length), depth)?
            }
            Type::Named(name) => self.named(name, depth)?,
            Type::Result(..) | Type::Unknown(_) => return None,
        })
    }

    fn named(&mut self, name: &str, depth: usize) -> Option<Value> {
        let abi = self.abi;
        if let Some(fields) = abi.structs.get(name) {
            return self.fields(fields, depth);
        }
        let variants = abi.enums.get(name)?;
        let variant = variants.get(usize::from(self.take(1)?[0]))?;
        if variant.fields.is_empty() {
            return Some(variant.name.clone().into());
        }
        let fields = self.fields(&variant.fields, depth)?;
        Some(Map::from_iter([(variant.name.clone(), fields)]).into())
    }

    fn fields(&mut self, fields: &[Field], depth: usize) -> Option<Value> {
        match are_numbered(fields) {
            true => self.sequence(fields.iter().map(|field| &field.ty), depth),
            false => self.named_fields(fields, depth),
        }
    }

    fn named_fields(&mut self, fields: &[Field], depth: usize) -> Option<Value> {
        let values = fields.iter().map(|field| Some((field.name.clone(), self.value(&field.ty, depth)?)));
        values.collect::<Option<Map<_, _>>>().map(Value::Object)
    }

    fn sequence<'t>(&mut self, types: impl Iterator<Item = &'t Type>, depth: usize) -> Option<Value> {
        types.map(|ty| self.value(ty, depth)).collect::<Option<Vec<_>>>().map(Value::Array)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn with_length(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.take(4)?.try_into().ok()?)).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn integer(&mut self, width: usize) -> Option<u128> {
        let mut bytes = [0; 16];
        bytes[..width].copy_from_slice(self.take(width)?);
        Some(u128::from_le_bytes(bytes))
    }
}
