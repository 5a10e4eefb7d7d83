//! Random batches: scripts for the exerciser, tokens, attacks, deploys, and calls that never get that far.

use ed25519_zebra::{SigningKey, VerificationKey};
use phalanx_engine::limits::CALL_DEPTH_MAX;
use phalanx_engine::{
    Address, BatchBuilder, BatchBytes, Call, SYSTEM_CONTRACT, contract_id, deploy_arguments, deploy_gas,
    upgrade_arguments,
};
use phalanx_exerciser::script::{Condition, Key, Op, Trap, encode};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

// Beside this file wherever it is taken into a test from.
#[path = "nested_calls.rs"]
mod nested_calls;

const TOKEN: &[u8] = include_bytes!("../../../contracts/wasm/token.wasm");
const HOSTILE: &[u8] = include_bytes!("../../../contracts/wasm/hostile.wasm");
const EXERCISER: &[u8] = include_bytes!("../../../contracts/wasm/exerciser.wasm");
const DEPLOYER: Address = [1; 32];
const SALT: [u8; 32] = [2; 32];
/// As many as there can be calls within calls, and one more.
const EXERCISER_SALTS: [[u8; 32]; CALL_DEPTH_MAX + 1] = {
    let mut salts = [SALT; CALL_DEPTH_MAX + 1];
    let mut number = 1;
    while number < salts.len() {
        salts[number] = [20 + number as u8; 32];
        number += 1;
    }
    salts
};

/// A call that owns its parts.
struct Owned {
    contract: Address,
    method: String,
    sender: Address,
    arguments: Vec<u8>,
    gas_limit: u32,
}

pub(crate) struct Generator {
    rng: ChaCha8Rng,
    token: Address,
    hostile: Address,
    /// The first is what scripts are sent to; all have one code.
    exercisers: Vec<Address>,
    /// Scripts around the one that is being generated.
    inside: usize,
    operations: BTreeMap<&'static str, u64>,
}

impl Generator {
    /// What scripts are made of; each must come up.
    pub(crate) const OPERATIONS: [&'static str; 33] = [
        "input",
        "caller",
        "self",
        "deployer",
        "height",
        "batch_time",
        "call_index",
        "get",
        "set",
        "remove",
        "add",
        "sub",
        "max",
        "set_once",
        "scan",
        "emit",
        "hash",
        "verify",
        "ret",
        "abort",
        "set_from_last",
        "host",
        "when",
        "repeat",
        "burn",
        "return_code",
        "revert",
        "trap",
        "store",
        "grow",
        "fold_memory",
        "call",
        "descend",
    ];

