//! What differs between two ABIs, and whether it breaks who knows the older one: callers, readers of answers and events, and the
//! values that a contract has stored.
//!
//! | compatible | breaks |
//! |---|---|
//! | a method, type or slot is added | one is removed |
//! | an enum has another variant behind those it had | a variant is removed, moved or renamed |
//! | `Text<N>` and `Bytes<N>` may be longer | any other change of a type, or of a field's or argument's name |
//! | a slot is called otherwise | a slot's type is another |
//!
//! Any struct may be an event and any enum may be an error, so both count wherever they are used. Docs do not.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{FieldLine, Lines, VariantLine};

/// What kind of thing changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Method,
    Struct,
    Enum,
    Slot,
}

/// How it changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    Added,
    Removed,
    Changed,
}

/// One difference.
#[derive(PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    /// A slot's is its number.
    pub(crate) name: String,
    pub(crate) change: Change,
    pub(crate) breaking: bool,
    /// What it was and what it is, in words.
    pub(crate) what: String,
}

/// An ABI by names; types are text.
#[derive(Default)]
struct Signatures {
    methods: BTreeMap<String, MethodText>,
    structs: BTreeMap<String, Vec<FieldLine>>,
    enums: BTreeMap<String, Vec<VariantLine>>,
    /// Several constants may share a slot: their types and names, sorted.
    slots: BTreeMap<u8, Vec<(String, String)>>,
}

#[derive(Deserialize)]
struct MethodText {
    args: Vec<FieldLine>,
    returns: String,
}

#[derive(Deserialize)]
struct SlotText {
    slot: u8,
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    ty: String,
}

#[derive(Deserialize)]
struct Named<T> {
    #[serde(alias = "fn", alias = "struct", alias = "enum")]
    name: String,
    #[serde(flatten)]
    of: T,
}

#[derive(Deserialize)]
struct Fields {
    fields: Vec<FieldLine>,
}

#[derive(Deserialize)]
struct Variants {
    variants: Vec<VariantLine>,
}

/// The differences between the lines of two ABIs, by kind and name.
pub(crate) fn differences(old: &Lines, new: &Lines) -> Vec<Difference> {
    let (old, new) = (Signatures::of(old), Signatures::of(new));
    let mut found = Vec::new();
    compare(Kind::Method, &old.methods, &new.methods, method_change, &mut found);
    compare(Kind::Struct, &old.structs, &new.structs, |old, new| fields_change("field", old, new), &mut found);
    compare(Kind::Enum, &old.enums, &new.enums, |old, new| variants_change(old, new), &mut found);
    compare(Kind::Slot, &old.slots, &new.slots, |old, new| slot_change(old, new), &mut found);
    found
}

impl Signatures {
    /// Every line has been read once already; one that is not of these forms is left out, as it was then.
    fn of(lines: &Lines) -> Signatures {
        let mut signatures = Signatures::default();
        let named = |line: &str| serde_json::from_str::<Named<MethodText>>(line).ok();
        signatures
            .methods
            .extend(lines.methods.iter().filter_map(|line| named(line.get())).map(|line| (line.name, line.of)));
        let named = |line: &str| serde_json::from_str::<Named<Fields>>(line).ok();
        signatures
            .structs
            .extend(lines.structs.iter().filter_map(|line| named(line.get())).map(|line| (line.name, line.of.fields)));
        let named = |line: &str| serde_json::from_str::<Named<Variants>>(line).ok();
        signatures
            .enums
            .extend(lines.enums.iter().filter_map(|line| named(line.get())).map(|line| (line.name, line.of.variants)));
        for SlotText { slot, name, ty } in lines.slots.iter().filter_map(|line| serde_json::from_str(line.get()).ok()) {
            signatures.slots.entry(slot).or_default().push((ty, name));
        }
        signatures.slots.values_mut().for_each(|constants| constants.sort());
        signatures
    }
}

/// What a comparison found: whether it breaks, and what it is.
type Found = Option<(bool, String)>;

fn compare<N: Ord + ToString, T>(
    kind: Kind,
    old: &BTreeMap<N, T>,
    new: &BTreeMap<N, T>,
    change: impl Fn(&T, &T) -> Found,
    found: &mut Vec<Difference>,
) {
    let mut names: Vec<&N> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let (change, breaking, what) = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => match change(old, new) {
                Some((breaking, what)) => (Change::Changed, breaking, what),
                None => continue,
            },
            (Some(_), None) => (Change::Removed, true, "removed".to_owned()),
            (None, _) => (Change::Added, false, "added".to_owned()),
        };
        found.push(Difference { kind, name: name.to_string(), change, breaking, what });
    }
}

