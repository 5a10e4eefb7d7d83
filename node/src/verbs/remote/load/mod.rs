//! `phalanx load`: a load generator for a node.
//!
//! It sets up a token of its own, prepares submissions, and then starts the clock. Everything is on one thread: streams and
//! single requests are tasks that share a [`run::Run`]. Starts are given out by [`starts::Starts`]; latencies count from when a
//! start was meant to be, so that a node that stalls is seen and not waited for. Each answer is checked, and at the end the
//! state is compared with the receipts.

mod answers;
mod arguments;
mod human;
mod latency;
mod merge;
mod plan;
mod prepared;
mod processor;
mod report;
mod requests;
mod run;
mod starts;
mod stream;
mod tally;
mod token;

pub(crate) use arguments::LoadArguments;

use phalanx_client::Client;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use self::arguments::LoadVerb;
use self::plan::{Api, Plan};
use self::prepared::Prepared;
use self::report::{LoadReport, Submissions};
use self::run::Run;
use self::starts::Starts;
use self::stream::Stream;
use self::tally::{Tally, spread};
use self::token::Token;
use super::{block_on, failure};
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::hex::hex;
use crate::output::Integer;
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
    let (mut report, failure) = block_on(load(arguments, plan, context))?;
    report.hold_against(arguments.thresholds);
    context.output.print(&report)?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    match report.exit() {
        Exit::Ok | Exit::Threshold | Exit::Failed if context.interrupt.asked() => Ok(Exit::Interrupted),
        Exit::Failed => Err(Failure::failed("no call was answered", "say a longer --duration, or look at the node")),
        exit => Ok(exit),
    }
}

/// Processor time at a moment: this process's, and the node's.
#[derive(Clone, Copy)]
struct Processors {
    client: Option<Duration>,
    server: Option<Duration>,
}

impl Processors {
    fn now(server: Option<u32>) -> Processors {
        Processors { client: processor::time_of(std::process::id()), server: server.and_then(processor::time_of) }
    }

