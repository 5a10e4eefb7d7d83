//! `trade-finance`: letters of credit are issued, presented, accepted and settled; every fourth has a discrepancy that is waived.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_engine::Address;
use phalanx_trade_finance::{Letter, Phase};
use rand::RngExt;

const LETTERS: u8 = 1;
const CLAIMS: u8 = 2;
const MONEY: u8 = 3;
const CREDITED: u8 = 4;
const SET_ASIDE: u8 = 5;

const STEPS: u64 = 4;
const BANKS: u64 = 16;
/// What each bank has at first: more than it can promise.
const FUNDS: u128 = 1 << 80;
/// A letter whose document was presented before the clock starts, and one under which the same document is tried again and again.
const HONEST: u64 = u64::MAX;
const TEMPTED: u64 = u64::MAX - 1;
/// Calls that set up besides those of the banks: two letters, and the presentation of the honest one.
const LETTERS_SET_UP: u64 = 3;

/// The workload.
pub(super) struct TradeFinance(pub(super) Parties);

impl TradeFinance {
    fn bank(&self, number: u64) -> Address {
        self.0.digest(u64::MAX - 2 - number % BANKS)
    }

    fn amount(&self, letter: u64) -> u128 {
        self.0.dice(letter).random_range(1..=1_000_000)
    }

    fn issue(&self, letter: u64, [buyer, seller]: [Address; 2]) -> Ask {
        Ask::new(self.bank(letter), "issue", &(letter, buyer, seller, self.amount(letter), u64::MAX))
    }

    fn phase(&self, letter: u64, asked: u64) -> Phase {
        match (self.0.steps(STEPS).done(letter, asked), has_discrepancy(letter)) {
            (0 | 1, _) => Phase::Issued,
            (2, _) => Phase::Presented,
            (3, true) => Phase::Discrepant,
            (3, false) | (_, true) => Phase::Accepted,
            (_, false) => Phase::Settled,
        }
    }
}

fn has_discrepancy(letter: u64) -> bool {
    letter.is_multiple_of(4)
}

impl Application for TradeFinance {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/trade-finance.wasm");

    fn name(&self) -> &'static str {
        "trade-finance"
    }

    fn describe(&self) -> String {
        format!(
            "letters of credit (contracts/trade-finance) of {BANKS} banks that are issued, presented, accepted and settled; \
             every fourth has a discrepancy that is waived; 1 % of the calls would finance a document twice, and are refused"
        )
    }

    fn set_up_calls(&self) -> u64 {
        2 * BANKS + LETTERS_SET_UP
    }

    fn set_up(&self, index: u64) -> Ask {
        match index {
            _ if index < BANKS => Ask::new(DEPLOYER, "admit", &(self.bank(index),)),
            _ if index < 2 * BANKS => Ask::new(DEPLOYER, "credit", &(self.bank(index), FUNDS)),
            _ => match index - 2 * BANKS {
                0 => self.issue(HONEST, [STRANGER, STRANGER]),
                1 => self.issue(TEMPTED, [STRANGER, STRANGER]),
                _ => Ask::new(STRANGER, "present", &(HONEST, self.0.digest(HONEST))),
            },
        }
    }

    fn ask(&self, number: u64) -> Ask {
        let (letter, step) = self.0.steps(STEPS).of(number);
        let [buyer, seller] = self.0.two(letter);
        let bank = self.bank(letter);
        match (step, has_discrepancy(letter)) {
            (0, _) => self.issue(letter, [buyer, seller]),
            (1, _) => Ask::new(seller, "present", &(letter, self.0.digest(letter))),
            (2, false) => Ask::new(bank, "accept", &(letter,)),
            (2, true) => Ask::new(bank, "report_discrepancy", &(letter,)),
            (_, false) => Ask::new(bank, "settle", &(letter,)),
            (_, true) => Ask::new(buyer, "waive", &(letter, self.0.digest(letter))),
        }
    }

    fn refused(&self, _index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "present", &(TEMPTED, self.0.digest(HONEST))))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let letters = self.0.steps(STEPS).things(asked);
        let holds = |letter: u64| {
            let found: Option<Letter> = state.get(LETTERS, &letter);
            let claimed: Option<u64> = state.get(CLAIMS, &self.0.digest(letter));
            let presented = self.0.steps(STEPS).done(letter, asked) >= 2;
            found.is_some_and(|found| found.phase == self.phase(letter, asked))
                && claimed == presented.then_some(letter)
        };
        let unpaid =
            (0..letters).filter(|letter| self.phase(*letter, asked) != Phase::Settled).chain([HONEST, TEMPTED]);
        let set_aside: u128 = unpaid.map(|letter| self.amount(letter)).sum();
        let banks = (0..BANKS).map(|number| self.bank(number));
        let money = state.sum(MONEY, self.0.everyone().chain(banks));
        let credited = u128::from(BANKS) * FUNDS;
        let claimed: Option<u64> = state.get(CLAIMS, &self.0.digest(HONEST));
        Checks::new("money and claims")
            .equal("money credited", credited, state.number(CREDITED, &()))
            .equal("set aside", set_aside, state.number(SET_ASIDE, &()))
            .equal("money and what is set aside", credited, money + set_aside)
            .equal("letter of the document that is tried again", HONEST, claimed.unwrap_or(0))
            .each("letters", letters, holds)
            .finish()
    }
}