/// Both in one; what breaks decides.
fn both(first: Found, second: Found) -> Found {
    match (first, second) {
        (Some((a, first)), Some((b, second))) => Some((a || b, format!("{first}; {second}"))),
        (first, second) => first.or(second),
    }
}

fn method_change(old: &MethodText, new: &MethodText) -> Found {
    both(fields_change("argument", &old.args, &new.args), type_change("the answer", &old.returns, &new.returns))
}

/// Fields by position: that is how they are encoded; and by name: that is how JSON has them.
fn fields_change(what: &str, old: &[FieldLine], new: &[FieldLine]) -> Found {
    let text = |fields: &[FieldLine]| {
        let fields = fields.iter().map(|field| format!("{}: {}", field.name, field.ty)).collect::<Vec<_>>();
        format!("({})", fields.join(", "))
    };
    let same_names = old.iter().map(|field| &field.name).eq(new.iter().map(|field| &field.name));
    match same_names {
        true => old.iter().zip(new).fold(None, |found, (old, new)| {
            both(found, type_change(&format!("{what} `{}`", old.name), &old.ty, &new.ty))
        }),
        false => Some((true, format!("{what}s were {}, are {}", text(old), text(new)))),
    }
}

fn variants_change(old: &[VariantLine], new: &[VariantLine]) -> Found {
    let mut found = None;
    for (index, variant) in old.iter().enumerate() {
        let (name, fields) = variant.parts();
        let Some((new_name, new_fields)) = new.get(index).map(VariantLine::parts) else {
            found = both(found, Some((true, format!("variant {index} `{name}` is removed"))));
            continue;
        };
        found = both(
            found,
            match name == new_name {
                true => fields_change(&format!("field of `{name}`"), fields, new_fields),
                false => Some((true, format!("variant {index} was `{name}`, is `{new_name}`"))),
            },
        );
    }
    for (index, variant) in new.iter().enumerate().skip(old.len()) {
        found = both(found, Some((false, format!("variant {index} `{}` is added", variant.parts().0))));
    }
    found
}

fn slot_change(old: &[(String, String)], new: &[(String, String)]) -> Found {
    let text =
        |of: &[(String, String)]| of.iter().map(|(ty, name)| format!("{name}: {ty}")).collect::<Vec<_>>().join(" and ");
    if old.len() != new.len() {
        return Some((true, format!("was {}, is {}", text(old), text(new))));
    }
    old.iter().zip(new).fold(None, |found, ((old_type, old_name), (new_type, new_name))| {
        let renamed = (old_name != new_name).then(|| (false, format!("was called {old_name}, is {new_name}")));
        both(both(found, renamed), type_change(&format!("`{new_name}`"), old_type, new_type))
    })
}

fn type_change(what: &str, old: &str, new: &str) -> Found {
    (old != new).then(|| (!grew(old, new), format!("{what} was {old}, is {new}")))
}

/// Whether types differ in nothing but lengths of texts and bytes that grew: the encoding holds the length of each.
fn grew(old: &str, new: &str) -> bool {
    let bounded = |ty: &str| {
        let (mut skeleton, mut bounds, mut rest) = (String::new(), Vec::new(), ty.to_owned());
        while let Some((before, number, behind)) = next_bound(&rest) {
            skeleton.push_str(&before);
            bounds.push(number);
            rest = behind;
        }
        (skeleton + &rest, bounds)
    };
    let ((old, old_bounds), (new, new_bounds)) = (bounded(old), bounded(new));
    old == new && old_bounds.iter().zip(&new_bounds).all(|(old, new)| old <= new)
}

