//! Embedding the engine: deploy a token, execute a batch, commit it, and discard another.

use phalanx_engine::{BatchBuilder, Call, Deployment, Engine, Outcome};

const ISSUER: [u8; 32] = [1; 32];
const ALICE: [u8; 32] = [2; 32];

/// The whole of it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::default();

    // Height 1 deploys the token; from height 2 on it can be called.
    let token = Deployment::new(ISSUER, [0; 32], include_bytes!("../../contracts/wasm/token.wasm"));
    let mut batch = BatchBuilder::new(1, 1_000);
    batch.push(&token.call())?;
    engine.commit(engine.execute_batch(batch.finish())?)?;

    // Height 2 mints 100 for Alice. Nothing has happened until it is committed.
    let arguments = [&ALICE[..], &100u128.to_le_bytes()].concat();
    let mint =
        Call { contract: token.contract(), method: "mint", sender: ISSUER, arguments: &arguments, gas_limit: 50_000 };
    let mut batch = BatchBuilder::new(2, 2_000);
    batch.push(&mint)?;
    let executed = engine.execute_batch(batch.finish())?;
    assert!(executed.receipts().all(|receipt| receipt.outcome() == Outcome::Ok));
    engine.commit(executed)?;

    // Another height 3 is executed, looked at, and dropped: the state stays as it is.
    let before = engine.state_digest();
    let mut batch = BatchBuilder::new(3, 3_000);
    batch.push(&mint)?;
    drop(engine.execute_batch(batch.finish())?);
    assert_eq!((engine.height(), engine.state_digest()), (2, before));

    let balance = engine.get(&token.contract(), &[&[1], &ALICE[..]].concat());
    println!("Alice has {}", u128::from_le_bytes(balance.ok_or("no balance")?[..].try_into()?));
    Ok(())
}
