//! The token in C and in AssemblyScript beside the one in Rust: by the host interface alone they do the same. So does the
//! baseline written by hand, as far as it goes.

use std::path::Path;

use phalanx_engine::gas::HOST_FUNCTIONS;
use phalanx_engine::{
    Address, BatchBuilder, Call, Engine, Options, Oracle, Outcome, SYSTEM_CONTRACT, contract_id, deploy_arguments,
    deploy_gas, prepare,
};

const RUST: &[u8] = include_bytes!("../../../contracts/wasm/token.wasm");
const OTHERS: [(&str, &[u8]); 2] = [
    ("C", include_bytes!("../../../contracts/languages/wasm/token-c.wasm")),
    ("AssemblyScript", include_bytes!("../../../contracts/languages/wasm/token-assemblyscript.wasm")),
];

const BY_HAND: &str = include_str!("../../../contracts/baseline/token_by_hand.wat");

const ISSUER: Address = [1; 32];
const STRANGER: Address = [2; 32];
const A: Address = [0xA0; 32];
const B: Address = [0xB0; 32];
/// What is on top of a frozen balance.
const FROZEN: u128 = 1 << 127;
/// Of a receipt's header: what a call cost, the one thing in which compilers differ.
const GAS_BYTES: std::ops::Range<usize> = 4..8;

