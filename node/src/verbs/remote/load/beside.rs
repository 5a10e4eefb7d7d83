//! Who reads while calls are submitted: readers of the history and askers of balances. They have a thread and connections of their
//! own, so that they slow the submissions by what they cost the node, and by the cores that they take, and not by waiting in between.

use phalanx_client::{Client, ClientError, Options};
use phalanx_engine::Address;
use std::io;
use std::thread;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout};

use super::plan::Plan;
use super::queries::{self, Asked};
use super::readers::{Read, Reader};

/// What the submissions are at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The clock has not started.
    SetUp,
    /// It runs.
    Running,
    /// All is answered: whoever has read this height has read all.
    Last(u64),
    /// Nobody waits any longer.
    Over,
}

/// What was read, when its thread ends.
pub(super) struct Found {
    /// Of each reader.
    pub(super) readers: Vec<Read>,
    pub(super) asked: Option<Asked>,
    /// When the last reader had read all.
    pub(super) read: Instant,
}

/// The thread.
pub(super) struct Beside {
    phase: watch::Sender<Phase>,
    found: oneshot::Receiver<Found>,
}

impl Beside {
    /// Connects all who read, and has them wait for the clock. The history is read from a height on.
    pub(super) async fn set_up(plan: &Plan, options: Options, contract: Address, from: u64) -> Result<Beside, Error> {
        let (phase, phases) = watch::channel(Phase::SetUp);
        let (ready_to, ready) = oneshot::channel();
        let (found_to, found) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // A request that fails is counted, and not made again behind the count's back.
        let (plan, options) = (plan.clone(), Options { attempts: 1, ..options });
        let run = move || {
            runtime.block_on(LocalSet::new().run_until(async {
                match connect(&plan, &options, contract, from).await {
                    Ok((readers, askers)) => {
                        _ = ready_to.send(Ok(()));
                        // Nobody takes it if the run has failed.
                        _ = found_to.send(read(plan, contract, readers, askers, phases).await);
                    }
                    Err(error) => _ = ready_to.send(Err(error)),
                }
            }));
        };
        thread::Builder::new().name("beside".to_owned()).spawn(run)?;
        ready.await.unwrap_or(Err(ClientError::Connection("those who read did not start".to_owned())))?;
        Ok(Beside { phase, found })
    }

    pub(super) fn begin(&self) {
        self.phase.send_replace(Phase::Running);
    }

    /// Ends those who ask, and waits so long until all readers have read up to a height. Without one they are not waited for.
    pub(super) async fn end(mut self, height: Option<u64>, patience: Duration) -> Option<Found> {
        self.phase.send_replace(height.map_or(Phase::Over, Phase::Last));
        if let Ok(found) = timeout(patience, &mut self.found).await {
            return found.ok();
        }
        self.phase.send_replace(Phase::Over);
        self.found.await.ok()
    }
}

/// Why nobody could read.
pub(super) enum Error {
    Client(ClientError),
    Thread(io::Error),
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Error {
        Error::Client(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Thread(error)
    }
}

async fn connect(
    plan: &Plan,
    options: &Options,
    contract: Address,
    from: u64,
) -> Result<(Vec<Reader>, Vec<Client>), ClientError> {
    let client = async || Client::connect(plan.endpoint.clone(), options.clone()).await;
    let mut readers = Vec::new();
    for number in 0..plan.readers {
        readers.push(Reader::subscribe(client().await?, plan, number, contract, from).await?);
    }
    let mut askers = Vec::new();
    while plan.queries.is_some() && askers.len() < queries::CONNECTIONS {
        askers.push(client().await?);
    }
    Ok((readers, askers))
}

async fn read(
    plan: Plan,
    contract: Address,
    readers: Vec<Reader>,
    askers: Vec<Client>,
    mut phases: watch::Receiver<Phase>,
) -> Found {
    // The sender goes away only if the run has failed.
    _ = phases.wait_for(|phase| *phase != Phase::SetUp).await;
    let reading: Vec<_> =
        readers.into_iter().map(|reader| tokio::task::spawn_local(reader.drive(phases.clone()))).collect();
    let asking = plan
        .queries
        .map(|rate| tokio::task::spawn_local(async move { queries::ask(&plan, rate, contract, askers, phases).await }));
    let mut readers = Vec::new();
    for reader in reading {
        readers.push(reader.await.expect("tasks do not panic"));
    }
    let read = Instant::now();
    let asked = match asking {
        Some(asking) => Some(asking.await.expect("tasks do not panic")),
        None => None,
    };
    Found { readers, asked, read }
}
