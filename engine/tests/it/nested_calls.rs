//! Calls of contracts by contracts, for scripts.

use super::{Generator, Owned};
use phalanx_engine::limits::CALL_DEPTH_MAX;
use phalanx_engine::{Address, SYSTEM_CONTRACT};
use phalanx_exerciser::script::{Op, encode};
use phalanx_exerciser::{Condition, Trap};
use rand::RngExt;

/// Scripts within scripts that make calls; deeper ones come of chains.
const INSIDE_MAX: usize = 2;

impl Generator {
    /// Whether a script may be put into what is generated.
    pub(super) fn may_call(&self) -> bool {
        self.inside <= INSIDE_MAX
    }

    /// An operation that calls another contract, or several within each other.
    pub(super) fn calling_op(&mut self) -> Op {
        match self.rng.random_range(0..10) {
            0..6 => self.any_call(),
            6..9 => self.chain(),
            _ => self.descent(),
        }
    }

    fn call_of(&mut self, contract: Address, method: &str, arguments: Vec<u8>) -> Op {
        self.name("call");
        let gas = match self.rng.random_range(0..10) {
            0..7 => u64::MAX,
            7..9 => self.rng.random_range(0..30_000),
            _ => 200_000,
        };
        let capacity = [0, 10, 300, 4_096][self.rng.random_range(0..4)];
        Op::Call { contract, method: method.into(), gas, capacity, arguments }
    }

    fn any_call(&mut self) -> Op {
        let other = match self.rng.random_range(0..20) {
            0..14 => {
                let contract = self.exercisers[self.rng.random_range(0..self.exercisers.len())];
                let method = if self.chance(0.5) { "run" } else { "run_again" };
                let script = self.inner_script();
                return self.call_of(contract, method, script);
            }
            14..16 => self.token_call(),
            16 => self.attack(),
            17 => Owned { contract: [9; 32], ..self.token_call() },
            18 => Owned { method: "no_such_method".into(), ..self.token_call() },
            _ => Owned { contract: SYSTEM_CONTRACT, method: "deploy".into(), ..self.token_call() },
        };
        self.call_of(other.contract, &other.method, other.arguments)
    }

    fn inner_script(&mut self) -> Vec<u8> {
        self.inside += 1;
        let length = self.rng.random_range(0..6);
        let ops: Vec<Op> = (0..length).map(|_| self.op(0)).collect();
        self.inside -= 1;
        let script = encode(&ops);
        // A script that holds it has to fit into arguments, too.
        if script.len() <= 10_000 { script } else { encode(&[Op::Height]) }
    }

    /// Calls within calls down to some depth, at most one too many, each of which may fail.
    fn chain(&mut self) -> Op {
        let depth = self.rng.random_range(2..CALL_DEPTH_MAX + 2);
        let mut ops = vec![self.small_op(), self.ending()];
        for level in (2..depth).rev() {
            let call = self.call_of(self.exercisers[level], "run", encode(&ops));
            ops = vec![self.small_op(), call, self.small_op()];
            if self.chance(0.2) {
                let last = self.ending();
                ops.push(Op::When { condition: Condition::Odd, operand: 0, then: vec![last] });
            }
        }
        self.call_of(self.exercisers[1], "run", encode(&ops))
    }

    /// A state operation whose bytes are few.
    fn small_op(&mut self) -> Op {
        let op = self.state_op();
        if encode(std::slice::from_ref(&op)).len() <= 600 { op } else { Op::Caller }
    }

    fn ending(&mut self) -> Op {
        match self.rng.random_range(0..8) {
            0 => Op::ReturnCode([0, 1, 2, 3][self.rng.random_range(0..4)]),
            1..3 => Op::Revert(vec![1, 2, 3]),
            3 => Op::Abort(b"on purpose".to_vec()),
            4 => Op::Trap(Trap::EndlessLoop),
            5 => Op::Trap(Trap::ALL[self.rng.random_range(0..Trap::ALL.len())]),
            _ => Op::Caller,
        }
    }

    /// Frames below frames, in one contract and in the one that it calls.
    fn descent(&mut self) -> Op {
        self.name("descend");
        let levels = [10, 1_500, 2_500];
        let bottom = self.small_op();
        let inner = Op::Descend { levels: levels[self.rng.random_range(0..3)], then: vec![bottom] };
        let call = self.call_of(self.exercisers[2], "run", encode(&[inner]));
        Op::Descend { levels: levels[self.rng.random_range(0..3)], then: vec![call] }
    }
}