    fn since(self, before: Processors) -> Processors {
        let between = |now: Option<Duration>, before: Option<Duration>| now?.checked_sub(before?);
        Processors { client: between(self.client, before.client), server: between(self.server, before.server) }
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
    let mut clients = Vec::new();
    for _ in 0..plan.connections {
        clients.push(arguments.remote.connect(options.clone()).await?);
    }
    let node = clients[0].server_info().await.map_err(|error| failure(&error))?;
    plan.check(&node)?;
    let token = Token::set_up(&clients[0], plan.accounts.clone()).await?;
    let prepared = Prepared::new(&plan, &token.contract);
    let mut streams = Vec::new();
    if plan.api == Api::SubmitStream {
        for number in 0..plan.clients {
            let opened = Stream::open(&clients[number % clients.len()], &plan).await;
            streams.push(opened.map_err(|error| failure(&error))?);
        }
    }
    let in_flight = streams.iter().map(|stream| stream.credits).min();
    if let Some(at) = arguments.clock.start_at {
        wait_until(at).await?;
    }
    context.interrupt.hold();

    let interval = plan.rate.map(|rate| Duration::from_secs_f64(f64::from(plan.batch) / rate));
    let began_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let starts = Starts::begin(plan.duration, interval);
    let starts = starts.map_err(|error| Failure::failed(error, "raise the limit of threads"))?;
    let tally = Tally::new(plan.batch, prepared.len(), starts.began(), starts.end(), plan.window);
    let run = Rc::new(Run { plan, prepared, starts, tally: RefCell::new(tally), failure: RefCell::new(None) });
    let processors = run_all(&run, streams, &clients, arguments.clock.server_pid, context).await;

    let mut failed = run.failure.take();
    let missed = run.starts.missed().inspect(|waited| run.tally.borrow_mut().missed(*waited)).count() as u64;
    let mut balances = None;
    if failed.is_none() {
        match compare(&run, &token, &clients[0]).await {
            Ok(found) => balances = Some(found),
            Err(error) => failed = Some(error),
        }
    }
    let mut report = report(&run, processors, missed);
    report.endpoint = arguments.remote.endpoint().to_owned();
    report.contract = Some(hex(&token.contract));
    report.seed = Some(Integer(arguments.calls.seed));
    report.skew = arguments.calls.skew;
    report.in_flight = in_flight;
    report.began_unix_ms = began_unix.as_millis() as u64;
    report.balances = balances;
    Ok((report, failed))
}

/// Waits for the time that several generators were told.
async fn wait_until(unix_seconds: u64) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match Duration::from_secs(unix_seconds).checked_sub(now) {
        Some(wait) => {
            sleep(wait).await;
            Ok(())
        }
        None => {
            let late = (now - Duration::from_secs(unix_seconds)).as_secs_f64();
            Err(Failure::failed(
                format_args!("--start-at {unix_seconds}: that was {late:.1} s ago when all was set up"),
                "say a later time",
            ))
        }
    }
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
async fn compare(run: &Run, token: &Token, client: &Client) -> Result<token::Balances, Failure> {
    let moved = {
        let tally = run.tally.borrow();
        let known = tally.uncertain.is_empty() && tally.unanswered() == 0 && tally.violations == 0;
        known.then(|| run.prepared.moved(&tally.successes))
    };
    token.compare(client, moved.as_deref(), run.plan.check_accounts).await
}

fn report(run: &Run, processors: Processors, missed: u64) -> LoadReport {
    let plan = &run.plan;
    let mut tally = run.tally.borrow_mut();
    let elapsed = (run.starts.end() - run.starts.began()).as_secs_f64();
    let windows = tally.windows.finish(run.starts.end());
    let batch = u64::from(plan.batch);
    let streaming = plan.api == Api::SubmitStream;
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    LoadReport {
        processes: 1,
        endpoint: String::new(),
        contract: None,
        form: plan.form,
        api: plan.api.name().to_owned(),
        ack: plan.ack,
        receipts: plan.receipts,
        ids: plan.ids,
        connections: plan.connections as u64,
        streams: streaming.then_some(plan.clients as u64),
        tasks: (!streaming).then_some(plan.clients as u64),
        batch: plan.batch,
        in_flight: None,
        retries_max: plan.retries,
        accounts: plan.accounts.count(),
        skew: 0.0,
        seed: None,
        prepared: run.prepared.len() as u64 * batch,
        r#loop: if plan.rate.is_some() { "open" } else { "closed" }.to_owned(),
        asked_calls_per_second: plan.rate,
        began_unix_ms: 0,
        elapsed_seconds: elapsed,
        calls_per_second: (tally.in_time * batch) as f64 / elapsed,
        calls_in_time: tally.in_time * batch,
        calls: tally.outcomes.iter().sum(),
        submissions: Submissions {
            started: tally.started,
            answered: tally.answered,
            refused: tally.refused.values().sum(),
            uncertain: tally.uncertain.values().sum(),
            unanswered: tally.unanswered(),
            missed,
        },
        outcomes: tally.outcomes(),
        refused: tally.refused.clone(),
        retries: tally.retries.clone(),
        uncertain: tally.uncertain.clone(),
        gas_used: Integer(tally.gas),
        latency_ms: tally.latencies.percentiles(),
        service_ms: tally.services.percentiles(),
        latency_histogram: tally.latencies.encode(),
        service_histogram: tally.services.encode(),
        window_seconds: Some(plan.window.as_secs_f64()),
        window_calls_per_second: spread(&windows).map(|(median, _)| median),
        windows,
        client_cpu_seconds: seconds(processors.client),
        server_cpu_seconds: seconds(processors.server),
        violations: tally.violations,
        first_violation: tally.first_violation.clone(),
        balances: None,
        thresholds: Vec::new(),
    }
}
