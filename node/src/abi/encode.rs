//! JSON to the bytes that contracts read.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

use super::types::Type;
use super::{Abi, DEPTH_MAX, Field, Variant, are_numbered};
use crate::hex::parse_hex;

/// Why arguments fit no entry of the ABI.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// There is no such method.
    #[error("the ABI has no method `{0}`")]
    UnknownMethod(String),
    /// A value is not of its type.
    #[error("`{}`: {what}", field.as_deref().unwrap_or("args"))]
    Value {
        /// The innermost field with a name: the one to look at.
        field: Option<String>,
        /// What is wrong with it.
        what: String,
    },
}

impl Misfit {
    fn within(self, name: &str) -> Misfit {
        match self {
            Misfit::Value { field: None, what } => Misfit::Value { field: Some(name.to_owned()), what },
            named => named,
        }
    }
}

impl From<String> for Misfit {
    fn from(what: String) -> Misfit {
        Misfit::Value { field: None, what }
    }
}

impl From<&str> for Misfit {
    fn from(what: &str) -> Misfit {
        what.to_owned().into()
    }
}

type Encoded = Result<(), Misfit>;

/// Arguments stop being encoded above this many bytes, far beyond what a call may carry: fields that may be left out
/// let a short text stand for a long encoding.
const ENCODED_BYTES_MAX: usize = 1 << 20;

impl Abi {
    /// Encodes the arguments of a method from a JSON object with a field for each.
    ///
    /// # Errors
    /// [`Misfit`]: the arguments have no encoding.
    pub(crate) fn encode_arguments(&self, method: &str, json: &RawValue) -> Result<Vec<u8>, Misfit> {
        let Some(signature) = self.methods.get(method) else {
            return Err(Misfit::UnknownMethod(method.to_owned()));
        };
        let mut out = Vec::new();
        self.named_fields(&signature.arguments, json, &mut out, DEPTH_MAX)?;
        Ok(out)
    }

    /// What is sent in the place of arguments that have no encoding: their compact JSON, with a space behind it where it would happen
    /// to be an encoding of other arguments, which it then is not. So a method does not run with what nobody meant.
    pub(crate) fn unfit_arguments(&self, method: &str, json: &RawValue) -> Vec<u8> {
        let mut bytes = compact(json);
        if self.decode_arguments(method.as_bytes(), &bytes).is_some() {
            bytes.push(b' ');
        }
        bytes
    }

    fn value(&self, ty: &Type, json: &RawValue, out: &mut Vec<u8>, depth: usize) -> Encoded {
        let depth = depth.checked_sub(1).ok_or("the value is nested too deeply")?;
        if out.len() > ENCODED_BYTES_MAX {
            return Err(format!("longer than {ENCODED_BYTES_MAX} bytes").into());
        }
        match ty {
            Type::Unsigned(width) => unsigned(json, *width, out),
            Type::Signed(width) => signed(json, *width, out),
            Type::Bool => {
                out.push(u8::from(read::<bool>(json, "true or false")?));
                Ok(())
            }
            Type::FixedBytes(length) => {
                let bytes = parse_hex(&text(json)?)?;
                if bytes.len() != *length {
                    return Err(format!("{} bytes, the type has {length}", bytes.len()).into());
                }
                out.extend_from_slice(&bytes);
                Ok(())
            }
            Type::Bytes => with_length(&parse_hex(&text(json)?)?, out),
            Type::Text => with_length(text(json)?.as_bytes(), out),
            Type::Option(_) if json.get() == "null" => {
                out.push(0);
                Ok(())
            }
            Type::Option(some) => {
                out.push(1);
                self.value(some, json, out, depth)
            }
            Type::Tuple(types) => self.sequence(types.iter(), json, out, depth),
            Type::Array(element, length) => self.sequence(std::iter::repeat_n(&**element, *length), json, out, depth),
            Type::List(element) => {
                let values: Vec<&RawValue> = read(json, "an array")?;
                let length = u32::try_from(values.len()).map_err(|_| "more than 2^32 - 1 elements")?;
                out.extend_from_slice(&length.to_le_bytes());
                values.into_iter().try_for_each(|value| self.value(element, value, out, depth))
            }
            Type::Named(name) => self.named(name, json, out, depth),
            Type::Result(..) => Err("a Result is no argument".into()),
            Type::Unknown(name) => Err(format!("type `{name}` has no JSON form").into()),
        }
    }

