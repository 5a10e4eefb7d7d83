//! `auction`: bids in one auction, each above the one before.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, State};
use phalanx_auction::Auction as Open;

const AUCTIONS: u8 = 0;
const MONEY: u8 = 1;
const CREDITED: u8 = 2;

const AUCTION: u64 = 1;
/// What each account has at first: above the highest bid.
const FUNDS: u128 = 1 << 66;

/// The workload.
pub(super) struct Auction(pub(super) Parties);

fn amount(number: u64) -> u128 {
    u128::from(number) + 1
}

impl Application for Auction {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/auction.wasm");

    fn name(&self) -> &'static str {
        "auction"
    }

    fn describe(&self) -> String {
        "bids (contracts/auction) in one auction, each above the one before, whose money is given back; 1 % refused"
            .into()
    }

    fn set_up_calls(&self) -> u64 {
        self.0.count() + 1
    }

    fn set_up(&self, index: u64) -> Ask {
        match index.checked_sub(self.0.count()) {
            None => Ask::new(DEPLOYER, "credit", &(self.0.address(index), FUNDS)),
            Some(_) => Ask::new(DEPLOYER, "open", &(AUCTION, 1u128, u64::MAX)),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        Ask::new(self.0.one(number), "bid", &(AUCTION, amount(number)))
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(Ask::new(self.0.one(index), "bid", &(AUCTION, 0u128)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let best = state.get::<Open>(AUCTIONS, &AUCTION).and_then(|auction| auction.best);
        let highest = if asked == 0 { 0 } else { amount(asked - 1) };
        let bidder = |bid: u64| best.is_some_and(|best| best.bidder.0 == self.0.one(asked - 1 - bid));
        let accounts = (0..self.0.count()).map(|index| self.0.address(index));
        let credited = u128::from(self.0.count()) * FUNDS;
        Checks::new("money and the highest bid")
            .equal("money credited", credited, state.number(CREDITED, &()))
            .equal("highest bid", highest, best.map_or(0, |best| best.amount))
            .equal("money and the highest bid", credited, state.sum(MONEY, accounts) + highest)
            .each("highest bidders", asked.min(1), bidder)
            .finish()
    }
}
