//! `pools`: swaps in pools of two reserves, which each swap reads and writes. Two in one pool conflict.

use super::call_list::CallList;
use super::conflicts::Conflicts;
use super::deployments::Deployments;
use super::transfers::fails;
use super::{Invariant, Popularity, Shape};
use crate::BenchError;
use phalanx_engine::{BatchBuilder, Engine};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// What a pool opens with on each side.
const RESERVE: u128 = 1_000_000_000;
/// The most that a swap pays in: a thousandth of that, so that a pool's price moves with each swap.
const PAID_MAX: u128 = 1_000_000;

/// The workload.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    conflicts: Conflicts,
    pools: Popularity,
}

impl Pools {
    /// `pools` pools, at least one, drawn by the shape's skew; who swaps is drawn uniformly.
    pub(super) fn new(shape: Shape, pools: u32) -> Result<Self, BenchError> {
        let conflicts = Conflicts::new(Shape { skew: 0.0, ..shape })?;
        Ok(Self { conflicts: Conflicts { shape, ..conflicts }, pools: Popularity::new(pools.into(), shape.skew)? })
    }

    fn product(&self, engine: &Engine, pool: u32) -> Option<u128> {
        let [left, right] = self.conflicts.reserves(engine, pool);
        left?.checked_mul(right?)
    }
}

impl CallList for Pools {
    fn name(&self) -> &'static str {
        "pools"
    }

    fn describe(&self) -> String {
        format!(
            "swaps (contracts/conflicts) in {} pools of constant product that read and write two reserves, an event \
             each, 1 % refused",
            self.pools.count()
        )
    }

    fn shape(&self) -> &Shape {
        &self.conflicts.shape
    }

    fn deployments(&self) -> &Deployments {
        &self.conflicts.deployments
    }

    fn set_up_calls(&self) -> u64 {
        self.pools.count()
    }

    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let reserve = RESERVE.to_le_bytes();
        let arguments = [&(index as u32).to_le_bytes()[..], &reserve, &reserve].concat();
        Ok(batch.push(&self.conflicts.deployer_call("open_pool", &arguments))?)
    }

    fn measured(&self, _index: u64, random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let accounts = &self.conflicts.transfers.accounts;
        let sender = accounts.address(accounts.draw(random));
        let pool = self.pools.draw(random) as u32;
        let side = random.random_range(0..2u8);
        let paid: u128 = random.random_range(1..=PAID_MAX);
        // Whoever accepts no less than the largest number gets nothing.
        let accepted = if fails(random) { u128::MAX } else { 0 };
        let mut arguments = [0; 37];
        arguments[..4].copy_from_slice(&pool.to_le_bytes());
        arguments[4] = side;
        arguments[5..21].copy_from_slice(&paid.to_le_bytes());
        arguments[21..].copy_from_slice(&accepted.to_le_bytes());
        Ok(batch.push(&self.conflicts.call("swap", sender, &arguments))?)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        let lowest = (0..self.pools.count()).map(|pool| self.product(engine, pool as u32)).min().flatten();
        let opened = RESERVE * RESERVE;
        let found = super::transfers::show(lowest);
        Invariant {
            name: "constant product",
            holds: lowest.is_some_and(|lowest| lowest >= opened),
            detail: format!("every pool opened with {opened}, the lowest product is {found}"),
        }
    }
}