    pub(crate) fn new(seed: u64) -> Self {
        let id = |module| contract_id(&DEPLOYER, &SALT, module);
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            token: id(TOKEN),
            hostile: id(HOSTILE),
            exercisers: EXERCISER_SALTS.map(|salt| contract_id(&DEPLOYER, &salt, EXERCISER)).into(),
            inside: 0,
            operations: BTreeMap::new(),
        }
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// How often each operation was put into a script.
    pub(crate) fn operations(self) -> BTreeMap<&'static str, u64> {
        self.operations
    }

    /// A batch; the first deploys what the others call.
    pub(crate) fn batch(&mut self, height: u64) -> BatchBytes {
        let mut batch = BatchBuilder::new(height, 1_000 * height + u64::from(self.rng.random::<u8>()));
        if height == 1 {
            for module in [TOKEN, HOSTILE, EXERCISER] {
                self.push(&mut batch, &deploy(SALT, module));
            }
            for salt in &EXERCISER_SALTS[1..] {
                self.push(&mut batch, &deploy(*salt, EXERCISER));
            }
            return batch.finish();
        }
        let calls = match self.rng.random_range(0..100) {
            0..2 => self.rng.random_range(4_097..5_000),
            2..12 => self.rng.random_range(1..10),
            _ => self.rng.random_range(100..300),
        };
        let busy = calls > 1_000;
        while batch.len() < calls {
            let call = self.call(busy);
            self.push(&mut batch, &call);
        }
        batch.finish()
    }

    /// A batch of attacks and scripts alone.
    pub(crate) fn batch_of_attacks(&mut self, height: u64) -> BatchBytes {
        if height == 1 {
            return self.batch(1);
        }
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        while batch.len() < 500 {
            let call = if self.chance(0.5) { self.attack() } else { self.script_call() };
            self.push(&mut batch, &call);
        }
        batch.finish()
    }

    fn push(&mut self, batch: &mut BatchBuilder, call: &Owned) {
        let call = Call {
            contract: call.contract,
            method: &call.method,
            sender: call.sender,
            arguments: &call.arguments,
            gas_limit: call.gas_limit,
        };
        // Some calls ask for a gigantic gas limit on purpose; too many of them would be refused with the whole batch.
        if batch.fits(&call) {
            batch.push(&call).expect("generated batches keep the limits");
        }
    }

    /// A call; in `busy` batches, which are there for their length, a cheap one.
    fn call(&mut self, busy: bool) -> Owned {
        match self.rng.random_range(0..100) {
            _ if busy => self.token_call(),
            0..60 => self.script_call(),
            60..85 => self.token_call(),
            85..92 => self.attack(),
            92..96 => self.lost_call(),
            _ => self.system_call(),
        }
    }

    fn account(&mut self) -> Address {
        let mut account = [3; 32];
        account[0] = self.rng.random_range(0..24);
        account
    }

    fn token_call(&mut self) -> Owned {
        let (sender, other) = (self.account(), self.account());
        let amount = u128::from(self.rng.random_range(0..200u32));
        let transfer = [&other[..], &amount.to_le_bytes()].concat();
        let (method, sender, arguments) = match self.rng.random_range(0..10) {
            0..2 => ("mint", DEPLOYER, [&other[..], &(20 * amount).to_le_bytes()].concat()),
            2..7 => ("transfer", sender, transfer),
            7 => ("approve", sender, transfer),
            8 => ("transfer_from", sender, [&other[..], &self.account()[..], &amount.to_le_bytes()].concat()),
            _ => ("balance_of", sender, transfer),
        };
        let gas_limit = if self.chance(0.05) { self.rng.random_range(0..25_000) } else { 100_000 };
        Owned { contract: self.token, method: method.into(), sender, arguments, gas_limit }
    }

    fn attack(&mut self) -> Owned {
        let number = |n: u32| n.to_le_bytes().to_vec();
        let methods: [(&str, Vec<u8>, u32); 26] = [
            ("endless_loop", vec![], 50_000),
            ("memory_bomb", vec![], 1_000_000),
            ("deep_recursion", vec![], 10_000_000),
            ("deep_frames", vec![], 10_000_000),
            ("huge_event", number(5_000), 100_000),
            ("huge_topic", number(65), 100_000),
            ("many_events", number(65), 100_000),
            ("many_writes", number(1_025), 2_000_000),
            ("long_key", number(257), 100_000),
            ("big_value", number(70_000), 1_000_000),
            ("scan_unordered", vec![], 100_000),
            ("add_to_word", vec![], 100_000),
            ("long_abort", number(3_000), 100_000),
            ("panics", number(9_000_000), 100_000),
            ("keep_secret", vec![7; 32], 1_000_000),
            ("keep_secret_and_trap", vec![7; 32], 1_000_000),
            ("reveal", vec![], 10_000_000),
            ("divide_by_zero", vec![], 100_000),
            ("out_of_bounds", vec![], 100_000),
            ("unreachable", vec![], 100_000),
            ("call_nothing", vec![], 100_000),
            ("call_wrong_type", vec![], 100_000),
            ("trap_after_writes", number(3), 100_000),
            ("revert_after_writes", number(3), 100_000),
            ("host_writes_outside", vec![], 100_000),
            ("host_reads_wrapped", vec![], 100_000),
        ];
        let (method, arguments, gas_limit) = methods[self.rng.random_range(0..methods.len())].clone();
        Owned { contract: self.hostile, method: method.into(), sender: self.account(), arguments, gas_limit }
    }

    /// A call that ends before it enters a contract.
    fn lost_call(&mut self) -> Owned {
        let sender = self.account();
        let base =
            Owned { contract: self.token, method: "transfer".into(), sender, arguments: vec![], gas_limit: 10_000 };
        match self.rng.random_range(0..6) {
            0 => Owned { contract: [9; 32], ..base },
            1 => Owned { method: "no_such_method".into(), ..base },
            2 => Owned { arguments: vec![1; 65_537], ..base },
            3 => Owned { gas_limit: 1_000_000_001, ..base },
            4 => Owned { gas_limit: self.rng.random_range(0..21_000), ..base },
            _ => Owned { arguments: vec![5; self.rng.random_range(0..60)], ..base },
        }
    }

    fn system_call(&mut self) -> Owned {
        let salt = [self.rng.random_range(3..6); 32];
        let sender = self.account();
        match self.rng.random_range(0..8) {
            0 => deploy(salt, TOKEN),
            1 => deploy(SALT, EXERCISER),
            2 => deploy(salt, b"\0asm not a module"),
            3 => Owned { arguments: vec![0; self.rng.random_range(0..40)], ..deploy(salt, TOKEN) },
            4 => Owned { method: "undeploy".into(), ..deploy(salt, TOKEN) },
            5 => Owned { gas_limit: 50_000, ..deploy(salt, TOKEN) },
            6 => Owned { sender, ..upgrade(self.token, TOKEN) },
            _ => {
                let id = contract_id(&DEPLOYER, &salt, TOKEN);
                upgrade(id, if self.chance(0.5) { TOKEN } else { b"rubbish" })
            }
        }
    }

    fn script_call(&mut self) -> Owned {
        let length = self.rng.random_range(0..10);
        let ops: Vec<Op> = (0..length).map(|_| self.op(0)).collect();
        let gas_limit = if self.chance(0.05) { self.rng.random_range(0..60_000) } else { 1_000_000 };
        let mut arguments = encode(&ops);
        if self.chance(0.01) {
            arguments.truncate(arguments.len() / 2);
        }
        Owned { contract: self.exercisers[0], method: "run".into(), sender: self.account(), arguments, gas_limit }
    }

    fn slot(&mut self) -> u8 {
        [1, 2, 0x80, 0xff][self.rng.random_range(0..4)]
    }

    fn key(&mut self) -> Key {
        let length = [1, 2, 2, 33, 34, 35, 36, 65, 256, 257][self.rng.random_range(0..10)];
        let length = if length == 257 && self.chance(0.9) { 2 } else { length };
        let mut bytes = vec![self.slot(); length];
        let last = bytes.len() - 1;
        if last > 0 {
            bytes[last] = self.rng.random_range(0..8);
        }
        if self.chance(0.1) { Key::from_last(bytes, 5) } else { Key::new(bytes) }
    }

    fn bytes(&mut self, lengths: &[usize]) -> Vec<u8> {
        let mut bytes = vec![0; lengths[self.rng.random_range(0..lengths.len())]];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn value(&mut self) -> Vec<u8> {
        let mut value = self.bytes(&[0, 1, 8, 16, 16, 16, 17, 100, 1_200]);
        if value.len() == 16 {
            value[1..].fill(0);
        }
        value
    }

    fn name(&mut self, name: &'static str) {
        *self.operations.entry(name).or_default() += 1;
    }

    fn op(&mut self, depth: usize) -> Op {
        match self.rng.random_range(0..100) {
            0..5 if self.may_call() => self.calling_op(),
            0..50 => self.state_op(),
            50..62 => self.output_op(),
            62..74 => self.context_op(),
            74..86 if depth < 2 => self.nested_op(depth),
            74..92 => self.memory_op(),
            92..94 => self.raw_op(),
            _ => self.last_op(),
        }
    }

    fn state_op(&mut self) -> Op {
        let key = self.key();
        let magnitude = u128::from(self.rng.random_range(0..60u32));
        let low = if self.chance(0.2) { 30 } else { 0 };
        let high = if self.chance(0.2) { 100 } else { u128::MAX };
        let (name, op) = match self.rng.random_range(0..12) {
            0..2 => ("get", Op::Get { key, capacity: [0, 4, 16, 2_000][self.rng.random_range(0..4)] }),
            2..4 => ("set", Op::Set { key, value: self.value() }),
            4 => ("remove", Op::Remove { key }),
            5..7 => ("add", Op::Add { key, magnitude, low, high }),
            7 => ("sub", Op::Sub { key, magnitude, low, high }),
            8 => ("max", Op::Max { key, value: magnitude }),
            9 => ("set_once", Op::SetOnce { key, value: self.value() }),
            10 => ("set_from_last", Op::SetFromLast { key, addend: magnitude }),
            _ => ("scan", self.scan()),
        };
        self.name(name);
        op
    }

    fn scan(&mut self) -> Op {
        let slot = if self.chance(0.95) { [0x80, 0xff][self.rng.random_range(0..2)] } else { 1 };
        let (mut start, mut end) = (self.key().bytes, self.key().bytes);
        (start[0], end[0]) = (slot, slot);
        if self.chance(0.5) {
            end.clear();
        }
        let direction = [0, 1, 0, 1, 0, 1, 2][self.rng.random_range(0..7)];
        let limit = [0, 1, 3, 1_000, 1_001][self.rng.random_range(0..5)];
        Op::Scan { start, end, direction, limit, capacity: [0, 20, 300, 4_000][self.rng.random_range(0..4)] }
    }

    fn output_op(&mut self) -> Op {
        let (name, op) = match self.rng.random_range(0..20) {
            0..10 => {
                let topic = self.bytes(&[0, 5, 64, 64, 5, 65]);
                ("emit", Op::Emit { topic, data: self.bytes(&[0, 80, 80, 1_100, 4_096, 4_097]) })
            }
            10..14 => {
                ("hash", Op::Hash { algorithm: [0, 1, 2, 0, 1, 2, 3][self.rng.random_range(0..7)], data: self.value() })
            }
            14 => ("verify", self.verify()),
            _ => ("ret", Op::Ret(self.value())),
        };
        self.name(name);
        op
    }

    /// A signature that is right, or of another message, or by an algorithm that there is not.
    fn verify(&mut self) -> Op {
        let signer = SigningKey::from([self.rng.random_range(0..4); 32]);
        let mut message = self.value();
        let (key, signature) = (VerificationKey::from(&signer).into(), signer.sign(&message).to_bytes());
        if self.chance(0.3) {
            message.push(0);
        }
        Op::Verify { algorithm: i32::from(self.chance(0.1)), key, signature, message }
    }

    fn context_op(&mut self) -> Op {
        let (name, op) = match self.rng.random_range(0..7) {
            0 => ("input", Op::Input { capacity: [0, 10, 4_096][self.rng.random_range(0..3)] }),
            1 => ("caller", Op::Caller),
            2 => ("self", Op::ContractId),
            3 => ("deployer", Op::Deployer),
            4 => ("height", Op::Height),
            5 => ("call_index", Op::CallIndex),
            _ => ("batch_time", Op::BatchTime),
        };
        self.name(name);
        op
    }

    fn nested_op(&mut self, depth: usize) -> Op {
        let length = self.rng.random_range(1..4);
        let list: Vec<Op> = (0..length).map(|_| self.op(depth + 1)).collect();
        if self.chance(0.6) {
            self.name("when");
            let condition = Condition::ALL[self.rng.random_range(0..Condition::ALL.len())];
            Op::When { condition, operand: u128::from(self.rng.random_range(0..60u32)), then: list }
        } else {
            self.name("repeat");
            Op::Repeat { times: self.rng.random_range(0..4), body: list }
        }
    }

    fn memory_op(&mut self) -> Op {
        let (name, op) = match self.rng.random_range(0..8) {
            0..3 => ("store", Op::Store { offset: self.rng.random(), bytes: self.value() }),
            3..5 => ("load", Op::Load { offset: self.rng.random(), length: 100 }),
            5 => ("burn", Op::Burn { turns: self.rng.random_range(0..1_000) }),
            6 if self.chance(0.3) => ("grow", Op::Grow { pages: self.rng.random_range(0..4) }),
            _ if self.chance(0.1) => ("fold_memory", Op::FoldMemory),
            _ => ("store", Op::Store { offset: 0, bytes: vec![1; 8] }),
        };
        self.name(name);
        op
    }

    /// A host function with any arguments at all, small and huge ones mixed.
    fn raw_op(&mut self) -> Op {
        self.name("host");
        let mut arguments = [0; 8];
        for argument in &mut arguments {
            *argument = match self.rng.random_range(0..4) {
                0 => self.rng.random_range(0..64),
                1 => self.rng.random_range(60_000..200_000),
                2 => u64::from(self.rng.random::<u32>()),
                _ => 1 << 20,
            };
        }
        Op::Host { function: self.rng.random_range(0..21), arguments }
    }

    /// An operation that ends the script.
    fn last_op(&mut self) -> Op {
        let (name, op) = match self.rng.random_range(0..8) {
            0 => ("return_code", Op::ReturnCode([0, 1, 2, 3, -1][self.rng.random_range(0..5)])),
            1 => ("revert", Op::Revert(self.value())),
            2 => ("abort", Op::Abort(self.bytes(&[0, 10, 2_000]))),
            3..6 => ("trap", Op::Trap(Trap::ALL[self.rng.random_range(0..Trap::ALL.len())])),
            _ => ("caller", Op::Caller),
        };
        self.name(name);
        op
    }
}

fn deploy(salt: [u8; 32], module: &[u8]) -> Owned {
    Owned {
        contract: SYSTEM_CONTRACT,
        method: "deploy".into(),
        sender: DEPLOYER,
        arguments: deploy_arguments(&salt, module),
        gas_limit: deploy_gas(module.len()) as u32,
    }
}

fn upgrade(contract: Address, module: &[u8]) -> Owned {
    let arguments = upgrade_arguments(&contract, module);
    Owned { method: "upgrade".into(), arguments, ..deploy(SALT, module) }
}
