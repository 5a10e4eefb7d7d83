//! The codec against the borsh crate, and against ABIs that strangers write.

use super::encode::Misfit;
use super::{Abi, compact};
use borsh::BorshSerialize;
use phalanx_engine::Outcome;
use serde_json::json;
use serde_json::value::RawValue;

const LINES: &str = r#"
{"fn":"all","args":[{"name":"small","type":"u8"},{"name":"large","type":"u128"},{"name":"signed","type":"i64"},{"name":"flag","type":"bool"},{"name":"to","type":"Address"},{"name":"bytes","type":"[u8]"},{"name":"text","type":"str"},{"name":"memo","type":"Option<Text<8>>"},{"name":"pair","type":"(u16,i8)"},{"name":"row","type":"[u32;3]"},{"name":"order","type":"Order"},{"name":"sides","type":"[Side;3]"}],"returns":"Result<u64,Error>","doc":""}
{"struct":"Order","fields":[{"name":"price","type":"u64"},{"name":"point","type":"Point"}],"doc":""}
{"struct":"Point","fields":[{"name":"0","type":"i16"},{"name":"1","type":"i16"}],"doc":""}
{"enum":"Side","variants":["Buy",{"name":"Limit","fields":[{"name":"price","type":"u64"}]},{"name":"Both","fields":[{"name":"0","type":"u8"},{"name":"1","type":"u8"}]}],"doc":""}
{"enum":"Error","variants":["Empty","Full"],"doc":""}
{"slot":1,"name":"BALANCES","type":"Map<Address,u128>","doc":""}
{"fn":"endless","args":[{"name":"a","type":"Loop"}],"returns":"[();1000000000]","doc":""}
{"struct":"Loop","fields":[{"name":"a","type":"Loop"}],"doc":""}
{"struct":"Wide","fields":[{"name":"a","type":"Wider"},{"name":"b","type":"Wider"}],"doc":""}
{"fn":"lists","args":[{"name":"sides","type":"Vec<Side>"},{"name":"names","type":"Vec<String>"},{"name":"bytes","type":"Vec<u8>"}],"returns":"Vec<Vec<u16>>","doc":""}
not a line
"#;

#[derive(BorshSerialize)]
struct Order {
    price: u64,
    point: (i16, i16),
}

#[derive(BorshSerialize)]
enum Side {
    Buy,
    Limit { price: u64 },
    Both(u8, u8),
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).expect("the test's JSON")
}

const ALL: &str = r#"{"small": 255, "large": "340282366920938463463374607431768211455", "signed": -5, "flag": true,
    "to": "0x0101010101010101010101010101010101010101010101010101010101010101", "bytes": "0x00ff", "text": "h\u00e4 \"",
    "memo": null, "pair": [65535, -128], "row": [1, "2", 3], "order": {"point": [-1, 2], "price": 18446744073709551615},
    "sides": ["Buy", {"Limit": {"price": "7"}}, {"Both": [1, 2]}]}"#;

#[test]
fn arguments_are_the_bytes_of_borsh() {
    let abi = Abi::parse(LINES.as_bytes());
    let encoded = abi.encode_arguments("all", &raw(ALL)).expect("the arguments fit");
    let order = Order { price: u64::MAX, point: (-1, 2) };
    let sides = [Side::Buy, Side::Limit { price: 7 }, Side::Both(1, 2)];
    let head = (u8::MAX, u128::MAX, -5i64, true, [1u8; 32], vec![0u8, 255], "hä \"", None::<String>);
    let tail = ((u16::MAX, i8::MIN), [1u32, 2, 3], order, sides);
    let expected = borsh::to_vec(&(head, tail)).expect("memory takes all writes");
    assert_eq!(encoded, expected);

    let decoded = abi.decode_arguments(b"all", &encoded).expect("own encoding");
    assert_eq!(decoded["large"], json!(u128::MAX.to_string()));
    assert_eq!(decoded["signed"], json!("-5"));
    assert_eq!(decoded["pair"], json!([65535, -128]));
    assert_eq!(decoded["order"], json!({"price": u64::MAX.to_string(), "point": [-1, 2]}));
    assert_eq!(decoded["sides"], json!(["Buy", {"Limit": {"price": "7"}}, {"Both": [1, 2]}]));
    let again = abi.encode_arguments("all", &raw(&decoded.to_string()));
    assert_eq!(again, Ok(encoded.clone()));

    assert_eq!(abi.decode_arguments(b"all", &encoded[1..]), None);
    assert_eq!(abi.decode_arguments(b"all", &[&encoded[..], &[0]].concat()), None, "trailing bytes");
}

