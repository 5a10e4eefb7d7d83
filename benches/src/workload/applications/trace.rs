//! `trace`: batches of goods are produced, split, handed over, taken over, and, every tenth, recalled.

use super::{Application, Ask, Checks, DEPLOYER, Invariant, Parties, STRANGER, State};
use phalanx_trace::Batch;
use rand::RngExt;

const BATCHES: u8 = 1;
const RECALLS: u8 = 4;
const PRODUCED: u8 = 6;

const STEPS: u64 = 5;
const PRODUCTS: u64 = 16;
/// Why batches are recalled.
const REASON: u16 = 7;

/// The workload.
pub(super) struct Trace(pub(super) Parties);

impl Trace {
    /// How much is produced, and how much of it is split off.
    fn quantities(&self, thing: u64) -> [u64; 2] {
        let mut dice = self.0.dice(thing);
        let whole = dice.random_range(2..=1_000_000);
        [whole, dice.random_range(1..whole)]
    }
}

/// The batch that is produced, and the one that is split off.
fn batches(thing: u64) -> [u64; 2] {
    [2 * thing, 2 * thing + 1]
}

fn product(thing: u64) -> u32 {
    (thing % PRODUCTS) as u32
}

fn is_recalled(thing: u64) -> bool {
    thing.is_multiple_of(10)
}

impl Application for Trace {
    const MODULE: &'static [u8] = include_bytes!("../../../../contracts/wasm/trace.wasm");

    fn name(&self) -> &'static str {
        "trace"
    }

    fn describe(&self) -> String {
        format!(
            "batches (contracts/trace) of {PRODUCTS} products that are produced, split, handed over, taken over, and \
             recalled or offered whole, 1 % refused"
        )
    }

    fn set_up_calls(&self) -> u64 {
        self.0.all()
    }

    fn set_up(&self, index: u64) -> Ask {
        Ask::new(DEPLOYER, "admit", &(self.0.nth(index),))
    }

    fn ask(&self, number: u64) -> Ask {
        let (thing, step) = self.0.steps(STEPS).of(number);
        let [producer, receiver] = self.0.two(thing);
        let ([whole, part], [quantity, split_off]) = (batches(thing), self.quantities(thing));
        match step {
            0 => Ask::new(producer, "produce", &(whole, product(thing), quantity)),
            1 => Ask::new(producer, "split", &(whole, part, split_off)),
            2 => Ask::new(producer, "hand_over", &(part, receiver)),
            3 => Ask::new(receiver, "take_over", &(part, split_off)),
            _ if is_recalled(thing) => Ask::new(producer, "recall", &(whole, REASON)),
            _ => Ask::new(producer, "hand_over", &(whole, receiver)),
        }
    }

    fn refused(&self, index: u64) -> Option<Ask> {
        Some(Ask::new(STRANGER, "produce", &(u64::MAX - index, 0u32, 1u64)))
    }

    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant {
        let things = self.0.steps(STEPS).things(asked);
        let holds = |thing: u64| {
            let [producer, receiver] = self.0.two(thing);
            let (done, [whole, split_off]) = (self.0.steps(STEPS).done(thing, asked), self.quantities(thing));
            let part = (done >= 2).then_some((split_off, if done >= 4 { receiver } else { producer }));
            let rest = if done >= 2 { whole - split_off } else { whole };
            let recalled = (done == 5 && is_recalled(thing)).then_some(REASON);
            let [found, found_part] = batches(thing).map(|batch| {
                let found: Option<Batch> = state.get(BATCHES, &batch);
                found.filter(|found| found.product == product(thing)).map(|found| (found.quantity, found.holder.0))
            });
            found == Some((rest, producer)) && found_part == part && state.get(RECALLS, &batches(thing)[0]) == recalled
        };
        let quantities: u128 = (0..things).map(|thing| u128::from(self.quantities(thing)[0])).sum();
        let produced = (0..PRODUCTS).map(|number| state.number(PRODUCED, &product(number))).sum();
        Checks::new("quantities, holders and recalls")
            .equal("produced", quantities, produced)
            .each("batches and their parts", things, holds)
            .finish()
    }
}
