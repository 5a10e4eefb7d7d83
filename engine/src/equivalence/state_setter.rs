//! A module that sets any key of the contract whose code it is: how a reproducer brings a contract's state back.
//!
//! Its one method, [`METHOD`], takes `key length u16 | key | value` and sets the key.

use crate::gas;
use crate::limits::ARGUMENT_BYTES_MAX;
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection, InstructionSink,
    MemArg, MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// The method.
pub(super) const METHOD: &str = "put";

/// Pages of its memory: arguments fit one, and a second makes the longest fit whole.
const PAGES: u64 = 2;
const _: () = assert!(ARGUMENT_BYTES_MAX as u64 <= PAGES << 16);

/// The module's bytes.
pub(super) fn module() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::I32], [ValType::I32]);
    types.ty().function([ValType::I32; 4], []);
    types.ty().function([], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import("phalanx", "input", EntityType::Function(0));
    imports.import("phalanx", "set", EntityType::Function(1));
    let mut functions = FunctionSection::new();
    functions.function(2);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: PAGES,
        maximum: Some(PAGES),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export(METHOD, ExportKind::Func, 2);
    let mut code = CodeSection::new();
    code.function(&put());
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// `length = input(0, all); set(2, key length, 2 + key length, length - 2 - key length); 0`
fn put() -> Function {
    const LENGTH: u32 = 0;
    const KEY_LENGTH: u32 = 1;
    let mut function = Function::new([(2, ValType::I32)]);
    let mut body: InstructionSink<'_> = function.instructions();
    body.i32_const(0).i32_const((PAGES << 16) as i32).call(0).local_set(LENGTH);
    body.i32_const(0).i32_load16_u(MemArg { offset: 0, align: 1, memory_index: 0 }).local_set(KEY_LENGTH);
    body.i32_const(2).local_get(KEY_LENGTH);
    body.local_get(KEY_LENGTH).i32_const(2).i32_add();
    body.local_get(LENGTH).local_get(KEY_LENGTH).i32_sub().i32_const(2).i32_sub();
    body.call(1).i32_const(0).end();
    function
}

/// The arguments that set a key; `None` if no call can carry them.
pub(super) fn arguments(key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(key.len()).ok()?.to_le_bytes();
    let arguments = [&length[..], key, value].concat();
    (arguments.len() <= ARGUMENT_BYTES_MAX).then_some(arguments)
}

/// Gas that suffices for a call with this many bytes of arguments: they are copied in and set, and dirty granules are put back.
pub(super) fn gas_limit(argument_bytes: usize) -> u32 {
    let bytes = argument_bytes as u64;
    let granules = bytes / 1_024 + 2;
    let gas = 2 * gas::CALL + bytes * (gas::COPY_WORD + gas::OUTPUT_BYTE) + granules * gas::DIRTY_GRANULE + gas::TRAP;
    u32::try_from(gas).expect("arguments are below their limit")
}

#[cfg(test)]
mod tests {
    use super::{METHOD, arguments, gas_limit, module};
    use crate::{BatchBuilder, Call, Deployment, Engine, Outcome};

    #[test]
    fn every_length_of_key_and_value_is_set() {
        let engine = Engine::default();
        let deployment = Deployment::new([1; 32], [2; 32], &module());
        let mut batch = BatchBuilder::new(1, 1);
        batch.push(&deployment.call()).expect("fits");
        engine.commit(engine.execute_batch(batch.finish()).expect("executes")).expect("what was executed last");
        let lengths = [(1, 0), (1, 16), (33, 16), (256, 1_500), (256, (64 << 10) - 258)];
        let mut batch = BatchBuilder::new(2, 2);
        for (key, value) in lengths {
            let arguments = arguments(&vec![key as u8; key], &vec![7; value]).expect("a call can carry it");
            let call = Call {
                contract: deployment.contract(),
                method: METHOD,
                sender: [3; 32],
                arguments: &arguments,
                gas_limit: gas_limit(arguments.len()),
            };
            batch.push(&call).expect("fits");
        }
        let executed = engine.execute_batch(batch.finish()).expect("executes");
        assert!(executed.receipts().all(|receipt| receipt.outcome() == Outcome::Ok));
        engine.commit(executed).expect("what was executed last");
        // Two keys are set twice.
        for (key, value) in [lengths[1], lengths[2], lengths[4]] {
            assert_eq!(engine.get(&deployment.contract(), &vec![key as u8; key]), Some(vec![7; value]));
        }
        assert_eq!(arguments(&[1; 256], &vec![7; (64 << 10) - 257]), None);
    }
}
