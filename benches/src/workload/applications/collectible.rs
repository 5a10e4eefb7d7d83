//! `collectible`: items are minted, offered, bought with a royalty, and transferred.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_collectible::{ROYALTY_MAX, UniqueItem};
use phalanx_engine::Address;
use rand::RngExt;

const ITEMS: u8 = 1;
const COUNTS: u8 = 2;
const MONEY: u8 = 5;
const MONEY_IN_ALL: u8 = 6;

const STEPS: u64 = 4;
/// What each account has at first: more than any number of calls spends.
const FUNDS: u128 = 1 << 80;

/// The workload.
pub(super) struct Collectible(pub(super) Parties);

impl Collectible {
    /// Who mints and sells, who buys, and who is given the item then.
    fn owners(&self, item: u64) -> [Address; 3] {
        let [creator, buyer] = self.0.two(item);
        [creator, buyer, self.0.one(!item)]
    }

    fn price(&self, item: u64) -> u128 {
        self.0.dice(item).random_range(1..=1_000_000)
    }
}

impl Application for Collectible {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/collectible.wasm");

    fn name(&self) -> &'static str {
        "collectible"
    }

    fn describe(&self) -> String {
        "unique items (contracts/collectible) that are minted, offered, bought with a royalty, and transferred, 1 % refused".into()
    }

    fn set_up_calls(&self) -> u64 {
        2 * self.0.all()
    }

    fn set_up(&self, index: u64) -> Ask {
        let who = self.0.nth(index / 2);
        match index % 2 {
            0 => Ask::new(DEPLOYER, "admit", &(who,)),
            _ => Ask::new(DEPLOYER, "credit", &(who, FUNDS)),
        }
    }

    fn ask(&self, number: u64) -> Ask {
        let (item, step) = self.0.steps(STEPS).of(number);
        let [creator, buyer, last] = self.owners(item);
        match step {
            0 => {
                let royalty = (item % u64::from(ROYALTY_MAX + 1)) as u16;
                Ask::new(creator, "mint", &(item, creator, royalty, self.0.digest(item)))
            }
            1 => Ask::new(creator, "offer", &(item, Some(self.price(item)))),
            2 => Ask::new(buyer, "buy", &(item, self.price(item))),
            _ => Ask::new(buyer, "transfer", &(item, last)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        let (item, _) = self.0.steps(STEPS).of(index);
        Some(Ask::new(STRANGER, "transfer", &(item, STRANGER)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let items = self.0.steps(STEPS).things(asked);
        let holds = |item: u64| {
            let [creator, buyer, last] = self.owners(item);
            let owner = [creator, creator, buyer, last][self.0.steps(STEPS).done(item, asked) as usize - 1];
            let found: Option<UniqueItem> = state.get(ITEMS, &item);
            found.is_some_and(|found| found.owner.0 == owner && found.content == self.0.digest(item))
        };
        let credited = u128::from(self.0.all()) * FUNDS;
        Checks::new("owners, counts and money")
            .equal("money credited", credited, state.number(MONEY_IN_ALL, &()))
            .equal("money", credited, state.sum(MONEY, self.0.everyone()))
            .equal("items counted", u128::from(items), state.sum(COUNTS, self.0.everyone()))
            .each("items", items, holds)
            .finish()
    }
}
