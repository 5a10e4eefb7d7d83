//! Queries for balances, in open loop.

use phalanx_benches::workload::{Accounts, CALL_GAS_LIMIT};
use phalanx_client::{Client, v1};
use phalanx_engine::{Address, Outcome};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::beside::Phase;
use super::latency::Latencies;
use super::plan::Plan;
use super::run::reason;
use super::starts::Starts;
use super::tally::count;

/// Connections that queries are spread over.
pub(super) const CONNECTIONS: usize = 16;
/// Queries at a time. A query is answered when the height that it sees is synced: at ten thousand a second, and a tenth of a
/// second for that, a thousand wait.
const TASKS: usize = 1_024;
/// Queries that are due closer to each other than this start together, and cost a shared core less: they wait for a sync, longer than this.
const PACE: Duration = Duration::from_millis(1);
/// The pause behind a query that failed.
const FAILED_PAUSE: Duration = Duration::from_millis(100);

/// What came of the queries.
pub(super) struct Asked {
    pub(super) answered: u64,
    /// Of those, the ones whose answer came while the clock ran.
    pub(super) in_time: u64,
    /// Queries that were not answered, by reason.
    pub(super) failed: BTreeMap<String, u64>,
    /// Due while the clock ran, and not started by then.
    pub(super) missed: u64,
    pub(super) elapsed: Duration,
    /// From a query's intended start to its answer.
    pub(super) latencies: Latencies,
    /// The first thing that is not as it must be.
    pub(super) problem: Option<String>,
}

impl Asked {
    fn new() -> Asked {
        Asked {
            answered: 0,
            in_time: 0,
            failed: BTreeMap::new(),
            missed: 0,
            elapsed: Duration::ZERO,
            latencies: Latencies::new(),
            problem: None,
        }
    }
}

/// What its tasks share.
struct Asking {
    contract: Address,
    accounts: Accounts,
    starts: Starts,
    random: RefCell<ChaCha8Rng>,
    asked: RefCell<Asked>,
}

/// Asks until the clock stops, or there is nothing more to load.
pub(super) async fn ask(
    plan: &Plan,
    rate: f64,
    contract: Address,
    clients: Vec<Client>,
    mut phases: watch::Receiver<Phase>,
) -> Asked {
    let starts = match Starts::begin(plan.duration, Some(Duration::from_secs_f64(1.0 / rate)), PACE) {
        Ok(starts) => starts,
        Err(error) => return Asked { problem: Some(format!("no thread for queries: {error}")), ..Asked::new() },
    };
    let random = ChaCha8Rng::seed_from_u64(plan.accounts.seed());
    let asking = Rc::new(Asking {
        contract,
        accounts: plan.accounts.clone(),
        starts,
        random: RefCell::new(random),
        asked: RefCell::new(Asked::new()),
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let (asking, client) = (Rc::clone(&asking), clients[number % clients.len()].clone());
            spawn_local(async move { asking.drive(&client).await })
        })
        .collect();
    let watched = Rc::clone(&asking);
    let watching = spawn_local(async move {
        _ = phases.wait_for(|phase| matches!(phase, Phase::Last(_) | Phase::Over)).await;
        watched.starts.stop();
    });
    for task in tasks {
        task.await.expect("tasks do not panic");
    }
    watching.abort();
    let mut asked = asking.asked.replace(Asked::new());
    for waited in asking.starts.missed() {
        asked.missed += 1;
        asked.latencies.record(waited);
    }
    asked.elapsed = asking.starts.end() - asking.starts.began();
    asked
}

impl Asking {
    /// Asks one query after the other.
    async fn drive(&self, client: &Client) {
        let mut height = 0;
        while let Some(intended) = self.starts.next().await {
            let answer = client.query(self.question()).await;
            let now = Instant::now();
            match answer {
                Ok(answer) => {
                    let mut asked = self.asked.borrow_mut();
                    asked.answered += 1;
                    asked.in_time += u64::from(now < self.starts.end());
                    asked.latencies.record(now - intended);
                    if let Err(problem) = check(&answer, height) {
                        asked.problem.get_or_insert(problem);
                    }
                    height = answer.height;
                }
                Err(error) => {
                    count(&mut self.asked.borrow_mut().failed, &reason(&error));
                    tokio::time::sleep(FAILED_PAUSE).await;
                }
            }
        }
    }

    fn question(&self) -> v1::Call {
        let (owner, _) = self.accounts.draw_pair(&mut self.random.borrow_mut());
        let owner = self.accounts.address(owner).to_vec();
        v1::Call {
            contract: self.contract.to_vec().into(),
            method: "balance_of".to_owned(),
            sender: owner.clone().into(),
            arguments: owner.into(),
            gas_limit: CALL_GAS_LIMIT.into(),
            ..v1::Call::default()
        }
    }
}

/// Whether an answer has a balance, and is of no height below the one that was told before.
fn check(answer: &v1::QueryResponse, before: u64) -> Result<(), String> {
    let receipt = answer.receipt.as_ref();
    let outcome = receipt.and_then(|receipt| receipt.outcome);
    let returned = receipt.map_or(0, |receipt| receipt.return_bytes.len());
    if (outcome, returned) != (Some(Outcome::Ok.code().into()), size_of::<u128>()) {
        return Err(format!("a query has the outcome {outcome:?} and {returned} bytes"));
    }
    match answer.height >= before {
        true => Ok(()),
        false => Err(format!("a query was answered of height {}, one before it of height {before}", answer.height)),
    }
}