#[test]
fn lists_are_arrays_of_any_length() {
    let abi = Abi::parse(LINES.as_bytes());
    let json = r#"{"sides":["Buy",{"Limit":{"price":"7"}}],"names":["a","","hä"],"bytes":"0x00ff"}"#;
    let encoded = abi.encode_arguments("lists", &raw(json)).expect("the arguments fit");
    let sides = vec![Side::Buy, Side::Limit { price: 7 }];
    let expected = borsh::to_vec(&(sides, vec!["a", "", "hä"], vec![0u8, 255])).expect("memory takes all writes");
    assert_eq!(encoded, expected);
    let decoded = abi.decode_arguments(b"lists", &encoded).expect("own encoding");
    assert_eq!(decoded, serde_json::from_str::<serde_json::Value>(json).expect("the test's JSON"));
    assert_eq!(abi.decode_arguments(b"lists", &encoded[..encoded.len() - 1]), None);
    // A number of elements that cannot be there is no reason to make them.
    assert_eq!(abi.decode_return(b"lists", Outcome::Ok, &[0xff; 4]), None);
    let rows = abi.decode_return(b"lists", Outcome::Ok, &[1, 0, 0, 0, 2, 0, 0, 0, 7, 0, 8, 0]);
    assert_eq!(rows, Some(json!([[7, 8]])));
    let misfit = abi.encode_arguments("lists", &raw(r#"{"sides":7,"names":[],"bytes":"0x"}"#));
    assert_eq!(misfit.expect_err("a number is no list").to_string(), "`sides`: 7 is not an array");
}

#[test]
fn what_does_not_fit_says_where() {
    let abi = Abi::parse(LINES.as_bytes());
    let wrong = |from: &str, to: &str| {
        assert!(ALL.contains(from));
        abi.encode_arguments("all", &raw(&ALL.replacen(from, to, 1))).expect_err(to).to_string()
    };
    assert_eq!(wrong("255", "256"), "`small`: 256 is no u8");
    assert_eq!(wrong("255", "1.0"), "`small`: 1.0 is no decimal integer");
    assert_eq!(wrong("255", "-1"), "`small`: -1 is no u8");
    assert_eq!(wrong("211455", "211456"), "`large`: 340282366920938463463374607431768211456 is no u128");
    assert_eq!(wrong("true", "1"), "`flag`: 1 is not true or false");
    assert_eq!(wrong("0x01", "0x"), "`to`: 31 bytes, the type has 32");
    assert_eq!(wrong("\"price\": 18", "\"prices\": 18"), "`order`: there is no field `prices`");
    assert_eq!(wrong("\"price\": 18", "\"point\": [1, 2], \"price\": 18"), "`order`: field `point` is given twice");
    assert_eq!(wrong("[-1, 2]", "[-1]"), "`point`: 1 elements, the type has 2");
    assert_eq!(wrong("\"Buy\"", "\"Hold\""), "`sides`: `Side` has no variant `Hold`");
    assert_eq!(wrong("\"small\": 255,", ""), "`args`: field `small` is missing");
    assert_eq!(abi.encode_arguments("none", &raw("{}")), Err(Misfit::UnknownMethod("none".to_owned())));
    assert!(abi.encode_arguments("all", &raw("[]")).is_err());
}

#[test]
fn an_option_may_be_left_out() {
    let abi = Abi::parse(LINES.as_bytes());
    let without = abi.encode_arguments("all", &raw(&ALL.replacen("\"memo\": null,", "", 1)));
    assert_eq!(without, abi.encode_arguments("all", &raw(ALL)));
    let with = abi.encode_arguments("all", &raw(&ALL.replacen("null", "\"x\"", 1))).expect("a memo fits");
    assert_eq!(with.len(), without.expect("no memo fits").len() + 5);
}

#[test]
fn results_and_errors_are_told_apart() {
    let abi = Abi::parse(LINES.as_bytes());
    assert_eq!(abi.decode_return(b"all", Outcome::Ok, &7u64.to_le_bytes()), Some(json!("7")));
    assert_eq!(abi.decode_return(b"all", Outcome::Reverted, &[1]), Some(json!("Full")));
    assert_eq!(abi.decode_return(b"all", Outcome::Reverted, &[2]), None);
    assert_eq!(abi.decode_return(b"all", Outcome::Aborted, &[]), None);
    assert_eq!(abi.decode_event(b"Point", &[1, 0, 2, 0]), Some(json!([1, 2])));
    assert_eq!(abi.decode_event(b"Nothing", &[]), None);
}

#[test]
fn an_endless_abi_ends() {
    let mut lines = LINES.to_owned();
    // 2^40 values without a byte: every level holds the next one twice.
    for level in 0..40 {
        let next = level + 1;
        lines.push_str(&format!(
            r#"{{"struct":"L{level}","fields":[{{"name":"a","type":"L{next}"}},{{"name":"b","type":"L{next}"}}]}}"#
        ));
        lines.push('\n');
    }
    lines.push_str(r#"{"struct":"L40","fields":[]}"#);
    let abi = Abi::parse(lines.as_bytes());
    assert_eq!(abi.decode_event(b"L0", &[]), None);
    assert_eq!(abi.decode_event(b"Loop", &[]), None);
    assert_eq!(abi.decode_return(b"endless", Outcome::Ok, &[]), None);
    let nested = format!("{}{}{}", r#"{"a":"#.repeat(100_000), "{}", "}".repeat(100_000));
    assert!(abi.encode_arguments("endless", &raw(&nested)).is_err());
}

#[test]
fn lines_are_kept_by_kind() {
    let abi = Abi::parse(LINES.as_bytes());
    assert_eq!((abi.methods.len(), abi.lines().unknown), (3, 1));
    let printed = serde_json::to_value(abi.lines()).expect("lines are JSON");
    assert_eq!(printed["slots"][0]["name"], "BALANCES");
    assert_eq!(printed["enums"].as_array().map(Vec::len), Some(2));
}

#[test]
fn compacting_leaves_everything_but_white_space() {
    let json =
        raw("{ \"b\" : [1.50, 1e3,\n\t340282366920938463463374607431768211456], \"a\\\" \\\\\": \" \\u00e4 \" }");
    let expected = "{\"b\":[1.50,1e3,340282366920938463463374607431768211456],\"a\\\" \\\\\":\" \\u00e4 \"}";
    assert_eq!(String::from_utf8(compact(&json)).as_deref(), Ok(expected));
}

/// JSON that would happen to be an encoding of something else gets spaces, by which it is none.
#[test]
fn what_has_no_encoding_is_not_taken_for_one() {
    let abi = Abi::parse(
        br#"{"fn":"deposit","args":[{"name":"amount","type":"u128"}],"returns":"()","doc":""}
{"fn":"none","args":[],"returns":"()","doc":""}"#,
    );
    let unfit = |method: &str, json: &str| {
        abi.encode_arguments(method, &raw(json)).expect_err("it fits nothing");
        String::from_utf8(abi.unfit_arguments(method, &raw(json))).expect("JSON")
    };
    let taken = "{\"amount\":10.55}";
    assert_eq!(taken.len(), 16, "as long as the number that it would be taken for");
    assert!(abi.decode_arguments(b"deposit", taken.as_bytes()).is_some());
    assert_eq!(unfit("deposit", taken), format!("{taken} "));
    assert_eq!(unfit("deposit", "{ \"amount\": 1.5 }"), "{\"amount\":1.5}");
    assert_eq!(unfit("none", "[ 1 ]"), "[1]");
}
