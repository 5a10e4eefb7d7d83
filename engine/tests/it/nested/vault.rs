//! The typed handle on the engine: the vault calls the token.

use super::{GAS, SENDER, Scene};
use phalanx_engine::{Address, Call, Outcome};

const TOKEN: &[u8] = include_bytes!("../../../../contracts/wasm/token.wasm");
const VAULT: &[u8] = include_bytes!("../../../../contracts/wasm/vault.wasm");

#[test]
fn the_vault_moves_tokens() {
    let mut scene = Scene::new();
    let ids = scene.deploy(&[TOKEN, VAULT]);
    let (token, vault) = (ids[0], ids[1]);
    let pair = |address: Address, amount: u128| [&address[..], &amount.to_le_bytes()].concat();
    let mut call = |contract: Address, method: &'static str, arguments: Vec<u8>| {
        let call = Call { contract, method, sender: SENDER, arguments: &arguments, gas_limit: GAS };
        let (outcome, _, bytes) = scene.run(&[call]).receipts.remove(0);
        (outcome, bytes)
    };
    let done = || (Outcome::Ok, vec![]);
    let refused = |error: u8| (Outcome::Reverted, vec![error]);
    assert_eq!(call(token, "mint", pair(SENDER, 100)), done());
    assert_eq!(call(vault, "deposit", pair(token, 40)), refused(1), "InsufficientAllowance");
    assert_eq!(call(token, "approve", pair(vault, 200)), done());
    assert_eq!(call(vault, "deposit", pair(token, 140)), refused(0), "InsufficientBalance");
    assert_eq!(call(vault, "deposit", pair(token, 40)), done());
    assert_eq!(call(vault, "deposit", pair(vault, 40)), refused(3), "TokenFailed: the vault is none");
    assert_eq!(call(vault, "withdraw", pair(token, 41)), refused(2), "InsufficientDeposit");
    assert_eq!(call(token, "balance_of", vault.to_vec()), (Outcome::Ok, 40u128.to_le_bytes().to_vec()));
    assert_eq!(call(vault, "withdraw", pair(token, 40)), done());
    assert_eq!(call(token, "balance_of", SENDER.to_vec()), (Outcome::Ok, 100u128.to_le_bytes().to_vec()));
    // None of the token's methods and slots are the vault's.
    assert_eq!(call(vault, "transfer", pair(SENDER, 1)).0, Outcome::UnknownMethod);
}
