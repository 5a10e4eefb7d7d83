//! The token on the engine, compared with the oracle receipt by receipt.

use phalanx_engine::{
    Address, BatchBuilder, Call, Engine, HashSeed, Options, Oracle, Outcome, SYSTEM_CONTRACT, contract_id,
    deploy_arguments, deploy_gas,
};

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