type Step = (Address, &'static str, Vec<u8>, Outcome);

fn moved(to: Address, amount: u128) -> Vec<u8> {
    [&to[..], &amount.to_le_bytes()].concat()
}

/// Calls and how each ends.
fn steps() -> Vec<Step> {
    let long = |mut arguments: Vec<u8>| {
        arguments.push(0);
        arguments
    };
    let from = |from: Address, to: Address, amount: u128| [&from[..], &moved(to, amount)].concat();
    vec![
        (A, "balance_of", A.to_vec(), Outcome::Ok),
        (ISSUER, "mint", moved(A, 1_000), Outcome::Ok),
        (STRANGER, "mint", moved(STRANGER, 1), Outcome::Reverted),
        (ISSUER, "mint", moved(B, u128::MAX), Outcome::Reverted),
        (ISSUER, "mint", moved(B, FROZEN - 1_000), Outcome::Reverted),
        (A, "transfer", moved(B, 300), Outcome::Ok),
        (A, "transfer", moved(A, 700), Outcome::Ok),
        (A, "transfer", moved(B, 701), Outcome::Reverted),
        (A, "transfer", moved(B, u128::MAX), Outcome::Reverted),
        (STRANGER, "transfer", moved(B, 0), Outcome::Ok),
        (A, "transfer", Vec::new(), Outcome::BadArguments),
        (A, "transfer", moved(B, 1)[..47].to_vec(), Outcome::BadArguments),
        (A, "transfer", long(moved(B, 1)), Outcome::BadArguments),
        (A, "mint", long(moved(B, 1)), Outcome::BadArguments),
        (STRANGER, "transfer_from", from(A, B, 1), Outcome::Reverted),
        (A, "approve", moved(STRANGER, 50), Outcome::Ok),
        (A, "approve", A.to_vec(), Outcome::BadArguments),
        (STRANGER, "transfer_from", from(A, B, 20), Outcome::Ok),
        (STRANGER, "transfer_from", from(A, B, 31), Outcome::Reverted),
        (STRANGER, "transfer_from", from(A, B, 1)[1..].to_vec(), Outcome::BadArguments),
        (B, "approve", moved(STRANGER, u128::MAX), Outcome::Ok),
        (STRANGER, "transfer_from", from(B, STRANGER, 5_000), Outcome::Reverted),
        (A, "allowance", [A, STRANGER].concat(), Outcome::Ok),
        (A, "allowance", A.to_vec(), Outcome::BadArguments),
        (A, "balance_of", A.to_vec(), Outcome::Ok),
        (A, "balance_of", B.to_vec(), Outcome::Ok),
        (A, "balance_of", Vec::new(), Outcome::BadArguments),
        (A, "freeze", A.to_vec(), Outcome::Reverted),
        (A, "unfreeze", A.to_vec(), Outcome::Reverted),
        (ISSUER, "unfreeze", A.to_vec(), Outcome::Reverted),
        (ISSUER, "freeze", moved(A, 1), Outcome::BadArguments),
        (ISSUER, "unfreeze", Vec::new(), Outcome::BadArguments),
        (ISSUER, "freeze", A.to_vec(), Outcome::Ok),
        (ISSUER, "freeze", A.to_vec(), Outcome::Reverted),
        (A, "is_frozen", A.to_vec(), Outcome::Ok),
        (A, "is_frozen", B.to_vec(), Outcome::Ok),
        (A, "is_frozen", Vec::new(), Outcome::BadArguments),
        (A, "transfer", moved(B, 0), Outcome::Reverted),
        (A, "transfer", moved(B, 600), Outcome::Reverted),
        (A, "transfer", moved(B, FROZEN - 1), Outcome::Reverted),
        (A, "transfer", moved(B, FROZEN + 600), Outcome::Reverted),
        (A, "transfer", moved(B, u128::MAX), Outcome::Reverted),
        (STRANGER, "transfer_from", from(A, B, 1), Outcome::Reverted),
        (STRANGER, "transfer_from", from(B, A, 100), Outcome::Ok),
        (ISSUER, "mint", moved(A, 50), Outcome::Ok),
        (A, "balance_of", A.to_vec(), Outcome::Ok),
        (ISSUER, "unfreeze", A.to_vec(), Outcome::Ok),
        (A, "is_frozen", A.to_vec(), Outcome::Ok),
        (A, "balance_of", A.to_vec(), Outcome::Ok),
        (A, "transfer", moved(B, 1), Outcome::Ok),
        (A, "total_supply", Vec::new(), Outcome::Ok),
        (A, "total_supply", vec![0], Outcome::BadArguments),
        (A, "no_such_method", Vec::new(), Outcome::UnknownMethod),
    ]
}

/// Deploys a token, runs the steps in one batch on the engine and on the oracle, and answers with outcomes and receipts, whose gas is
/// blanked.
fn receipts(module: &[u8], steps: &[Step]) -> Vec<(Outcome, Vec<u8>)> {
    let deploy = deploy_arguments(&[9; 32], module);
    let deploy_limit = u32::try_from(deploy_gas(module.len())).expect("a small module");
    let token = contract_id(&ISSUER, &[9; 32], module);
    let deploy = Call {
        contract: SYSTEM_CONTRACT,
        method: "deploy",
        sender: ISSUER,
        arguments: &deploy,
        gas_limit: deploy_limit,
    };
    let calls: Vec<Call<'_>> = steps
        .iter()
        .map(|(sender, method, arguments, _)| Call {
            contract: token,
            method,
            sender: *sender,
            arguments,
            gas_limit: 100_000,
        })
        .collect();
    let engine = Engine::new(Options::default());
    let mut oracle = Oracle::new();
    let mut records = Vec::new();
    for (height, calls) in (1..).zip([&[deploy][..], &calls]) {
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        calls.iter().for_each(|call| batch.push(call).expect("within the limits"));
        let bytes = batch.finish();
        let executed = engine.execute_batch(bytes.clone()).expect("executes");
        let expected = oracle.execute_batch(bytes).expect("executes");
        assert_eq!(executed.receipts().bytes(), expected.receipts);
        assert_eq!(executed.digest(), expected.digest);
        records = executed.receipts().map(|receipt| (receipt.outcome(), receipt.record().to_vec())).collect();
        engine.commit(executed).expect("what was executed last");
    }
    assert_eq!(engine.state_digest(), oracle.state_digest());
    records.iter_mut().for_each(|(_, record)| record[GAS_BYTES].fill(0));
    records
}

#[test]
fn tokens_in_other_languages_give_the_receipts_of_the_one_in_rust() {
    let steps = steps();
    let expected = receipts(RUST, &steps);
    for ((outcome, _), (number, (_, method, _, expected))) in expected.iter().zip(steps.iter().enumerate()) {
        assert_eq!(outcome, expected, "step {number}, {method}");
    }
    for (language, module) in OTHERS {
        for (number, (receipt, expected)) in receipts(module, &steps).iter().zip(&expected).enumerate() {
            assert_eq!(receipt, expected, "{language}, step {number}");
        }
    }
}

/// What is compared with it would be another contract otherwise.
#[test]
fn the_token_by_hand_gives_the_receipts_of_the_one_in_rust_for_its_methods() {
    let module = wat::parse_str(BY_HAND).expect("a module");
    let methods = prepare::prepare(&module).expect("an accepted module").methods;
    let has = |(_, method, ..): &Step| methods.iter().any(|name| name == method);
    let steps: Vec<_> = steps().into_iter().filter(has).collect();
    assert!(steps.len() > 20);
    assert_eq!(receipts(&module, &steps), receipts(RUST, &steps));
}

#[test]
fn they_have_the_methods_and_the_description_of_the_one_in_rust() {
    let rust = prepare::prepare(RUST).expect("an accepted module");
    for (language, module) in OTHERS {
        let other = prepare::prepare(module).expect("an accepted module");
        assert_eq!((&other.methods, &other.abi), (&rust.methods, &rust.abi), "{language}");
    }
}

/// A function that the interface gains is one that contracts in these languages can call.
#[test]
fn the_headers_declare_every_host_function_with_its_type() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/languages");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).expect("a header");
    let (c, assemblyscript) = (read("c/phalanx.h"), read("assemblyscript/phalanx.ts"));
    for function in &HOST_FUNCTIONS {
        let name = function.name;
        let expected = (function.parameters.to_owned(), function.results.to_owned());
        assert_eq!(c_type(&c, name), expected, "{name} in phalanx.h");
        assert_eq!(assemblyscript_type(&assemblyscript, name), expected, "{name} in phalanx.ts");
    }
}