/// The first `Text<N>` or `Bytes<N>` with a literal length: what stands before the length, the length, and what stands behind.
fn next_bound(ty: &str) -> Option<(String, u64, String)> {
    let starts =
        ["Text<", "Bytes<"].into_iter().flat_map(|kind| ty.match_indices(kind).map(|(at, kind)| at + kind.len()));
    let mut starts: Vec<usize> = starts.collect();
    starts.sort_unstable();
    starts.into_iter().find_map(|at| {
        let (before, rest) = ty.split_at(at);
        let end = rest.find('>')?;
        let number = rest[..end].trim_end_matches("usize").replace('_', "").parse().ok()?;
        Some((before.to_owned(), number, rest[end..].to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Abi;
    use super::*;

    const OLD: &str = r#"{"fn":"pay","args":[{"name":"to","type":"Address"},{"name":"memo","type":"Text<8>"}],"returns":"Result<(),Error>"}
{"struct":"Paid","fields":[{"name":"to","type":"Address"}],"doc":"x"}
{"enum":"Error","variants":["Poor",{"name":"Late","fields":[{"name":"0","type":"u8"}]}]}
{"slot":0,"name":"BALANCES","type":"Map<(Address,Bytes<4>),Text<8>>"}"#;

    /// What differs where one text of the old ABI is another: the breaking ones are marked.
    fn change(from: &str, to: &str) -> Vec<String> {
        assert!(OLD.contains(from), "{from}");
        let lines = |text: &str| Abi::parse(text.as_bytes());
        let (old, new) = (lines(OLD), lines(&OLD.replacen(from, to, 1)));
        assert_eq!((old.lines().unknown, new.lines().unknown), (0, 0));
        let found = differences(old.lines(), new.lines());
        found
            .iter()
            .map(|found| format!("{}{}: {}", if found.breaking { "! " } else { "" }, found.name, found.what))
            .collect()
    }

    #[test]
    fn docs_and_order_are_no_difference() {
        assert_eq!(change(r#","doc":"x""#, r#","doc":"y""#), [""; 0]);
        let reversed: String = OLD.lines().rev().map(|line| format!("{line}\n")).collect();
        assert_eq!(change(OLD, &reversed), [""; 0]);
    }

    #[test]
    fn additions_are_compatible() {
        assert_eq!(change("{\"slot", "{\"fn\":\"m\",\"args\":[],\"returns\":\"()\"}\n{\"slot"), ["m: added"]);
        assert_eq!(change("]}]}", "]},\"New\"]}"), ["Error: variant 2 `New` is added"]);
        assert_eq!(
            change("{\"slot\":0", "{\"slot\":1,\"name\":\"N\",\"type\":\"Item<u8>\"}\n{\"slot\":0"),
            ["1: added"]
        );
        assert_eq!(change("BALANCES", "OWNED"), ["0: was called BALANCES, is OWNED"]);
        assert_eq!(change("Text<8>", "Text<9>"), ["pay: argument `memo` was Text<8>, is Text<9>"]);
        let wider = change("Bytes<4>),Text<8>", "Bytes<10>),Text<8>");
        assert_eq!(wider, ["0: `BALANCES` was Map<(Address,Bytes<4>),Text<8>>, is Map<(Address,Bytes<10>),Text<8>>"]);
    }

    #[test]
    fn what_callers_readers_and_stored_values_know_may_not_change() {
        let cases = [
            ("pay", "send", vec!["! pay: removed", "send: added"]),
            (
                "\"to\",\"type\":\"Address\"},",
                "\"to\",\"type\":\"u64\"},",
                vec!["! pay: argument `to` was Address, is u64"],
            ),
            (
                "{\"name\":\"to\",\"type\":\"Address\"},",
                "",
                vec!["! pay: arguments were (to: Address, memo: Text<8>), are (memo: Text<8>)"],
            ),
            ("Text<8>", "Text<7>", vec!["! pay: argument `memo` was Text<8>, is Text<7>"]),
            ("Text<8>", "Bytes<8>", vec!["! pay: argument `memo` was Text<8>, is Bytes<8>"]),
            ("Text<8>", "Text<N>", vec!["! pay: argument `memo` was Text<8>, is Text<N>"]),
            ("Result<(),Error>", "()", vec!["! pay: the answer was Result<(),Error>, is ()"]),
            ("\"Paid\"", "\"Gone\"", vec!["added", "! Paid: removed"]),
            ("\"Poor\",", "", vec!["! Error: variant 0 was `Poor`, is `Late`; variant 1 `Late` is removed"]),
            ("\"u8\"", "\"u16\"", vec!["! Error: field of `Late` `0` was u8, is u16"]),
            ("{\"slot\":0", "{\"slot\":1", vec!["! 0: removed", "1: added"]),
            (
                "Map<",
                "OrderedMap<",
                vec!["! 0: `BALANCES` was Map<(Address,Bytes<4>),Text<8>>, is OrderedMap<(Address,Bytes<4>),Text<8>>"],
            ),
        ];
        for (from, to, expected) in cases {
            let found = change(from, to);
            assert_eq!(found.len(), expected.len(), "{from}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    found.ends_with(expected) && found.starts_with('!') == expected.starts_with('!'),
                    "{from}: {found}"
                );
            }
        }
    }
}
