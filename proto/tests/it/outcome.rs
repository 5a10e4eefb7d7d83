//! The wire's outcomes are the engine's: the same names, the same codes, none more.

use phalanx_proto::{FILE_DESCRIPTOR_SET, Message, v1};
use prost_types::FileDescriptorSet;

fn engine_outcomes() -> Vec<(String, i32)> {
    let wire_name = |outcome: phalanx_engine::Outcome| format!("OUTCOME_{}", outcome.name().to_uppercase());
    phalanx_engine::Outcome::ALL.map(|outcome| (wire_name(outcome), i32::from(outcome.code()))).into()
}

#[test]
fn the_descriptor_has_exactly_the_outcomes_of_the_engine() {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the build script encodes it");
    let file = set.file.iter().find(|file| file.package() == "phalanx.v1").expect("the package is there");
    let outcome = file.enum_type.iter().find(|kind| kind.name() == "Outcome").expect("the enum is there");
    let described: Vec<_> = outcome.value.iter().map(|value| (value.name().to_owned(), value.number())).collect();
    assert_eq!(described, engine_outcomes());
}

#[test]
fn each_outcome_of_the_engine_has_its_rust_value() {
    for (name, code) in engine_outcomes() {
        assert_eq!(v1::Outcome::try_from(code).map(|outcome| outcome.as_str_name()), Ok(name.as_str()));
    }
}