/// The text between two others, the first of which has to be there.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no `{before}`")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("no `{after}` behind `{before}`")).0
}

fn letters<T: AsRef<str>>(types: impl Iterator<Item = T>) -> String {
    types
        .filter_map(|ty| match ty.as_ref().trim() {
            "" | "void" => None,
            "i64" | "u64" => Some('I'),
            "i32" | "u32" | "usize" => Some('i'),
            c if c.contains('*') => Some('i'),
            c if c.starts_with("int64_t") || c.starts_with("uint64_t") => Some('I'),
            c if c.starts_with("int32_t") || c.starts_with("uint32_t") => Some('i'),
            other => panic!("type {other}"),
        })
        .collect()
}

/// Parameters and result of `PHALANX_IMPORT(name) result phalanx_name(parameters);`.
fn c_type(header: &str, name: &str) -> (String, String) {
    let declaration = between(header, &format!("PHALANX_IMPORT({name})"), ";");
    let (result, parameters) = declaration.split_once(&format!("phalanx_{name}(")).expect("its own name");
    (letters(parameters.trim_end_matches(')').split(',')), letters([result].iter()))
}

/// Parameters and result of `@external("phalanx", "name") export declare function name(parameter: type): result;`.
fn assemblyscript_type(header: &str, name: &str) -> (String, String) {
    let declaration = between(header, &format!("@external(\"phalanx\", \"{name}\")"), ";");
    let (_, signature) = declaration.split_once(&format!("function {name}(")).expect("its own name");
    let (parameters, result) = signature.rsplit_once("):").expect("a result type");
    let types = parameters.split(',').filter_map(|parameter| Some(parameter.split_once(':')?.1));
    (letters(types), letters([result].iter()))
}
