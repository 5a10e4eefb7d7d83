//! The token that is called: deployed by the generator, and compared with its receipts at the end.

use phalanx_benches::workload::{Accounts, CALL_GAS_LIMIT, transfer_arguments};
use phalanx_client::{Client, Columns, Session, SessionOptions, v1};
use phalanx_engine::Address;
use serde::{Deserialize, Serialize};

use super::super::failure;
use super::answers::{Expected, Told};
use crate::exit::Failure;
use crate::progress::Progress;

/// The contract as it is built from contracts/token.
const MODULE: &[u8] = include_bytes!("../../../../../contracts/wasm/token.wasm");
/// Who deploys and mints.
const ISSUER: Address = *b"phalanx load: issues its token. ";
/// The slots of contracts/token.
const SUPPLY_KEY: u8 = 0;
const BALANCES_SLOT: u8 = 1;
/// What each account has at first: more than it can send in the years that a run may take.
const FUNDS: u128 = 1 << 64;
/// Calls of a submission that funds accounts.
const MINTS: u64 = 16_384;
/// Keys that the node is asked for at once; it answers at most 256.
const KEYS: usize = 256;

/// A deployed token whose accounts are funded.
pub(super) struct Token {
    pub(super) contract: Address,
    accounts: Accounts,
}

/// What was found at the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Balances {
    /// Accounts whose balances were compared with the receipts; 0 where it is not known which calls were executed.
    pub(super) compared: u64,
    /// Accounts whose balances were summed; the sum is compared with the supply if they are all.
    pub(super) summed: u64,
    /// The first difference.
    pub(super) difference: Option<String>,
}

impl Token {
    /// Deploys a token of its own, and funds all accounts.
    pub(super) async fn set_up(client: &Client, accounts: Accounts) -> Result<Token, Failure> {
        let broken = |what: String| Failure::failed(what, "look at the node");
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| broken(format!("no randomness for a salt: {error}")))?;
        let deployed = client.deploy(&ISSUER, &salt, MODULE.to_vec()).await.map_err(|error| failure(&error))?;
        let Ok(contract) = Address::try_from(&deployed.contract[..]) else {
            return Err(broken(format!("the token was not deployed: {:?} {}", deployed.receipt, deployed.explanation)));
        };
        let token = Token { contract, accounts };
        token.fund(client).await?;
        Ok(token)
    }

    async fn fund(&self, client: &Client) -> Result<(), Failure> {
        let progress = Progress::of_accounts(self.accounts.count());
        let acknowledgement = v1::Acknowledgement::Durable;
        let options = SessionOptions { name: None, acknowledgement, receipt_form: v1::ReceiptForm::Canonical };
        let mut session = Session::open(client, options).await.map_err(|error| failure(&error))?;
        let (mut sent, mut funded) = (0, 0);
        while funded < self.accounts.count() {
            while session.has_credit() && sent < self.accounts.count() {
                let until = self.accounts.count().min(sent + MINTS);
                session.submit(self.mints(sent, until)).await.map_err(|error| failure(&error))?;
                sent = until;
            }
            let answer = session.answer().await.map_err(|error| failure(&error))?;
            let calls = (self.accounts.count() - funded).min(MINTS);
            let expected = Expected { calls: calls as u32, acknowledgement: acknowledgement.into() };
            let receipts = answer.and_then(|answer| answer.receipts);
            // A session that was connected anew is answered what was executed before.
            let receipts = receipts.map(|receipts| v1::SubmissionReceipts { repeated: false, ..receipts });
            if let Some(problem) = Told::of_submission(receipts, expected).problem {
                return Err(Failure::failed(format_args!("accounts were not funded: {problem}"), "look at the node"));
            }
            funded += calls;
            progress.at(funded);
        }
        Ok(())
    }

    fn mints(&self, from: u64, until: u64) -> Columns {
        let mut columns = Columns::default();
        for index in from..until {
            let arguments = transfer_arguments(&self.accounts.address(index), FUNDS);
            columns.push(&self.contract, "mint", &ISSUER, CALL_GAS_LIMIT, &arguments);
        }
        columns
    }

    /// Compares supply and balances with what was minted and, if it is known, with what the receipts say that accounts received
    /// less what they sent. So many accounts are asked for, evenly spread.
    pub(super) async fn compare(
        &self,
        client: &Client,
        moved: Option<&[i128]>,
        checked: u64,
    ) -> Result<Balances, Failure> {
        let count = self.accounts.count();
        let minted = FUNDS * u128::from(count);
        let mut difference = None;
        let mut differ = |what: String| _ = difference.get_or_insert(what);
        let supply = self.numbers(client, vec![vec![SUPPLY_KEY]]).await?;
        if supply != [Some(minted)] {
            differ(format!("{minted} were minted, the supply is {supply:?}"));
        }
        let indices: Vec<u64> =
            (0..checked).map(|at| (u128::from(at) * u128::from(count) / u128::from(checked)) as u64).collect();
        let mut sum = 0u128;
        for indices in indices.chunks(KEYS) {
            let key = |index: &u64| [&[BALANCES_SLOT], &self.accounts.address(*index)[..]].concat();
            let balances = self.numbers(client, indices.iter().map(key).collect()).await?;
            for (index, balance) in indices.iter().zip(balances) {
                sum = sum.wrapping_add(balance.unwrap_or(0));
                let expected = moved.map(|moved| FUNDS.wrapping_add_signed(moved[*index as usize]));
                if let Some(expected) = expected.filter(|expected| balance != Some(*expected)) {
                    differ(format!("by its receipts account {index} has {expected}, by the state {balance:?}"));
                }
            }
        }
        if checked == count && sum != minted {
            differ(format!("{minted} were minted, the balances sum to {sum}"));
        }
        let compared = if moved.is_some() { checked } else { 0 };
        Ok(Balances { compared, summed: checked, difference })
    }

    async fn numbers(&self, client: &Client, keys: Vec<Vec<u8>>) -> Result<Vec<Option<u128>>, Failure> {
        let asked = keys.len();
        let values = client.state(&self.contract, keys).await.map_err(|error| failure(&error))?.values;
        if values.len() != asked {
            return Err(Failure::failed(format_args!("{} values for {asked} keys", values.len()), "look at the node"));
        }
        let number = |value: v1::StateValue| Some(u128::from_le_bytes(value.value?[..].try_into().ok()?));
        Ok(values.into_iter().map(number).collect())
    }
}
