//! The ABI that a module carries: its methods, types and slots, and JSON to and from the bytes that contracts read.
//!
//! A module describes itself in the custom section `abi`, one JSON object a line; the engine never reads it. Whatever
//! does not parse is left out: a stranger's ABI can spoil the reading of its own contract only.
//!
//! | type | JSON |
//! |---|---|
//! | `u8` `u16` `u32`, `i8` `i16` `i32` | a number, or a decimal string |
//! | `u64` `u128` `i64` `i128` | a decimal string, or a number |
//! | `bool` | `true`, `false` |
//! | `Address`, `[u8; N]`, `[u8]`, `Bytes<N>` | a string, 0x-hex |
//! | `str`, `Text<N>` | a string |
//! | `Option<T>` | `null`, or the value; as a field it may be left out |
//! | tuples, `[T; N]`, structs without field names | an array |
//! | structs | an object |
//! | enums | the variant's name, or `{"Name": fields}` |

mod decode;
pub(crate) mod diff;
mod encode;
mod types;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use wasmparser::{Parser, Payload};

pub(crate) use encode::compact;
use types::Type;

/// Name of the custom section.
pub(crate) const SECTION: &str = "abi";

/// A value nested deeper than this fits no type. Both types and values come from strangers, and both are walked by
/// recursion.
const DEPTH_MAX: usize = 64;

/// What a module says about itself.
#[derive(Debug, Default)]
pub(crate) struct Abi {
    methods: HashMap<String, Method>,
    structs: HashMap<String, Vec<Field>>,
    enums: HashMap<String, Vec<Variant>>,
    lines: Lines,
}

/// The lines as they stand in the module, by kind.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Lines {
    methods: Vec<Box<RawValue>>,
    structs: Vec<Box<RawValue>>,
    enums: Vec<Box<RawValue>>,
    slots: Vec<Box<RawValue>>,
    /// Lines that are none of these.
    #[serde(skip)]
    pub(crate) unknown: usize,
}

#[derive(Debug)]
struct Method {
    arguments: Vec<Field>,
    returns: Type,
}

#[derive(Debug)]
struct Field {
    name: String,
    ty: Type,
}

#[derive(Debug)]
struct Variant {
    name: String,
    fields: Vec<Field>,
}

/// A line of the section. Keys that are not named here (`doc`, later ones) are for others.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Method {
        #[serde(rename = "fn")]
        name: String,
        args: Vec<FieldLine>,
        returns: String,
    },
    Struct {
        #[serde(rename = "struct")]
        name: String,
        fields: Vec<FieldLine>,
    },
    Enum {
        #[serde(rename = "enum")]
        name: String,
        variants: Vec<VariantLine>,
    },
    Slot {
        #[serde(rename = "slot")]
        _number: u8,
    },
}

#[derive(Deserialize)]
struct FieldLine {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum VariantLine {
    Unit(String),
    Fields { name: String, fields: Vec<FieldLine> },
}

impl VariantLine {
    /// Its name and fields.
    fn parts(&self) -> (&str, &[FieldLine]) {
        match self {
            VariantLine::Unit(name) => (name, &[]),
            VariantLine::Fields { name, fields } => (name, fields),
        }
    }
}

/// The bytes of a module's section; `None` if it has none, or is no module.
pub(crate) fn section(module: &[u8]) -> Option<Vec<u8>> {
    let mut section = None;
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::CustomSection(custom) if custom.name() == SECTION => {
                section.get_or_insert_with(Vec::new).extend_from_slice(custom.data());
            }
            _ => {}
        }
    }
    section
}

impl Abi {
    /// The ABI of a module; `None` if it carries none, or is no module.
    pub(crate) fn of_module(module: &[u8]) -> Option<Abi> {
        section(module).map(|section| Abi::parse(&section))
    }

    /// Reads the section's lines.
    pub(crate) fn parse(section: &[u8]) -> Abi {
        let mut abi = Abi::default();
        for line in section.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let parsed = serde_json::from_slice::<Line>(line).ok().zip(serde_json::from_slice(line).ok());
            match parsed {
                Some((line, raw)) => abi.add(line, raw),
                None => abi.lines.unknown += 1,
            }
        }
        abi
    }

    fn add(&mut self, line: Line, raw: Box<RawValue>) {
        match line {
            Line::Method { name, args, returns } => {
                let method = Method { arguments: fields(args), returns: Type::parse(&returns) };
                self.methods.insert(name, method);
                self.lines.methods.push(raw);
            }
            Line::Struct { name, fields: lines } => {
                self.structs.insert(name, fields(lines));
                self.lines.structs.push(raw);
            }
            Line::Enum { name, variants } => {
                let variant = |line| match line {
                    VariantLine::Unit(name) => Variant { name, fields: Vec::new() },
                    VariantLine::Fields { name, fields: lines } => Variant { name, fields: fields(lines) },
                };
                self.enums.insert(name, variants.into_iter().map(variant).collect());
                self.lines.enums.push(raw);
            }
            Line::Slot { .. } => self.lines.slots.push(raw),
        }
    }

    /// Slots that several names have, with the names.
    pub(crate) fn shared_slots(&self) -> Vec<(u8, Vec<String>)> {
        #[derive(Deserialize)]
        struct SlotLine {
            slot: u8,
            name: String,
        }
        let mut names: BTreeMap<u8, Vec<String>> = BTreeMap::new();
        for line in &self.lines.slots {
            if let Ok(SlotLine { slot, name }) = serde_json::from_str(line.get()) {
                names.entry(slot).or_default().push(name);
            }
        }
        names.into_iter().filter(|(_, names)| names.len() > 1).collect()
    }

    /// The lines, for printing.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }
}

fn fields(lines: Vec<FieldLine>) -> Vec<Field> {
    lines.into_iter().map(|line| Field { ty: Type::parse(&line.ty), name: line.name }).collect()
}

/// Whether fields are numbered, as those of a tuple struct are: their JSON is an array.
fn are_numbered(fields: &[Field]) -> bool {
    !fields.is_empty() && fields.iter().enumerate().all(|(index, field)| field.name == index.to_string())
}

#[cfg(test)]
mod tests;
