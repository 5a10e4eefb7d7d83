//! `asset-backed`: payments into pools of loans, and claims of those who hold their notes.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_asset_backed::{Share, Terms, Tranche};
use phalanx_engine::Address;
use rand::RngExt;

const COLLECTED: u8 = 6;
const PAID: u8 = 7;
const MONEY: u8 = 8;
const CREDITED: u8 = 9;
const HELD: u8 = 10;

const POOLS: u64 = 16;
const TRANCHES: u64 = Tranche::ALL.len() as u64;
/// Notes that each account has, all of one tranche of one pool.
const NOTES: u128 = 1_000_000;
/// What a pool's originator has to pay in: more than it ever does.
const FUNDS: u128 = 1 << 56;
/// Of ten calls, so many pay in; the others claim.
const PAYMENTS_IN_TEN: u64 = 7;

/// The workload.
pub(super) struct AssetBacked {
    parties: Parties,
    /// Measured calls.
    calls: u64,
}

impl AssetBacked {
    /// So many calls pay in about what all notes claim: senior notes are paid in the first third, junior notes in the last.
    pub(super) fn new(parties: Parties, calls: u64) -> Self {
        Self { parties, calls }
    }

    fn originator(&self, pool: u64) -> Address {
        self.parties.digest(u64::MAX - pool % POOLS)
    }

    /// Who buys the notes of each tranche that no account has, so that none is without.
    fn house(&self) -> Address {
        self.parties.digest(u64::MAX - POOLS)
    }

    fn everyone(&self) -> impl Iterator<Item = Address> {
        let accounts = (0..self.parties.count()).map(|index| self.parties.address(index));
        accounts.chain((0..POOLS).map(|pool| self.originator(pool))).chain([self.house()])
    }

    fn terms(&self, pool: u64) -> Terms {
        let [senior, mezzanine, junior] = core::array::from_fn(|tranche| {
            // Accounts with `index % (POOLS · TRANCHES)` equal to this tranche's number, and the house.
            let number = pool + POOLS * tranche as u64;
            let holders = self.parties.count().saturating_sub(number).div_ceil(POOLS * TRANCHES) + 1;
            let face = u128::from(holders) * NOTES;
            Share { face, claim: 2 * face }
        });
        Terms { senior, mezzanine, junior }
    }

    /// The pool that the call of a number pays into, and how much; `None` if it claims.
    fn payment(&self, number: u64) -> Option<(u64, u128)> {
        if number % 10 >= PAYMENTS_IN_TEN {
            return None;
        }
        let mut dice = self.parties.dice(number);
        let pool = dice.random_range(0..POOLS);
        let payments = u128::from((self.calls * PAYMENTS_IN_TEN).div_ceil(10 * POOLS));
        Some((pool, dice.random_range(1..=(2 * self.terms(pool).claim()).div_ceil(payments))))
    }

    /// The account that the call of a number claims for: one whose tranche is paid about then, if the pool has one.
    fn claimant(&self, number: u64) -> u64 {
        let drawn = self.parties.accounts.draw(&mut self.parties.dice(number));
        let tranche = (number * TRANCHES / self.calls).min(TRANCHES - 1);
        let account = drawn / (POOLS * TRANCHES) * (POOLS * TRANCHES) + tranche * POOLS + drawn % POOLS;
        if account < self.parties.count() { account } else { drawn }
    }

    /// What each pool collected and each account was paid by the calls with numbers below `asked`: a claim is paid what is due when it
    /// comes.
    fn books(&self, asked: u64) -> ([u128; POOLS as usize], Vec<u128>) {
        let (mut collected, mut paid) = ([0; POOLS as usize], vec![0; self.parties.count() as usize]);
        for number in 0..asked {
            match self.payment(number) {
                Some((pool, amount)) => collected[pool as usize] += amount,
                None => {
                    let account = self.claimant(number);
                    let (pool, tranche) = holding(account);
                    paid[account as usize] = self.terms(pool).due(tranche, NOTES, collected[pool as usize]);
                }
            }
        }
        (collected, paid)
    }

    /// Calls that set up, as counts: admissions, credits, openings, loans, subscriptions and the ends of sales.
    fn phases(&self) -> [u64; 6] {
        let accounts = self.parties.count();
        [POOLS, POOLS + 1 + accounts, POOLS, POOLS, accounts + POOLS * TRANCHES, POOLS]
    }
}

/// The pool and the tranche that an account has notes of.
fn holding(account: u64) -> (u64, Tranche) {
    (account % POOLS, Tranche::ALL[(account / POOLS % TRANCHES) as usize])
}

impl Application for AssetBacked {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/asset-backed.wasm");

    fn name(&self) -> &'static str {
        "asset-backed"
    }

    fn describe(&self) -> String {
        format!(
            "{POOLS} pools of loans (contracts/asset-backed): 70 % payments into them, 30 % claims of those who hold notes; 1 % \
             refused, and claims where nothing is due"
        )
    }

    fn set_up_calls(&self) -> u64 {
        self.phases().iter().sum()
    }

    fn set_up(&self, index: u64) -> Ask {
        let (mut phase, mut index) = (0, index);
        while index >= self.phases()[phase] {
            index -= self.phases()[phase];
            phase += 1;
        }
        let (accounts, originator) = (self.parties.count(), self.originator(index));
        match phase {
            0 => Ask::new(DEPLOYER, "admit", &(originator,)),
            1 if index < POOLS => Ask::new(DEPLOYER, "credit", &(originator, FUNDS)),
            1 if index == POOLS => Ask::new(DEPLOYER, "credit", &(self.house(), u128::from(POOLS * TRANCHES) * NOTES)),
            1 => Ask::new(DEPLOYER, "credit", &(self.parties.address(index - POOLS - 1), NOTES)),
            2 => Ask::new(originator, "open", &(index, self.terms(index))),
            3 => Ask::new(originator, "pledge", &(index, self.parties.digest(index), self.terms(index).face())),
            4 if index < accounts => {
                let (pool, tranche) = holding(index);
                Ask::new(self.parties.address(index), "subscribe", &(pool, tranche, NOTES))
            }
            4 => {
                let (pool, tranche) = holding(index - accounts);
                Ask::new(self.house(), "subscribe", &(pool, tranche, NOTES))
            }
            _ => Ask::new(originator, "close", &(index,)),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        match self.payment(number) {
            Some((pool, amount)) => Ask::new(self.originator(pool), "collect", &(pool, amount)),
            None => {
                let account = self.claimant(number);
                Ask::new(self.parties.address(account), "claim", &holding(account))
            }
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "collect", &(index % POOLS, 0u128)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let (collected, paid) = self.books(asked);
        let is_collected = |pool: u64| state.number(COLLECTED, &pool) == collected[pool as usize];
        let is_paid = |account: u64| {
            let ((pool, tranche), address) = (holding(account), self.parties.address(account));
            [state.number(PAID, &(pool, Some((tranche, address)))), state.number(MONEY, &address)]
                == [paid[account as usize]; 2]
        };
        let credited = u128::from(POOLS) * FUNDS + u128::from(POOLS * TRANCHES + self.parties.count()) * NOTES;
        Checks::new("money in and out of pools")
            .equal("money credited", credited, state.number(CREDITED, &()))
            .equal("money and what pools hold", credited, state.sum(MONEY, self.everyone()) + state.number(HELD, &()))
            .each("pools with what was paid into them", POOLS, is_collected)
            .each("accounts with what they were paid", self.parties.count(), is_paid)
            .finish()
    }
}
