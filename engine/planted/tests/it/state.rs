//! A fault that shows only behind state of an earlier batch: the reproducer has to put it back.

use crate::chains::{DEPLOYER, EXERCISER, SALT};
use phalanx_engine::{
    BatchBuilder, BatchBytes, Call, Engine, EngineError, EquivalenceCheck, NotSerial, Options, SYSTEM_CONTRACT,
    contract_id, deploy_arguments, deploy_gas,
};
use phalanx_exerciser::script::{Condition, Key, Op, encode};
use std::sync::Arc;

const NUMBER: u128 = 5;

/// What the live check of an engine finds, in which the order of events is wrong.
pub(crate) fn live_check_finds(options: Options) -> Arc<NotSerial> {
    let engine = Engine::new(Options { equivalence: EquivalenceCheck::of_percent(100), ..options });
    let key = Key::new([7]);
    let set = Op::Set { key: key.clone(), value: NUMBER.to_le_bytes().to_vec() };
    let emit = |topic: &str| Op::Emit { topic: topic.into(), data: Vec::new() };
    let then = vec![emit("first"), emit("second")];
    let emit_if_set = [Op::Get { key, capacity: 16 }, Op::When { condition: Condition::Equal, operand: NUMBER, then }];
    for batch in [deploy(), run(2, &[set]), run(3, &emit_if_set)] {
        let executed = engine.execute_batch(batch).expect("nothing has been found yet");
        engine.commit(executed).expect("nothing has been found yet");
    }
    match engine.wait_checked() {
        Err(EngineError::NotSerial(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn deploy() -> BatchBytes {
    let arguments = deploy_arguments(&SALT, EXERCISER);
    let gas_limit = u32::try_from(deploy_gas(EXERCISER.len())).expect("it is small");
    batch(1, &Call { contract: SYSTEM_CONTRACT, method: "deploy", sender: DEPLOYER, arguments: &arguments, gas_limit })
}

fn run(height: u64, script: &[Op]) -> BatchBytes {
    let contract = contract_id(&DEPLOYER, &SALT, EXERCISER);
    let arguments = encode(script);
    batch(height, &Call { contract, method: "run", sender: [9; 32], arguments: &arguments, gas_limit: 100_000 })
}

fn batch(height: u64, call: &Call<'_>) -> BatchBytes {
    let mut batch = BatchBuilder::new(height, 1_000 * height);
    batch.push(call).expect("it keeps the limits");
    batch.finish()
}
