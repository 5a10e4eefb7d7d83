//! Where results go. Standard output carries the result and nothing else; everything meant for a person goes to
//! standard error.

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::env;
use std::io::{self, BufWriter, IsTerminal, Write, stderr, stdout};

use crate::exit::Failure;

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// One JSON object with a `schema`; integers above 2^53 are strings, bytes are 0x-hex.
    Json,
}

/// Whether messages are coloured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE forces it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether standard error is coloured.
    fn applies(self) -> bool {
        let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR") => false,
            Color::Auto => env::var_os("CLICOLOR_FORCE").is_some_and(|value| value != "0") || stderr().is_terminal(),
        }
    }
}

/// A verb's result.
pub(crate) trait Report: Serialize {
    /// Name and version of the JSON object.
    const SCHEMA: &'static str;

    /// The result for people.
    fn print_human(&self, out: &mut dyn Write) -> io::Result<()>;
}

#[derive(Serialize)]
struct WithSchema<'a, R> {
    schema: &'a str,
    #[serde(flatten)]
    report: &'a R,
}

/// The streams of the command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) format: Format,
    color: bool,
}

impl Output {
    pub(crate) fn new(format: Format, color: Color) -> Output {
        Output { format, color: color.applies() }
    }

    /// Prints a verb's result.
    pub(crate) fn print<R: Report>(&self, report: &R) -> Result<(), Failure> {
        self.write(|out| match self.format {
            Format::Human => report.print_human(out),
            Format::Json => print_json(out, R::SCHEMA, report),
        })
    }

    /// Lends standard output, buffered, and flushes it.
    pub(crate) fn write(&self, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let mut out = BufWriter::new(stdout().lock());
        body(&mut out).and_then(|()| out.flush()).map_err(|error| Failure::of_stdout(&error))
    }

    /// A warning, on standard error.
    pub(crate) fn warn(&self, text: &str) {
        self.message("33", "warning", text);
    }

    /// A failure, on standard error: what happened, and what to do.
    pub(crate) fn fail(&self, failure: &Failure) {
        self.message("31", "error", &failure.cause);
        self.message("36", "  fix", &failure.fix);
    }

    /// A line on standard error. Standard error that cannot be written to leaves nobody to tell.
    pub(crate) fn note(&self, text: &str) {
        _ = writeln!(stderr().lock(), "{text}");
    }

    fn message(&self, color: &str, label: &str, text: &str) {
        match self.color {
            true => self.note(&format!("\x1b[1;{color}m{label}:\x1b[0m {text}")),
            false => self.note(&format!("{label}: {text}")),
        }
    }
}

/// One JSON object with its schema, on a line.
pub(crate) fn print_json(out: &mut dyn Write, schema: &str, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &WithSchema { schema, report })?;
    out.write_all(b"\n")
}

/// Prints rows of a label and a value, the values below each other.
pub(crate) fn print_rows(out: &mut dyn Write, rows: &[(&str, String)]) -> io::Result<()> {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    for (label, value) in rows {
        writeln!(out, "{label:width$}  {value}")?;
    }
    Ok(())
}

/// An integer that JSON readers with doubles read exactly: a number up to 2^53, a string above.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Integer(pub(crate) u64);

impl Serialize for Integer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 <= 1 << 53 {
            true => serializer.serialize_u64(self.0),
            false => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Integer, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "an integer, or a string of one")]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Integer(number)),
            Written::Text(text) => text.parse().map(Integer).map_err(de::Error::custom),
        }
    }
}

/// Bytes that are hex in JSON.
pub(crate) fn as_hex<S: serde::Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::hex::hex(bytes.as_ref()))
}

/// A stranger's text on one line, without what a terminal would take for orders.
pub(crate) fn printable(text: &str) -> String {
    let escaped = |character: char| match character {
        '"' | '\'' => character.to_string(),
        _ => character.escape_debug().collect(),
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::Integer;

    #[test]
    fn integers_that_a_double_cannot_hold_are_strings() {
        assert_eq!(serde_json::to_string(&Integer(1 << 53)).ok().as_deref(), Some("9007199254740992"));
        assert_eq!(serde_json::to_string(&Integer((1 << 53) + 1)).ok().as_deref(), Some("\"9007199254740993\""));
        for (text, number) in
            [("7", Some(7)), ("\"9007199254740993\"", Some((1 << 53) + 1)), ("-1", None), ("\"a\"", None)]
        {
            let read: Option<Integer> = serde_json::from_str(text).ok();
            assert_eq!(read.map(|integer| integer.0), number);
        }
    }
}
