//! Names that a contract's crate may have.

use super::lock::Locked;

/// Bytes of a name, far more than anybody types, and few enough for the name of a file.
const NAME_BYTES_MAX: usize = 64;

/// Words that no crate may be called: Rust's, those kept for it, and its own crates.
const RESERVED: [&str; 61] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield", // Cargo's own folders and profiles.
    "build",
    "deps",
    "examples",
    "incremental",
    "phalanx",
];

/// Tells why a name cannot be that of a contract.
pub(super) fn check(name: &str, locked: &Locked) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("{} bytes, the limit is {NAME_BYTES_MAX}", name.len()));
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return Err("it does not begin with a lower-case letter".to_owned());
    }
    if let Some(character) = name.chars().find(|character| !u8::try_from(*character).is_ok_and(allowed)) {
        return Err(format!("it contains `{}`", character.escape_debug()));
    }
    if RESERVED.contains(&name.replace('-', "_").as_str()) {
        return Err("it is a word of Rust, of Cargo or of the crate's own folders".to_owned());
    }
    match locked.has(name) {
        true => Err("it is the name of a crate that contracts are built with".to_owned()),
        false => Ok(()),
    }
}
