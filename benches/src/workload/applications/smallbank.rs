//! `smallbank`: the six calls of SmallBank, a quarter of them payments, 15 % each of the others.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use rand::RngExt;

const SAVINGS: u8 = 0;
const CHECKING: u8 = 1;
const PAID_IN: u8 = 2;
const PAID_OUT: u8 = 3;

/// What each customer has at first in each account, in cents.
const FUNDS: u128 = 1_000_000;
/// The most that a call moves, but for `amalgamate`.
const AMOUNT_MAX: u128 = 1_000;

/// The workload.
pub(super) struct SmallBank(pub(super) Parties);

impl Application for SmallBank {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/smallbank.wasm");

    fn name(&self) -> &'static str {
        "smallbank"
    }

    fn describe(&self) -> String {
        "SmallBank (contracts/smallbank): 25 % send_payment, 15 % each of balance, deposit_checking, transact_savings, \
         amalgamate and write_check; 1 % refused, and payments of those who have nothing left"
            .into()
    }

    fn set_up_calls(&self) -> u64 {
        self.0.all()
    }

    fn set_up(&self, index: u64) -> Ask {
        Ask::new(DEPLOYER, "open", &(self.0.nth(index), FUNDS, FUNDS))
    }

    fn ask(&self, number: u64) -> Ask {
        let [customer, other] = self.0.two(number);
        let mut dice = self.0.dice(!number);
        let amount: u128 = dice.random_range(1..=AMOUNT_MAX);
        match dice.random_range(0..100) {
            0..15 => Ask::new(customer, "balance", &(customer,)),
            15..30 => Ask::new(DEPLOYER, "deposit_checking", &(customer, amount)),
            30..45 => {
                let amount = amount.cast_signed();
                let amount = if dice.random() { amount } else { -amount };
                Ask::new(DEPLOYER, "transact_savings", &(customer, amount))
            }
            45..60 => Ask::new(customer, "amalgamate", &(other,)),
            60..75 => Ask::new(customer, "write_check", &(amount,)),
            _ => Ask::new(customer, "send_payment", &(other, amount)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "send_payment", &(self.0.one(index), 1u128)))
    }

    fn invariant(&self, state: &State<'_>, _asked: u64) -> Invariant {
        let funds = |slot| self.0.everyone().map(|owner| state.get::<i128>(slot, &owner).unwrap_or(0)).sum::<i128>();
        let [paid_in, paid_out] = [PAID_IN, PAID_OUT].map(|slot| state.number(slot, &()).cast_signed());
        let opened = |index| state.get::<i128>(SAVINGS, &self.0.nth(index)).is_some();
        Checks::new("money in the bank")
            .equal("in all accounts", paid_in - paid_out, funds(SAVINGS) + funds(CHECKING))
            .each("customers with accounts", self.0.all(), opened)
            .finish()
    }
}
