//! Workloads of the applications in contracts/, each under its name.
//!
//! An application's workload is a function from a number to a call. What the application is about (documents, letters, parcels)
//! goes through its steps side by side, see [`Steps`]; every hundredth call is one that must be refused.

mod advisory;
mod asset_backed;
mod auction;
mod casework;
mod checks;
mod collectible;
mod evidence;
mod exchange;
mod identity;
mod kv;
mod land;
mod licence;
mod micro;
mod parties;
mod smallbank;
mod steps;
mod trace;
mod trade_finance;

use checks::{Checks, State};
use parties::Parties;
use steps::Steps;

use super::call_list::{CallList, measured_until};
use super::deployments::Deployments;
use super::{CALL_GAS_LIMIT, Entry, Invariant, Made, Particulars, Popularity, Shape};
use crate::BenchError;
use phalanx_contract::Wire;
use phalanx_contract::wire::encoded;
use phalanx_engine::limits::{BATCH_BYTES_MAX, BATCH_GAS_MAX};
use phalanx_engine::{Address, BatchBuilder, Call, Engine};
use rand_chacha::ChaCha8Rng;

/// Who deploys, and so appoints, admits and credits.
const DEPLOYER: Address = *b"phalanx bench: runs applications";
/// Who has no role, no account and nothing else.
const STRANGER: Address = *b"phalanx bench: has no role there";
/// One call in so many is one that must be refused: the last of each.
const REFUSED_EVERY: u64 = 100;

/// What an application's workload consists of.
trait Application {
    /// The contract as it is built from contracts/.
    const MODULE: &'static [u8];
    /// Gas limit of each call: a multiple of what the dearest uses.
    const GAS_LIMIT: u32 = CALL_GAS_LIMIT;
    /// Bytes of a call in a batch, on average, or a few more.
    const CALL_BYTES: usize = 256;

    /// The name on the command line.
    fn name(&self) -> &'static str;
    /// Which contract does what, in one sentence.
    fn describe(&self) -> String;
    /// How many calls set up.
    fn set_up_calls(&self) -> u64 {
        0
    }
    /// A call that sets up, of an index below [`Application::set_up_calls`]. It must succeed.
    fn set_up(&self, index: u64) -> Ask {
        unreachable!("{} has no call {index} that sets up", self.name())
    }
    /// The measured call of a number, counted from 0 without those that must be refused.
    fn ask(&self, number: u64) -> Ask;
    /// A call that must be refused, whatever was executed before; `None` where nothing can be. `index` is its own among all measured
    /// calls.
    fn refused(&self, index: u64) -> Option<Ask>;
    /// Checks the state after the calls with numbers below `asked`.
    fn invariant(&self, state: &State<'_>, asked: u64) -> Invariant;
}

/// A call, but for the contract.
struct Ask {
    method: &'static str,
    sender: Address,
    arguments: Vec<u8>,
}

impl Ask {
    /// Of a method with these arguments: a tuple, also of one.
    fn new<'a>(sender: Address, method: &'static str, arguments: &impl Wire<'a>) -> Self {
        Self { method, sender, arguments: encoded(arguments) }
    }
}

/// The calls of an application's workload, on one contract.
struct Applied<A> {
    shape: Shape,
    deployments: Deployments,
    application: A,
}

impl<A: Application> Applied<A> {
    /// # Errors
    /// [`BenchError::Usage`] if a batch could pass a limit.
    fn new(shape: Shape, application: A) -> Result<Self, BenchError> {
        let calls = shape.calls.min(shape.batch_size as u64);
        for (most, limit, unit) in
            [(u64::from(A::GAS_LIMIT), BATCH_GAS_MAX, "gas"), (A::CALL_BYTES as u64, BATCH_BYTES_MAX as u64, "bytes")]
        {
            if calls * most > limit {
                return Err(BenchError::Usage(format!(
                    "a batch of {calls} calls of {} may have {} {unit}, above the limit of {limit}; a --batch-size of {} \
                     fits",
                    application.name(),
                    calls * most,
                    limit / most
                )));
            }
        }
        Ok(Self { shape, deployments: Deployments::new(DEPLOYER, vec![A::MODULE.to_vec()], 1), application })
    }

    fn push(&self, ask: &Ask, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let Ask { method, sender, arguments } = ask;
        let contract = self.deployments.id(0);
        Ok(batch.push(&Call { contract, method, sender: *sender, arguments, gas_limit: A::GAS_LIMIT })?)
    }
}

/// Of so many measured calls, how many need not be refused.
fn asked(calls: u64) -> u64 {
    calls - calls / REFUSED_EVERY
}

