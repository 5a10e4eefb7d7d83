//! What the golden log holds: a little of everything that a batch can do.

use phalanx_engine::{
    Address, BatchBuilder, BatchBytes, Call, Deployment, SYSTEM_CONTRACT, deploy_gas, upgrade_arguments,
};
use phalanx_exerciser::script::{Key, Op, Trap, encode};

// The modules as they were then: those of contracts/wasm are built anew as their sources change.
const TOKEN: &[u8] = include_bytes!("../../../golden/modules-v1/token.wasm");
const EXERCISER: &[u8] = include_bytes!("../../../golden/modules-v1/exerciser.wasm");
/// One method that does nothing.
const TINY: &str = r#"(module (memory (export "memory") 1) (func (export "rest") (result i32) i32.const 0))"#;
const DEPLOYER: Address = [1; 32];
const SALT: [u8; 32] = [2; 32];
const GAS: u32 = 1_000_000;

/// The batches of heights 1, 2, 3 …
pub(super) fn batches() -> Vec<BatchBytes> {
    let scenes: [fn(&mut Scene); 10] =
        [deploys, mints, more_than_one_run, allowances, writes, reads, failures, |_| {}, upgrades, after_the_upgrade];
    let mut batches: Vec<BatchBytes> = (1..).zip(scenes).map(|(height, scene)| batch(height, scene)).collect();
    let last = batches.pop().map(|batch| with_id_and_signature(batch.as_slice()));
    batches.extend(last);
    batches
}

fn batch(height: u64, scene: fn(&mut Scene)) -> BatchBytes {
    let mut builder = Scene(BatchBuilder::new(height, 1_700_000_000_000 + 250 * height));
    scene(&mut builder);
    builder.0.finish()
}

/// A batch being filled.
struct Scene(BatchBuilder);

impl Scene {
    fn call(&mut self, contract: Address, method: &str, sender: Address, arguments: &[u8], gas_limit: u32) {
        self.0.push(&Call { contract, method, sender, arguments, gas_limit }).expect("within the limits");
    }

    fn token(&mut self, method: &str, sender: Address, arguments: &[&[u8]]) {
        self.call(token(), method, sender, &arguments.concat(), GAS);
    }

    fn script(&mut self, ops: &[Op]) {
        self.call(exerciser(), "run", account(1), &encode(ops), GAS);
    }
}

fn token() -> Address {
    Deployment::new(DEPLOYER, SALT, TOKEN).contract()
}

fn exerciser() -> Address {
    Deployment::new(DEPLOYER, SALT, EXERCISER).contract()
}

fn tiny() -> Vec<u8> {
    wat::parse_str(TINY).expect("a module")
}

fn account(number: u8) -> Address {
    [0x10 + number; 32]
}

fn amount(tokens: u128) -> [u8; 16] {
    tokens.to_le_bytes()
}

fn deploys(scene: &mut Scene) {
    let tiny = tiny();
    for module in [TOKEN, EXERCISER, &tiny, &tiny, b"\0asm, but not a module"] {
        scene.0.push(&Deployment::new(DEPLOYER, SALT, module).call()).expect("within the limits");
    }
    scene.token("total_supply", account(1), &[]);
}

fn mints(scene: &mut Scene) {
    for number in 1..4 {
        scene.token("mint", DEPLOYER, &[&account(number), &amount(1_000)]);
    }
    scene.token("mint", account(1), &[&account(1), &amount(1)]);
}

/// Two runs of the digest; between their first and last call nothing but calls that fail.
fn more_than_one_run(scene: &mut Scene) {
    scene.token("transfer", account(1), &[&account(2), &amount(10)]);
    (0..260).for_each(|_| scene.token("transfer", account(3), &[]));
    scene.token("transfer", account(2), &[&account(3), &amount(20)]);
}

fn allowances(scene: &mut Scene) {
    scene.token("approve", account(1), &[&account(2), &amount(100)]);
    scene.token("transfer_from", account(2), &[&account(1), &account(4), &amount(60)]);
    scene.token("transfer_from", account(2), &[&account(1), &account(4), &amount(60)]);
    scene.token("transfer", account(4), &[&account(4), &amount(0)]);
    scene.token("transfer", account(4), &[&account(1), &amount(61)]);
    scene.token("balance_of", account(9), &[&account(4)]);
}