    fn named(&self, name: &str, json: &RawValue, out: &mut Vec<u8>, depth: usize) -> Encoded {
        if let Some(fields) = self.structs.get(name) {
            return self.fields(fields, json, out, depth);
        }
        let variants = self.enums.get(name).ok_or_else(|| format!("type `{name}` is not in the ABI"))?;
        let (variant, content) = match json.get().starts_with('"') {
            true => (text(json)?, None),
            false => {
                let Object(mut named) = read(json, "a variant's name or an object with one")?;
                match (named.pop(), named.is_empty()) {
                    (Some((variant, content)), true) => (variant, Some(content)),
                    _ => return Err("an object with one field names a variant".into()),
                }
            }
        };
        let named = |(_, candidate): &(u8, &Variant)| candidate.name == variant;
        let (index, Variant { fields, .. }) =
            (0..=u8::MAX).zip(variants).find(named).ok_or_else(|| format!("`{name}` has no variant `{variant}`"))?;
        out.push(index);
        match content {
            None if fields.is_empty() => Ok(()),
            None => Err(format!("variant `{variant}` has fields").into()),
            Some(content) => self.fields(fields, content, out, depth),
        }
    }

    fn fields(&self, fields: &[Field], json: &RawValue, out: &mut Vec<u8>, depth: usize) -> Encoded {
        match are_numbered(fields) {
            true => self.sequence(fields.iter().map(|field| &field.ty), json, out, depth),
            false => self.named_fields(fields, json, out, depth),
        }
    }

    fn named_fields(&self, fields: &[Field], json: &RawValue, out: &mut Vec<u8>, depth: usize) -> Encoded {
        let Object(given) = read(json, "an object with a field for each name")?;
        if let Some((name, _)) = given.iter().find(|(name, _)| !fields.iter().any(|field| field.name == *name)) {
            return Err(format!("there is no field `{name}`").into());
        }
        for (index, (name, _)) in given.iter().enumerate() {
            if given[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!("field `{name}` is given twice").into());
            }
        }
        for field in fields {
            match given.iter().find(|(name, _)| *name == field.name) {
                Some((name, json)) => self.value(&field.ty, json, out, depth).map_err(|misfit| misfit.within(name))?,
                None if matches!(field.ty, Type::Option(_)) => out.push(0),
                None => return Err(format!("field `{}` is missing", field.name).into()),
            }
        }
        Ok(())
    }

    fn sequence<'t>(
        &self,
        types: impl ExactSizeIterator<Item = &'t Type>,
        json: &RawValue,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Encoded {
        let values: Vec<&RawValue> = read(json, "an array")?;
        if values.len() != types.len() {
            return Err(format!("{} elements, the type has {}", values.len(), types.len()).into());
        }
        types.zip(values).try_for_each(|(ty, json)| self.value(ty, json, out, depth))
    }
}

/// An object's fields in their order, repeated ones too.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn read<'a, T: Deserialize<'a>>(json: &'a RawValue, expected: &str) -> Result<T, String> {
    serde_json::from_str(json.get()).map_err(|_| format!("{} is not {expected}", shortened(json.get())))
}

fn text(json: &RawValue) -> Result<Cow<'_, str>, String> {
    read::<Name<'_>>(json, "a string").map(|Name(text)| text)
}

fn shortened(json: &str) -> Cow<'_, str> {
    match json.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &json[..end]).into(),
        None => json.into(),
    }
}

fn with_length(bytes: &[u8], out: &mut Vec<u8>) -> Encoded {
    let length = u32::try_from(bytes.len()).map_err(|_| "longer than 4 GiB")?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// The digits of an integer, from a number or a string: never by way of a float.
fn digits(json: &RawValue) -> Result<Cow<'_, str>, String> {
    let text = match json.get().starts_with('"') {
        true => text(json)?,
        false => json.get().into(),
    };
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    match !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text),
        false => Err(format!("{} is no decimal integer", shortened(json.get()))),
    }
}

fn unsigned(json: &RawValue, width: usize, out: &mut Vec<u8>) -> Encoded {
    let digits = digits(json)?;
    let fits = |number: &u128| width == 16 || *number >> (8 * width) == 0;
    let number = digits.parse().ok().filter(fits);
    let number = number.ok_or_else(|| format!("{} is no u{}", shortened(&digits), 8 * width))?;
    out.extend_from_slice(&number.to_le_bytes()[..width]);
    Ok(())
}

fn signed(json: &RawValue, width: usize, out: &mut Vec<u8>) -> Encoded {
    let digits = digits(json)?;
    let spare = 128 - 8 * width;
    let fits = |number: &i128| number << spare >> spare == *number;
    let number = digits.parse().ok().filter(fits);
    let number = number.ok_or_else(|| format!("{} is no i{}", shortened(&digits), 8 * width))?;
    out.extend_from_slice(&number.to_le_bytes()[..width]);
    Ok(())
}

/// JSON without the white space between its tokens: what is sent where no encoding fits. Numbers, escapes and the order of
/// keys stay as they were written.
pub(crate) fn compact(json: &RawValue) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(json.get().len());
    let (mut in_string, mut escaped) = (false, false);
    for &byte in json.get().as_bytes() {
        if in_string || !byte.is_ascii_whitespace() {
            bytes.push(byte);
        }
        if escaped {
            escaped = false;
        } else if byte == b'"' {
            in_string = !in_string;
        } else {
            escaped = in_string && byte == b'\\';
        }
    }
    bytes
}