impl<A: Application> CallList for Applied<A> {
    fn name(&self) -> &'static str {
        self.application.name()
    }

    fn describe(&self) -> String {
        self.application.describe()
    }

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn deployments(&self) -> &Deployments {
        &self.deployments
    }

    fn set_up_calls(&self) -> u64 {
        self.application.set_up_calls()
    }

    fn set_up(&self, index: u64, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        self.push(&self.application.set_up(index), batch)
    }

    fn measured(&self, index: u64, _random: &mut ChaCha8Rng, batch: &mut BatchBuilder) -> Result<(), BenchError> {
        let refused = (index % REFUSED_EVERY == REFUSED_EVERY - 1).then(|| self.application.refused(index)).flatten();
        self.push(&refused.unwrap_or_else(|| self.application.ask(asked(index))), batch)
    }

    fn invariant(&self, engine: &Engine) -> Invariant {
        let executed = measured_until(self, engine.height()).map(|(_, calls)| calls.end).max().unwrap_or(0);
        self.application.invariant(&State::new(engine, self.deployments.id(0)), asked(executed))
    }
}

/// Makes an application's workload from its parties.
fn made<A: Application + 'static>(shape: Shape, given: &Particulars, application: impl FnOnce(Parties) -> A) -> Made {
    let parties = Parties::new(&shape, given.side_by_side(shape.calls)?)?;
    Ok(Box::new(Applied::new(shape, application(parties))?))
}

/// What those use that take things through steps.
const STEPS: &[&str] = &["--side-by-side"];

/// All of them.
pub(super) const ENTRIES: [Entry; 22] = [
    Entry { name: "evidence", uses: STEPS, make: |shape, given| made(shape, given, evidence::Evidence) },
    Entry {
        name: "exchange",
        uses: &["--pools"],
        make: |shape, given| {
            let pools = Popularity::new(given.pools()?.into(), shape.skew)?;
            made(Shape { skew: 0.0, ..shape }, given, |parties| exchange::Exchange::new(parties, pools))
        },
    },
    Entry { name: "smallbank", uses: &[], make: |shape, given| made(shape, given, smallbank::SmallBank) },
    Entry { name: "kv-a", uses: &[], make: |shape, given| made(shape, given, |parties| kv::Kv::new(parties, kv::A)) },
    Entry { name: "kv-b", uses: &[], make: |shape, given| made(shape, given, |parties| kv::Kv::new(parties, kv::B)) },
    Entry { name: "kv-c", uses: &[], make: |shape, given| made(shape, given, |parties| kv::Kv::new(parties, kv::C)) },
    Entry { name: "kv-d", uses: &[], make: |shape, given| made(shape, given, |parties| kv::Kv::new(parties, kv::D)) },
    Entry { name: "kv-e", uses: &[], make: |shape, given| made(shape, given, |parties| kv::Kv::new(parties, kv::E)) },
    Entry { name: "kv-f", uses: &[], make: |shape, given| made(shape, given, |parties| kv::Kv::new(parties, kv::F)) },
    Entry { name: "collectible", uses: STEPS, make: |shape, given| made(shape, given, collectible::Collectible) },
    Entry { name: "licence", uses: STEPS, make: |shape, given| made(shape, given, licence::Licence) },
    Entry { name: "identity", uses: STEPS, make: |shape, given| made(shape, given, identity::Identity) },
    Entry { name: "land", uses: STEPS, make: |shape, given| made(shape, given, land::Land) },
    Entry { name: "trade-finance", uses: STEPS, make: |shape, given| made(shape, given, trade_finance::TradeFinance) },
    Entry { name: "auction", uses: &[], make: |shape, given| made(shape, given, auction::Auction) },
    Entry { name: "trace", uses: STEPS, make: |shape, given| made(shape, given, trace::Trace) },
    Entry { name: "casework", uses: STEPS, make: |shape, given| made(shape, given, casework::Casework) },
    Entry { name: "advisory", uses: STEPS, make: |shape, given| made(shape, given, advisory::Advisory) },
    Entry {
        name: "asset-backed",
        uses: &[],
        make: |shape, given| made(shape, given, |parties| asset_backed::AssetBacked::new(parties, shape.calls)),
    },
    Entry { name: "donothing", uses: &[], make: |shape, given| made(shape, given, micro::DoNothing) },
    Entry { name: "cpuheavy", uses: &[], make: |shape, given| made(shape, given, micro::CpuHeavy) },
    Entry { name: "ioheavy", uses: STEPS, make: |shape, given| made(shape, given, micro::IoHeavy::new) },
];
