//! What a calls file may hold, and what it is refused for.

use super::*;
use crate::hex::hex;

const ALICE: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

fn deploy(name: &str, sender: &str) -> String {
    format!(r#"{{"deploy": {{"wasm": "m.wasm", "name": "{name}", "sender": "{sender}"}}}}"#)
}

fn call(contract: &str, rest: &str) -> String {
    format!(r#"{{"call": {{"contract": "{contract}", "method": "m", "sender": "{ALICE}", "args": {{}}{rest}}}}}"#)
}

/// Parses lines in a directory that holds the module `m.wasm`; the error's text.
fn parse(lines: &[String], check: impl FnOnce(&CallsFile<'_>)) -> Result<(), String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(directory.path().join("m.wasm"), b"module").expect("a file");
    let text = lines.join("\n");
    CallsFile::parse(text.as_bytes(), Modules::of(directory.path()))
        .map(|file| check(&file))
        .map_err(|error| error.to_string())
}

fn refusal(line: &str) -> String {
    let lines = [call("c", ""), line.to_owned(), call("c", "")];
    let refused = parse(&lines, |_| {}).expect_err(line);
    refused.strip_prefix("line 2: ").expect("the second line is the bad one").to_owned()
}

#[test]
fn names_mean_the_nearest_deploy_before_the_line_or_the_first_after_it() {
    let bob = ALICE.replace('1', "2");
    let id_of = |sender: &str| {
        let sender = parse_address(sender).expect("an address");
        contract_id(&sender, &salt_of("c"), b"module")
    };
    let lines = [
        call("c", ""),
        deploy("c", ALICE),
        call("c", ""),
        deploy("c", &bob),
        call("c", ""),
        call("other", ""),
        call(&hex(&[7; 32]), ""),
    ];
    let parsed = parse(&lines, |file| {
        let ids: Vec<_> = (0..)
            .zip(&file.lines)
            .filter_map(|(index, line)| match line {
                Line::Call(call) => Some(file.id(index, &call.contract)),
                Line::Deploy(_) | Line::Upgrade(_) => None,
            })
            .collect();
        let (of_alice, of_bob) = (id_of(ALICE), id_of(&bob));
        assert_eq!(ids, [of_alice, of_alice, of_bob, *blake3::hash(b"other").as_bytes(), [7; 32]]);
        assert_eq!(file.module(&of_bob), Some(&b"module"[..]));
    });
    assert_eq!(parsed, Ok(()));
}

#[test]
fn gas_is_a_number_or_a_string() {
    let gas = |rest: &str| {
        let mut gas = None;
        parse(&[call("c", rest)], |file| {
            if let [Line::Call(call)] = &file.lines[..] {
                gas = Some(call.gas);
            }
        })?;
        Ok::<_, String>(gas)
    };
    assert_eq!(gas(""), Ok(Some(GAS_DEFAULT)));
    assert_eq!(gas(r#", "gas": "5""#), Ok(Some(5)));
    assert_eq!(gas(r#", "gas": 4294967295"#), Ok(Some(u32::MAX)));
    for wrong in ["4294967296", "-1", "1.5", "\"+5\"", "\"\"", "null", "\"x\""] {
        assert!(gas(&format!(r#", "gas": {wrong}"#)).is_err_and(|text| text.contains("gas is")), "{wrong}");
    }
}

#[test]
fn a_file_may_be_empty_and_needs_no_last_newline() {
    assert_eq!(parse(&[], |file| assert!(file.lines.is_empty())), Ok(()));
    let two = [call("c", ""), call("c", "")];
    assert_eq!(parse(&two, |file| assert_eq!(file.lines.len(), 2)), Ok(()));
    let ended = [call("c", ""), String::new()];
    assert_eq!(parse(&ended, |file| assert_eq!(file.lines.len(), 1)), Ok(()));
}

#[test]
fn other_lines_are_refused_with_their_number() {
    assert_eq!(refusal(""), "the line is empty");
    assert_eq!(refusal("nothing"), "expected value (column 1)");
    assert!(refusal(&call("c", "")[..40]).contains("EOF"));
    assert!(refusal("{}").contains("expected value"));
    assert!(refusal(&call("c", r#", "more": 1"#)).contains("unknown field `more`"));
    assert!(refusal(&call("c", r#", "method": "n""#)).contains("duplicate field `method`"));
    assert!(refusal(&call("c", "").replace("call\":", "query\":")).contains("unknown variant `query`"));
    assert!(refusal(&call("0x12", "")).contains("1 bytes, an address has 32"));
    assert!(refusal(&call("c", "").replace(r#", "args": {}"#, "")).contains("missing field `args`"));
    assert!(refusal(&call("c", "").replace("0x11", "11")).contains("written as 0x"));
    assert!(refusal(&deploy("0x", ALICE)).contains("is an id, not a name"));
    assert!(refusal(&deploy("c", ALICE).replace("m.wasm", "n.wasm")).contains("n.wasm"));
    assert!(refusal(&deploy("c", ALICE).replace("m.wasm", ".")).contains("not a file"));
    assert!(refusal(&call("c", "").replace("\"m\"", &format!("\"{}\"", "m".repeat(65)))).contains("the limit is 64"));
    let large = format!("\"{}\"", "x".repeat(BATCH_BYTES_MAX));
    assert!(refusal(&call("c", "").replace("{}", &large)).contains("a batch carries at most"));
}

#[test]
fn input_is_what_is_sent_and_stands_in_for_args() {
    let with = |arguments: &str| call("c", "").replace(r#""args": {}"#, arguments);
    let parsed = parse(&[with(r#""input": "0x00ff""#), with(r#""args": null"#)], |file| {
        let [Line::Call(encoded), Line::Call(json)] = &file.lines[..] else { panic!("two calls") };
        assert!(matches!(&encoded.arguments, Arguments::Encoded(bytes) if *bytes == [0, 0xff]));
        assert!(matches!(&json.arguments, Arguments::Json(json) if json.get() == "null"));
    });
    assert_eq!(parsed, Ok(()));
    assert!(refusal(&with(r#""input": "00""#)).contains("written as 0x"));
    assert!(refusal(&call("c", r#", "input": "0x""#)).contains("`args` or `input`, not both"));
}

#[test]
fn an_upgrade_names_its_contract_and_a_deploy_its_salt() {
    let salt = hex(&[7; 32]);
    let salted = deploy("c", ALICE).replace("}}", &format!(r#", "salt": "{salt}"}}}}"#));
    let upgrade = format!(r#"{{"upgrade": {{"wasm": "m.wasm", "contract": "c", "sender": "{ALICE}"}}}}"#);
    let parsed = parse(&[salted.clone(), upgrade.clone()], |file| {
        let [Line::Deploy(deploy), Line::Upgrade(upgrade)] = &file.lines[..] else { panic!("a deploy and an upgrade") };
        assert_eq!(deploy.salt, [7; 32]);
        assert_eq!(file.id(1, &upgrade.contract), contract_id(&deploy.sender, &[7; 32], b"module"));
        assert_eq!(upgrade.module[..], b"module"[..]);
    });
    assert_eq!(parsed, Ok(()));
    assert!(refusal(&salted.replace(&salt, "0x07")).contains("1 bytes"));
    assert!(refusal(&upgrade.replace("m.wasm", "n.wasm")).contains("n.wasm"));
    assert!(refusal(&upgrade.replace("wasm", "module")).contains("unknown field `module`"));
}
