//! Contracts that others wrote, for another ledger, through the engine's own preparation pass: what it refuses and why,
//! and that the others do the same instrumented as plain.
//!
//! `data/cosmwasm` says where they are from. Their imports are replaced by functions that do nothing, so nothing is
//! stored; but each parses JSON, runs its logic and writes JSON, compiled by a dozen releases of the Rust compiler.

mod adapt;
mod drive;
mod engines;

use std::collections::BTreeMap;
use std::path::Path;

use adapt::Contract;
use drive::End;
use engines::{Compiled, Interpreted};
use phalanx_engine::prepare::{self, Reason};

/// Of the valid contracts, how many have to pass every check and run.
const ACCEPTED_MIN: usize = 21;
/// The contracts that are refused, each with all its reasons.
const REFUSED: [&str; 8] = [
    "floaty: Floats",
    "floaty_0.16: Floats",
    "floaty_1.0: Floats",
    "floaty_1.2: Floats",
    "floaty_2.0: Floats, Nesting",
    "hackatom: Floats",
    "ibc2: Floats",
    "ibc_reflect: Floats",
];
/// As much as a call may have.
const GAS: i64 = phalanx_engine::limits::CALL_GAS_MAX as i64;
/// Enough for an attack to show that it ends.
const ATTACK_GAS: i64 = 20_000_000;
/// The contracts that run in the node's engine too, which takes seconds to compile a larger one where it is not optimised
/// itself.
const COMPILED: [&str; 2] = ["empty", "hackatom_0.7"];

fn modules() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/cosmwasm");
    let entries = std::fs::read_dir(&folder).expect("the folder of contracts");
    entries
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a module"))
        })
        .collect()
}

#[test]
fn contracts_of_others_are_refused_by_name_or_run_the_same_instrumented() {
    let (mut accepted, mut answers, mut refused) = (0, 0, Vec::new());
    let modules = modules();
    for (name, wasm) in &modules {
        let Some(contract) = Contract::read(wasm) else {
            assert_eq!(name, "corrupted");
            continue;
        };
        let drivers = drive::drivers(name, &contract);
        let plain = contract.adapt(wasm, &drivers);
        let prepared = match prepare::prepare(&plain) {
            Ok(prepared) => prepared,
            Err(reasons) => {
                println!("{name}: refused: {reasons}");
                let names: Vec<&str> = reasons.reasons.iter().map(Reason::name).collect();
                refused.push(format!("{name}: {}", names.join(", ")));
                continue;
            }
        };
        accepted += 1;
        let (plain, instrumented) = (Interpreted::new(&plain), Interpreted::new(&prepared.wasm));
        let compiled = COMPILED.contains(&&**name).then(|| Compiled::new(&prepared.wasm));
        let length_at = contract.length_at();
        let mut ends = Vec::new();
        for driver in &drivers {
            if matches!(&*driver.name, "cpu_loop" | "memory_loop") {
                let end = drive::call(&instrumented, &driver.name, Some(ATTACK_GAS), length_at).end;
                assert_eq!(end, End::OutOfGas, "{name}.{}", driver.name);
                continue;
            }
            let expected = drive::call(&plain, &driver.name, None, length_at);
            let observed = drive::call(&instrumented, &driver.name, Some(GAS), length_at);
            assert_eq!(observed.end, expected.end, "{name}.{}", driver.name);
            assert!(observed.memory == expected.memory, "{name}.{} left another memory", driver.name);
            if let Some(compiled) = &compiled {
                let compiled = drive::call(compiled, &driver.name, Some(GAS), length_at);
                assert!(compiled.memory == expected.memory, "{name}.{} compiled left another memory", driver.name);
                assert_eq!(class(&compiled.end), class(&expected.end), "{name}.{} compiled", driver.name);
            }
            if driver.name == "instantiate" {
                match &observed.end {
                    End::Answered(text) if text.starts_with(r#"{"ok":"#) || text.starts_with(r#"{"Ok":"#) => {
                        answers += 1
                    }
                    end => println!("{name}.{}: {end:?}", driver.name),
                }
            }
            ends.push(format!("{} {}", driver.name, class(&observed.end)));
        }
        println!("{name}: {}", ends.join(", "));
    }
    println!(
        "{} valid contracts: {accepted} accepted, {answers} of them instantiate with `ok`, {} refused",
        modules.len() - 1,
        refused.len()
    );
    assert_eq!(refused, REFUSED);
    // `empty` is the one that has nothing to instantiate.
    assert_eq!(answers, accepted - 1, "not every accepted contract answered with `ok`");
    assert!(accepted >= ACCEPTED_MIN, "{accepted} accepted; refused: {refused:#?}");
}

fn class(end: &End) -> &str {
    match end {
        End::Answered(_) => "answers",
        End::Returned => "returns",
        End::Trapped(_) => "traps",
        End::OutOfGas => "runs out of gas",
    }
}

#[test]
fn a_corrupt_module_is_refused_as_no_wasm() {
    let modules = modules();
    let refused = prepare::prepare(&modules["corrupted"]).expect_err("it is no valid Wasm");
    assert!(
        refused.reasons.iter().any(|reason| matches!(reason, Reason::Invalid { .. })),
        "refused, but not as invalid: {refused}"
    );
}
