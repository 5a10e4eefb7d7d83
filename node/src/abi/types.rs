//! Types as an ABI names them: Rust's notation without spaces, paths, references and lifetimes.

use super::DEPTH_MAX;

/// A type of the ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// An unsigned integer of this many bytes.
    Unsigned(usize),
    /// A signed integer of this many bytes.
    Signed(usize),
    Bool,
    /// A fixed number of bytes.
    FixedBytes(usize),
    /// A length and bytes.
    Bytes,
    /// A length and UTF-8.
    Text,
    Option(Box<Type>),
    /// What a method returns: the first on success, the second in a reverted call.
    Result(Box<Type>, Box<Type>),
    Tuple(Vec<Type>),
    Array(Box<Type>, usize),
    /// A number of elements, and the elements.
    List(Box<Type>),
    /// A struct or enum of the same ABI.
    Named(String),
    /// Something that has no JSON here.
    Unknown(String),
}

impl Type {
    /// Reads a type's name.
    pub(super) fn parse(name: &str) -> Type {
        let mut rest = name;
        match parse(&mut rest, DEPTH_MAX) {
            Some(ty) if rest.is_empty() => ty,
            _ => Type::Unknown(name.to_owned()),
        }
    }
}

fn parse(rest: &mut &str, depth: usize) -> Option<Type> {
    let depth = depth.checked_sub(1)?;
    if eat(rest, "(") {
        return Some(Type::Tuple(list(rest, ")", depth)?));
    }
    if eat(rest, "[") {
        let element = parse(rest, depth)?;
        if eat(rest, "]") {
            return (element == Type::Unsigned(1)).then_some(Type::Bytes);
        }
        let length = eat(rest, ";").then(|| length(until(rest, "]"))).flatten()?;
        return eat(rest, "]").then(|| match element {
            Type::Unsigned(1) => Type::FixedBytes(length),
            element => Type::Array(Box::new(element), length),
        });
    }
    let end = rest.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    *rest = behind;
    match name {
        "" => None,
        "Bytes" | "Text" => {
            // The length is the contract's to check; it may be a constant's name.
            let bounded = eat(rest, "<") && !until(rest, ">").is_empty() && eat(rest, ">");
            bounded.then_some(if name == "Text" { Type::Text } else { Type::Bytes })
        }
        _ if eat(rest, "<") => generic(name, list(rest, ">", depth)?),
        _ => Some(plain(name)),
    }
}

fn plain(name: &str) -> Type {
    match name {
        "u8" => Type::Unsigned(1),
        "u16" => Type::Unsigned(2),
        "u32" => Type::Unsigned(4),
        "u64" => Type::Unsigned(8),
        "u128" => Type::Unsigned(16),
        "i8" => Type::Signed(1),
        "i16" => Type::Signed(2),
        "i32" => Type::Signed(4),
        "i64" => Type::Signed(8),
        "i128" => Type::Signed(16),
        "bool" => Type::Bool,
        "Address" => Type::FixedBytes(32),
        "str" | "String" => Type::Text,
        // The SDK's answer of a refused add has nothing to tell.
        "Refused" => Type::Tuple(Vec::new()),
        _ => Type::Named(name.to_owned()),
    }
}

fn generic(name: &str, mut of: Vec<Type>) -> Option<Type> {
    match (name, of.len()) {
        ("Option", 1) => Some(Type::Option(Box::new(of.pop()?))),
        ("Vec", 1) => Some(match of.pop()? {
            // The same bytes, and hex is shorter.
            Type::Unsigned(1) => Type::Bytes,
            element => Type::List(Box::new(element)),
        }),
        ("Result", 2) => {
            let error = of.pop()?;
            Some(Type::Result(Box::new(of.pop()?), Box::new(error)))
        }
        _ => None,
    }
}

/// Types up to a closing bracket; a comma may stand behind the last.
fn list(rest: &mut &str, close: &str, depth: usize) -> Option<Vec<Type>> {
    let mut types = Vec::new();
    while !eat(rest, close) {
        types.push(parse(rest, depth)?);
        if !eat(rest, ",") {
            return eat(rest, close).then_some(types);
        }
    }
    Some(types)
}

fn eat(rest: &mut &str, token: &str) -> bool {
    match rest.strip_prefix(token) {
        Some(behind) => {
            *rest = behind;
            true
        }
        None => false,
    }
}

/// What stands before a token, which is left.
fn until<'a>(rest: &mut &'a str, token: &str) -> &'a str {
    let (before, behind) = rest.split_at(rest.find(token).unwrap_or(rest.len()));
    *rest = behind;
    before
}

/// An array's length, if it is a literal.
fn length(text: &str) -> Option<usize> {
    text.trim_end_matches("usize").replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Type;

    #[test]
    fn names_are_read_as_the_macros_write_them() {
        let boxed = |ty| Box::new(ty);
        let cases = [
            ("u128", Type::Unsigned(16)),
            ("[u8]", Type::Bytes),
            ("[u8;32]", Type::FixedBytes(32)),
            ("[u16;2usize]", Type::Array(boxed(Type::Unsigned(2)), 2)),
            ("Text<NAME_BYTES>", Type::Text),
            ("String", Type::Text),
            ("Vec<u8>", Type::Bytes),
            ("Vec<u64>", Type::List(boxed(Type::Unsigned(8)))),
            ("Option<(Address,i8)>", Type::Option(boxed(Type::Tuple(vec![Type::FixedBytes(32), Type::Signed(1)])))),
            ("Result<(),Error>", Type::Result(boxed(Type::Tuple(vec![])), boxed(Type::Named("Error".to_owned())))),
            ("()", Type::Tuple(vec![])),
        ];
        for (name, ty) in cases {
            assert_eq!(Type::parse(name), ty, "{name}");
        }
    }

    #[test]
    fn what_is_no_type_is_unknown() {
        let nested = "(".repeat(100_000);
        for name in
            ["", "u8>", "[u8;N]", "[u16]", "Vec<u8,u8>", "Vec<>", "Option<u8,u8>", "Option<", "Text<", "(u8", &nested]
        {
            assert_eq!(Type::parse(name), Type::Unknown(name.to_owned()));
        }
    }
}
