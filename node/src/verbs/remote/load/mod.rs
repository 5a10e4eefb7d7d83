//! `phalanx load`: a load generator for a node.
//!
//! It sets up a token of its own, prepares submissions, and then starts the clock. All submissions are on one thread: streams and
//! single requests are tasks that share a [`run::Run`]. Who reads meanwhile is on another ([`beside`]). Starts are given out by [`starts::Starts`]; latencies count from when a
//! start was meant to be, so that a node that stalls is seen and not waited for. Each answer is checked, and at the end the
//! state is compared with the receipts.

mod answers;
mod arguments;
mod beside;
mod human;
mod latency;
mod merge;
mod plan;
mod prepared;
mod processor;
mod queries;
mod readers;
mod report;
mod requests;
mod run;
mod starts;
mod stream;
mod tally;
mod token;

pub(crate) use arguments::LoadArguments;

use phalanx_client::{Client, Options};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use self::arguments::LoadVerb;
use self::beside::Beside;
use self::plan::{Api, Plan};
use self::prepared::Prepared;
use self::processor::Processors;
use self::report::{LoadReport, Queries, Readers};
use self::run::Run;
use self::starts::Starts;
use self::stream::Stream;
use self::tally::Tally;
use self::token::Token;
use super::{block_on, failure};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;

/// How often the progress is shown, and it is looked whether somebody wants an end.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) fn execute(arguments: &LoadArguments, context: &Context) -> Result<Exit, Failure> {
    if let Some(LoadVerb::Merge(arguments)) = &arguments.verb {
        return merge::execute(arguments, context);
    }
    let plan = Plan::new(arguments)?;
    let server = arguments.clock.server_pid;
    if let Some(process) = server.filter(|process| processor::time_of(*process).is_none()) {
        let fix = "name a process of this machine";
        return Err(Failure::usage(format_args!("--server-pid {process}: there is no such process"), fix));
    }
    if let Some(at) = arguments.clock.start_at {
        let past = |ago: Duration| {
            Failure::usage(format_args!("--start-at {at}: that was {} s ago", ago.as_secs()), "say a later time")
        };
        until(at).map_err(past)?;
    }
    let (mut report, failure) = block_on(load(arguments, plan, context))?;
    report.hold_against(arguments.thresholds);
    report.warn(context);
    context.output.print(&report)?;
    match (failure, report.exit()) {
        // Wrong results are worse than a run that was cut short; both are told.
        (Some(failure), Exit::Mismatch) => {
            context.output.fail(&failure);
            return Ok(Exit::Mismatch);
        }
        (Some(failure), _) => return Err(failure),
        (None, _) => {}
    }
    match report.exit() {
        Exit::Ok | Exit::Threshold | Exit::Failed if context.interrupt.asked() => Ok(Exit::Interrupted),
        Exit::Failed => Err(Failure::failed("no call was answered", "say a longer --duration, or look at the node")),
        exit => Ok(exit),
    }
}

/// Sets up, loads, and compares. A failure beside the report ended the run before its time.
async fn load(
    arguments: &LoadArguments,
    plan: Plan,
    context: &Context,
) -> Result<(LoadReport, Option<Failure>), Failure> {
    let mut options = arguments.remote.options()?;
    options.timeout = plan.timeout;
    let mut clients = vec![arguments.remote.connect(options.clone()).await?];
    let node = clients[0].server_info().await.map_err(|error| failure(&error))?;
    plan.check(&node)?;
    while clients.len() < plan.connections {
        clients.push(arguments.remote.connect(options.clone()).await?);
    }
    let token = Token::set_up(&clients[0], plan.accounts.clone()).await?;
    let prepared = Prepared::new(&plan, &token.contract);
    let mut streams = Vec::new();
    if plan.api == Api::SubmitStream {
        for number in 0..plan.clients {
            let opened = Stream::open(&clients[number % clients.len()], &plan).await;
            streams.push(opened.map_err(|error| failure(&error))?);
        }
    }
    let beside = match plan.readers > 0 || plan.queries.is_some() {
        true => Some(read_beside(&plan, &clients[0], options, &token).await?),
        false => None,
    };
    let in_flight = streams.iter().map(|stream| stream.credits).min();
    if let Some(at) = arguments.clock.start_at {
        let late = |ago: Duration| {
            let seconds = ago.as_secs_f64();
            let cause = format!("--start-at {at}: that was {seconds:.1} s ago when all was set up");
            Failure::failed(cause, "say a later time")
        };
        sleep(until(at).map_err(late)?).await;
    }
    context.interrupt.hold();
    if let Some(beside) = &beside {
        beside.begin();
    }

    let interval = plan.rate.map(|rate| Duration::from_secs_f64(f64::from(plan.batch) / rate));
    let began_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let starts = Starts::begin(plan.duration, interval, starts::PACE);
    let starts = starts.map_err(|error| Failure::failed(error, "raise the limit of threads"))?;
    let tally = Tally::new(plan.batch, prepared.len(), starts.began(), starts.end(), plan.window);
    let failure = RefCell::new(None);
    let tally = RefCell::new(tally);
    let run = Rc::new(Run { plan, token, prepared, in_flight, began_unix, starts, tally, failure });
    let processors = run_all(&run, streams, &clients, arguments.clock.server_pid, context).await;

    let answered = Instant::now();
    let mut failed = run.failure.take();
    let mut read = (None, None);
    if let Some(beside) = beside {
        // What is not read of a run that failed, and why, nobody knows.
        let node = clients[0].server_info().await.ok().filter(|_| failed.is_none());
        let found = beside.end(node.as_ref().map(|node| node.height), run.plan.timeout).await;
        read = node.and(found).map_or((None, None), |found| look_at(&run, &found, answered));
    }
    let missed = run.starts.missed().inspect(|waited| run.tally.borrow_mut().missed(*waited)).count() as u64;
    let mut balances = None;
    if failed.is_none() {
        match compare(&run, &clients[0]).await {
            Ok(found) => balances = Some(found),
            Err(error) => failed = Some(error),
        }
    }
    Ok((LoadReport::new(&run, processors, missed, balances, read), failed))
}

