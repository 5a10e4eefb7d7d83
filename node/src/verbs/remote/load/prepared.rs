//! Submissions that are drawn and encoded before the clock starts.

use phalanx_benches::workload::{Accounts, CALL_GAS_LIMIT, transfer_arguments};
use phalanx_engine::Address;
use phalanx_proto::{Bytes, v1};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::Cell;

use super::arguments::Form;
use super::plan::Plan;

/// The largest transfer.
const AMOUNT_MAX: u32 = 1_000;
const ADDRESS_BYTES: usize = 32;
const ARGUMENT_BYTES: usize = 48;

/// A transfer between two accounts, by their indices.
struct Transfer {
    from: u32,
    to: u32,
    amount: u32,
}

/// Prepared submissions, which are taken in turn.
pub(super) struct Prepared {
    templates: Vec<Template>,
    transfers: Vec<Transfer>,
    batch: usize,
    accounts: usize,
    next: Cell<usize>,
}

/// A submission. Cloning one shares the bytes of columns, and copies those of a list.
#[derive(Clone)]
pub(super) enum Template {
    Columns(v1::CallColumns),
    List(v1::CallList),
    Single(v1::Call),
}

/// Which of the prepared submissions one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TemplateIndex(pub(super) usize);

impl Prepared {
    /// Draws transfers, and makes submissions of the plan's form of them.
    pub(super) fn new(plan: &Plan, contract: &Address) -> Prepared {
        let batch = plan.batch as usize;
        let count = (plan.prepared as usize).div_ceil(batch);
        let transfers = draw(&plan.accounts, count * batch);
        let addresses: Vec<Address> = (0..plan.accounts.count()).map(|index| plan.accounts.address(index)).collect();
        let mut senders = Vec::with_capacity(transfers.len() * ADDRESS_BYTES);
        let mut arguments = Vec::with_capacity(transfers.len() * ARGUMENT_BYTES);
        for Transfer { from, to, amount } in &transfers {
            senders.extend_from_slice(&addresses[*from as usize]);
            arguments.extend_from_slice(&transfer_arguments(&addresses[*to as usize], (*amount).into()));
        }
        let columns = Columns {
            contract: Bytes::copy_from_slice(contract),
            senders: senders.into(),
            arguments: arguments.into(),
            gas_limits: Bytes::copy_from_slice(&CALL_GAS_LIMIT.to_le_bytes()),
        };
        let template = |number: usize| {
            let first = number * batch;
            match plan.form {
                Form::Columns => Template::Columns(columns.columns(first, batch)),
                Form::Calls => {
                    let mut list = v1::CallList::default();
                    (first..first + batch).for_each(|at| list.push(&columns.call(at)));
                    Template::List(list)
                }
                Form::Submit => Template::Single(columns.call(first)),
            }
        };
        let templates = (0..count).map(template).collect();
        Prepared { templates, transfers, batch, accounts: addresses.len(), next: Cell::new(0) }
    }

    /// How many submissions there are.
    pub(super) fn len(&self) -> usize {
        self.templates.len()
    }

    /// The next one.
    pub(super) fn take(&self) -> (TemplateIndex, Template) {
        let index = self.next.get();
        self.next.set((index + 1) % self.templates.len());
        (TemplateIndex(index), self.templates[index].clone())
    }

    /// How many calls each account has made, if each submission succeeded as often as is said.
    pub(super) fn made(&self, successes: &[u64]) -> Vec<u64> {
        let mut made = vec![0; self.accounts];
        for (transfers, &times) in self.transfers.chunks(self.batch).zip(successes) {
            transfers.iter().for_each(|transfer| made[transfer.from as usize] += times);
        }
        made
    }

    /// What each account has received less what it has sent, if each submission succeeded as often as is said.
    pub(super) fn moved(&self, successes: &[u64]) -> Vec<i128> {
        let mut moved = vec![0; self.accounts];
        for (transfers, &times) in self.transfers.chunks(self.batch).zip(successes) {
            for Transfer { from, to, amount } in transfers {
                let all = i128::from(*amount) * i128::from(times);
                moved[*from as usize] -= all;
                moved[*to as usize] += all;
            }
        }
        moved
    }
}

fn draw(accounts: &Accounts, count: usize) -> Vec<Transfer> {
    let mut random = ChaCha8Rng::seed_from_u64(accounts.seed());
    let transfer = |_| {
        let (from, to) = accounts.draw_pair(&mut random);
        let amount = random.random_range(1..=AMOUNT_MAX);
        // There are at most ten million accounts.
        Transfer { from: from as u32, to: to as u32, amount }
    };
    (0..count).map(transfer).collect()
}

/// All prepared calls, one behind the other.
struct Columns {
    contract: Bytes,
    senders: Bytes,
    arguments: Bytes,
    gas_limits: Bytes,
}

impl Columns {
    fn senders(&self, first: usize, calls: usize) -> Bytes {
        self.senders.slice(first * ADDRESS_BYTES..(first + calls) * ADDRESS_BYTES)
    }

    fn arguments(&self, first: usize, calls: usize) -> Bytes {
        self.arguments.slice(first * ARGUMENT_BYTES..(first + calls) * ARGUMENT_BYTES)
    }

    fn columns(&self, first: usize, calls: usize) -> v1::CallColumns {
        v1::CallColumns {
            targets: vec![v1::Target { contract: self.contract.clone(), method: "transfer".to_owned() }],
            calls: calls as u32,
            senders: self.senders(first, calls),
            gas_limits: self.gas_limits.clone(),
            arguments: self.arguments(first, calls),
            ..v1::CallColumns::default()
        }
    }

    fn call(&self, index: usize) -> v1::Call {
        v1::Call {
            contract: self.contract.clone(),
            method: "transfer".to_owned(),
            sender: self.senders(index, 1),
            arguments: self.arguments(index, 1),
            gas_limit: CALL_GAS_LIMIT.into(),
            ..v1::Call::default()
        }
    }
}
