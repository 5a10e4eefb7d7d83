//! The token on the engine, compared with the oracle receipt by receipt.

use phalanx_engine::{
    Address, BatchBuilder, Call, Dependency, Deployment, Engine, HashSeed, Mode, Options, Oracle, Outcome,
    SYSTEM_CONTRACT, contract_id, deploy_arguments, deploy_gas,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

const TOKEN: &[u8] = include_bytes!("../../../contracts/wasm/token.wasm");
const ISSUER: Address = [1; 32];

fn account(number: u32) -> Address {
    let mut address = [7; 32];
    address[..4].copy_from_slice(&number.to_le_bytes());
    address
}

fn arguments(to: Address, amount: u128) -> Vec<u8> {
    [&to[..], &amount.to_le_bytes()].concat()
}

/// Engine and oracle with a token, deployed and nothing else.
fn with_token(mode: Mode, workers: usize) -> (Both, Address) {
    let options = Options { hash_seed: HashSeed::Fixed(2), mode, workers, ..Options::default() };
    let mut both = Both { engine: Engine::new(options), oracle: Oracle::new() };
    let deployment = Deployment::new(ISSUER, [9; 32], TOKEN);
    assert_eq!(both.run(&[deployment.call()]), [Outcome::Ok]);
    (both, deployment.contract())
}

fn call<'a>(contract: Address, method: &'a str, sender: Address, arguments: &'a [u8]) -> Call<'a> {
    Call { contract, method, sender, arguments, gas_limit: 100_000 }
}

struct Both {
    engine: Engine,
    oracle: Oracle,
}

impl Both {
    fn new(seed: u64) -> Self {
        let options = Options { hash_seed: HashSeed::Fixed(seed), ..Options::default() };
        Self { engine: Engine::new(options), oracle: Oracle::new() }
    }

    /// Runs a batch on both, compares everything, and returns the outcomes.
    fn run(&mut self, calls: &[Call<'_>]) -> Vec<Outcome> {
        let height = self.engine.height() + 1;
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        calls.iter().for_each(|call| batch.push(call).expect("within the limits"));
        let bytes = batch.finish();
        let executed = self.engine.execute_batch(bytes.clone()).expect("executes");
        let expected = self.oracle.execute_batch(bytes).expect("executes");
        assert_eq!(executed.receipts().bytes(), expected.receipts);
        assert_eq!(executed.write_set().bytes(), expected.writes);
        assert_eq!((executed.roots(), executed.digest()), (&expected.roots, expected.digest));
        let outcomes = executed.receipts().map(|receipt| receipt.outcome()).collect();
        self.engine.commit(executed).expect("what was executed last");
        assert_eq!(self.engine.state_digest(), self.oracle.state_digest());
        outcomes
    }
}

#[test]
fn transfers_equal_the_oracle() {
    let deploy = deploy_arguments(&[9; 32], TOKEN);
    let token = contract_id(&ISSUER, &[9; 32], TOKEN);
    let gas_limit = deploy_gas(TOKEN.len()) as u32;
    let mut both = Both::new(1);
    let call = Call { contract: SYSTEM_CONTRACT, method: "deploy", sender: ISSUER, arguments: &deploy, gas_limit };
    assert_eq!(both.run(&[call, call]), [Outcome::Ok, Outcome::AlreadyDeployed]);
    let mint = arguments(account(0), 1_000_000);
    let mint = Call { contract: token, method: "mint", sender: ISSUER, arguments: &mint, gas_limit: 100_000 };
    let stranger = Call { sender: account(3), ..mint };
    assert_eq!(both.run(&[mint, stranger]), [Outcome::Ok, Outcome::Reverted]);
    let transfers: Vec<_> =
        (0..600u32).map(|i| (account(i % 40), arguments(account(i * 7 % 50), u128::from(i)))).collect();
    let calls: Vec<_> = transfers
        .iter()
        .map(|(sender, arguments)| Call {
            contract: token,
            method: "transfer",
            sender: *sender,
            arguments,
            gas_limit: 100_000,
        })
        .collect();
    let outcomes = both.run(&calls);
    assert!(outcomes.contains(&Outcome::Ok) && outcomes.contains(&Outcome::Reverted));
}

/// Within batches accounts are frozen and unfrozen while others pay them and they try to pay, amounts beside 2^127 among them.
#[test]
fn freezing_amid_transfers_equals_the_oracle() {
    for (mode, workers) in [(Mode::Serial, 1), (Mode::Optimistic, 1), (Mode::Optimistic, 3)] {
        let (mut both, token) = with_token(mode, workers);
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let mut seen = BTreeMap::new();
        for _ in 0..20 {
            let drawn: Vec<(&str, Address, Vec<u8>)> = (0..300)
                .map(|_| {
                    let (one, other) = (account(random.random_range(0..6)), account(random.random_range(0..6)));
                    let amount = match random.random_range(0..20u8) {
                        0 => (1 << 127) + random.random_range(0..100),
                        1 => (1 << 127) - 1 - random.random_range(0..100),
                        _ => random.random_range(0..30),
                    };
                    let moves = arguments(other, amount);
                    match random.random_range(0..20u8) {
                        0 => ("freeze", ISSUER, one.to_vec()),
                        1 => ("unfreeze", ISSUER, one.to_vec()),
                        2 => ("mint", ISSUER, moves),
                        3 => ("approve", one, moves),
                        4 => ("balance_of", one, other.to_vec()),
                        5..8 => ("transfer_from", one, [&account(0)[..], &moves].concat()),
                        _ => ("transfer", one, moves),
                    }
                })
                .collect();
            let calls: Vec<_> =
                drawn.iter().map(|(method, sender, arguments)| call(token, method, *sender, arguments)).collect();
            for ((method, ..), outcome) in drawn.iter().zip(both.run(&calls)) {
                *seen.entry((*method, outcome.name())).or_insert(0) += 1;
            }
        }
        for method in ["freeze", "unfreeze", "mint", "transfer", "transfer_from"] {
            for outcome in ["ok", "reverted"] {
                assert!(seen.get(&(method, outcome)) > Some(&10), "{method} {outcome}: {seen:?}");
            }
        }
    }
}

/// Transfers depend on answers alone, frozen accounts among them, and so does freezing: only what changes an answer conflicts.
#[test]
fn transfers_and_freezing_read_nothing() {
    let (mut both, token) = with_token(Mode::Optimistic, 2);
    let (payer, payee, frozen) = (account(1), account(2), account(3));
    let [rich, some, all] = [arguments(payer, 1_000), arguments(payee, 30), arguments(payee, 1_001)];
    let to_frozen = arguments(frozen, 10);
    let set_up = [call(token, "mint", ISSUER, &rich), call(token, "freeze", ISSUER, &frozen)];
    assert_eq!(both.run(&set_up), [Outcome::Ok; 2]);
    let tries = [
        (call(token, "transfer", payer, &some), Outcome::Ok, 2),
        (call(token, "transfer", payer, &to_frozen), Outcome::Ok, 2),
        (call(token, "transfer", payer, &all), Outcome::Reverted, 1),
        (call(token, "transfer", frozen, &some), Outcome::Reverted, 1),
        (call(token, "freeze", ISSUER, &payer), Outcome::Ok, 1),
        (call(token, "freeze", ISSUER, &frozen), Outcome::Reverted, 1),
        (call(token, "unfreeze", ISSUER, &frozen), Outcome::Ok, 1),
    ];
    for (call, outcome, keys) in tries {
        let height = both.engine.height() + 1;
        let mut batch = BatchBuilder::new(height, 1_000 * height);
        batch.push(&call).expect("within the limits");
        let bytes = batch.finish();
        let tried = both.engine.try_calls(|trial| {
            let tried = trial.call(bytes).expect("executes");
            (tried.receipt().outcome(), tried.reads().expect("they are few"))
        });
        let (ended, reads) = tried.expect("the engine goes on");
        assert!(reads.iter().all(|read| matches!(read.what, Dependency::Answers(_))), "{reads:?}");
        assert_eq!((ended, reads.len()), (outcome, keys), "{}", call.method);
    }
}