/// Has those who read connect. They follow the history behind what set the token up.
async fn read_beside(plan: &Plan, client: &Client, options: Options, token: &Token) -> Result<Beside, Failure> {
    let from = client.server_info().await.map_err(|error| failure(&error))?.height + 1;
    let beside = Beside::set_up(plan, options, token.contract, from).await;
    beside.map_err(|error| match error {
        beside::Error::Client(error) => failure(&error),
        beside::Error::Thread(error) => Failure::failed(error, "raise the limits of threads and of open files"),
    })
}

/// Compares what was read with the receipts.
fn look_at(run: &Run, found: &beside::Found, answered: Instant) -> (Option<Readers>, Option<Queries>) {
    let made = known(run).then(|| run.prepared.made(&run.tally.borrow().successes));
    let queries = run.plan.queries.zip(found.asked.as_ref()).map(|(rate, asked)| Queries::new(rate, asked));
    (Readers::new(&run.plan, found, answered, made.as_deref()), queries)
}

/// Whether it is known which calls were executed.
fn known(run: &Run) -> bool {
    let tally = run.tally.borrow();
    tally.uncertain.is_empty() && tally.unanswered() == 0 && tally.violations == 0
}

/// How long it is until a time, or how long ago it was.
fn until(unix_seconds: u64) -> Result<Duration, Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Duration::from_secs(unix_seconds);
    at.checked_sub(now).ok_or_else(|| now - at)
}

/// Submits until the clock stops, and waits for the answers.
async fn run_all(
    run: &Rc<Run>,
    streams: Vec<Stream>,
    clients: &[Client],
    server: Option<u32>,
    context: &Context,
) -> Processors {
    let tasks = LocalSet::new();
    let mut driven: Vec<JoinHandle<()>> = Vec::new();
    if run.plan.api == Api::SubmitStream {
        for stream in streams {
            let run = Rc::clone(run);
            driven.push(tasks.spawn_local(async move { stream.drive(&run).await }));
        }
    } else {
        for number in 0..run.plan.clients {
            let (run, client) = (Rc::clone(run), clients[number % clients.len()].clone());
            driven.push(tasks.spawn_local(async move { requests::drive(&client, &run).await }));
        }
    }
    let before = Processors::now(server);
    tasks
        .run_until(async {
            watch(run, context).await;
            let processors = Processors::now(server).since(before);
            let patience = run.starts.end() + run.plan.timeout;
            for task in driven {
                // What is not answered by then is reported as that.
                if let Ok(ended) = timeout_at(patience, task).await {
                    ended.expect("tasks do not panic");
                }
            }
            processors
        })
        .await
}

/// Shows how far the clock is until it stops, and stops it where somebody asks for that.
async fn watch(run: &Run, context: &Context) {
    let progress = Progress::of_seconds(run.plan.duration.as_secs());
    while !run.starts.is_over() {
        sleep_until(run.starts.end().min(Instant::now() + WATCH_INTERVAL)).await;
        if context.interrupt.asked() {
            run.stop();
        }
        let ran = run.starts.began().elapsed();
        let calls = run.tally.borrow().in_time * u64::from(run.plan.batch);
        progress.at(ran.as_secs());
        progress.says(format!("{:.0} calls/s", calls as f64 / ran.as_secs_f64()));
    }
}

/// Compares the state with the receipts.
async fn compare(run: &Run, client: &Client) -> Result<token::Balances, Failure> {
    let moved = known(run).then(|| run.prepared.moved(&run.tally.borrow().successes));
    run.token.compare(client, moved.as_deref(), run.plan.check_accounts).await
}