/// Plain and ordered slots, values and events on both sides of 1 KiB, keys of all lengths.
fn writes(scene: &mut Scene) {
    let set = |key: &[u8], length: usize| Op::Set { key: Key::new(key), value: vec![0xab; length] };
    scene.script(&[set(&[1], 0), set(&[1, 2], 16), set(&[1; 256], 1_200), set(&[1; 33], 16)]);
    scene.script(&[set(&[0x80, 1], 3), set(&[0x80, 2], 700), set(&[0xff; 40], 1)]);
    let add = |magnitude, high| Op::Add { key: Key::new([3]), magnitude, low: 0, high };
    scene.script(&[add(40, 100), add(61, 100), add(0, u128::MAX)]);
    scene.script(&[Op::Sub { key: Key::new([3]), magnitude: 40, low: 0, high: 100 }]);
    let emit = |topic: &[u8], length| Op::Emit { topic: topic.to_vec(), data: vec![0xcd; length] };
    scene.script(&[emit(b"", 0), emit(b"long", 1_500), emit(&[b't'; 64], 3)]);
    scene.script(&[Op::Ret(vec![5; 40]), Op::ReturnCode(0)]);
    scene.script(&[set(&[1, 2], 17), Op::Remove { key: Key::new([1]) }, Op::Remove { key: Key::new([9]) }]);
}

fn reads(scene: &mut Scene) {
    let scan = |direction, limit| Op::Scan { start: vec![0x80], end: vec![], direction, limit, capacity: 4_096 };
    scene.script(&[scan(0, 1_000), scan(1, 1), scan(0, 1)]);
    scene.script(&[Op::Caller, Op::ContractId, Op::Deployer, Op::Height, Op::BatchTime, Op::Input { capacity: 64 }]);
    scene.script(&[
        Op::Get { key: Key::new([3]), capacity: 16 },
        Op::SetFromLast { key: Key::from_last([4], 7), addend: 2 },
        Op::Get { key: Key::new([7; 9]), capacity: 16 },
    ]);
    (0..3).for_each(|algorithm| scene.script(&[Op::Hash { algorithm, data: b"phalanx".to_vec() }]));
    scene.script(&[Op::Store { offset: 9, bytes: vec![1; 2_000] }, Op::Grow { pages: 1 }, Op::FoldMemory]);
}

fn failures(scene: &mut Scene) {
    Trap::ALL.iter().for_each(|trap| scene.script(&[Op::Emit { topic: vec![1], data: vec![] }, Op::Trap(*trap)]));
    scene.script(&[Op::Abort(b"enough".to_vec())]);
    scene.script(&[Op::Revert(b"no".to_vec())]);
    scene.script(&[Op::ReturnCode(7)]);
    scene.script(&[Op::Scan { start: vec![1], end: vec![], direction: 0, limit: 1, capacity: 9 }]);
    scene.script(&[Op::Hash { algorithm: 3, data: vec![] }]);
    scene.script(&[Op::Set { key: Key::new([0; 257]), value: vec![] }]);
    scene.script(&[Op::Add { key: Key::new([1, 2]), magnitude: 1, low: 0, high: 9 }]);
    scene.call(exerciser(), "run", account(1), &encode(&[Op::Burn { turns: 1_000_000 }]), 50_000);
    scene.call(token(), "no_such_method", account(1), &[], GAS);
    scene.call([9; 32], "transfer", account(1), &[], GAS);
    scene.call(token(), "transfer", account(1), &[], 1_000_000_001);
}

fn upgrades(scene: &mut Scene) {
    let tiny = tiny();
    let gas_limit = deploy_gas(tiny.len()) as u32;
    let arguments = upgrade_arguments(&exerciser(), &tiny);
    scene.call(SYSTEM_CONTRACT, "upgrade", account(1), &arguments[..40], gas_limit);
    scene.call(SYSTEM_CONTRACT, "upgrade", DEPLOYER, &arguments, gas_limit);
    scene.call(SYSTEM_CONTRACT, "upgrade", DEPLOYER, &[0; 31], gas_limit);
    scene.script(&[Op::Height]);
}

fn after_the_upgrade(scene: &mut Scene) {
    scene.script(&[Op::Height]);
    scene.call(exerciser(), "rest", account(1), &[], GAS);
    scene.token("transfer", account(1), &[&account(5), &amount(7)]);
}

/// The batch with an id and a signature in its last call, a transfer.
fn with_id_and_signature(batch: &[u8]) -> BatchBytes {
    let start = batch.len() - (44 + 48);
    let mut bytes = batch.to_vec();
    bytes[start] += 16 + 64;
    bytes[start + 10] = 1 | 2;
    bytes.splice(start + 44..start + 44, [[0x1d; 16].as_slice(), &[0x51; 64]].concat());
    bytes.into()
}
