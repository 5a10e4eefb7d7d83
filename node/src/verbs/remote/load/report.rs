//! What a load generator reports: schema `phalanx.load/1`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;
use tokio::time::Instant;

use super::arguments::{Ack, Form, ReceiptsAsked, Thresholds};
use super::beside::Found;
use super::human;
use super::latency::{Latencies, Percentiles};
use super::plan::{Api, Plan};
use super::processor::Processors;
use super::queries::Asked;
use super::readers;
use super::run::Run;
use super::tally::{Window, spread};
use super::token::Balances;
use crate::command_line::Context;
use crate::exit::Exit;
use crate::hex::hex;
use crate::output::{Integer, Report};

/// A finished run, or several that were added up. It exists also when a check failed. Fields may be added; none changes or
/// goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LoadReport {
    /// Generators that are in it.
    pub(super) processes: u32,
    pub(super) endpoint: String,
    /// Id of the token that was called; `null` if there are several.
    pub(super) contract: Option<String>,
    pub(super) form: Form,
    /// The request that calls went in.
    pub(super) api: String,
    pub(super) ack: Ack,
    pub(super) receipts: ReceiptsAsked,
    pub(super) ids: bool,
    pub(super) connections: u64,
    /// Streams, `null` for single requests.
    pub(super) streams: Option<u64>,
    /// Single requests at a time, `null` for streams.
    pub(super) tasks: Option<u64>,
    /// Calls a submission.
    pub(super) batch: u32,
    /// Submissions of a stream that could be unanswered.
    pub(super) in_flight: Option<u32>,
    /// How often a refused request was sent again at most.
    pub(super) retries_max: u32,
    pub(super) accounts: u64,
    pub(super) skew: f64,
    pub(super) seed: Option<Integer>,
    /// Different calls that were submitted, over and over.
    pub(super) prepared: u64,
    /// `open` or `closed`.
    pub(super) r#loop: String,
    /// Calls a second that were meant to start; `null` in a closed loop.
    pub(super) asked_calls_per_second: Option<f64>,
    /// When the clock started, in milliseconds of Unix time.
    pub(super) began_unix_ms: u64,
    /// How long it ran.
    pub(super) elapsed_seconds: f64,
    /// Calls that were answered in that time, a second.
    pub(super) calls_per_second: f64,
    /// Calls that were answered while the clock ran.
    pub(super) calls_in_time: u64,
    /// Calls that were answered, those behind the clock's end too.
    pub(super) calls: u64,
    pub(super) submissions: Submissions,
    /// Answered calls by outcome.
    pub(super) outcomes: BTreeMap<String, u64>,
    /// Submissions that were refused for good, and not ordered, by reason.
    pub(super) refused: BTreeMap<String, u64>,
    /// Submissions that were sent again after a refusal, by its reason.
    pub(super) retries: BTreeMap<String, u64>,
    /// Submissions of which nobody knows whether they were ordered, by reason.
    pub(super) uncertain: BTreeMap<String, u64>,
    pub(super) gas_used: Integer,
    /// From a submission's intended start to its answer. Starts that were due and never came are in it with the time that they
    /// had waited.
    pub(super) latency_ms: Option<Percentiles>,
    /// From a submission's start to its answer.
    pub(super) service_ms: Option<Percentiles>,
    /// The first one's histogram, microseconds: HdrHistogram V2, base64.
    pub(super) latency_histogram: String,
    /// The second one's.
    pub(super) service_histogram: String,
    pub(super) window_seconds: Option<f64>,
    pub(super) windows: Vec<Window>,
    /// Median of the windows' rates.
    pub(super) window_calls_per_second: Option<f64>,
    /// Processor time of the generator while the clock ran.
    pub(super) client_cpu_seconds: Option<f64>,
    /// The same of the process that was named; `null` if none was.
    pub(super) server_cpu_seconds: Option<f64>,
    /// Those who followed the history; `null` without, or if the run failed.
    pub(super) readers: Option<Readers>,
    /// What was asked beside the calls; `null` without, or if the run failed.
    pub(super) queries: Option<Queries>,
    /// Answers that are not what they must be.
    pub(super) violations: u64,
    pub(super) first_violation: Option<String>,
    /// State and receipts compared; `null` if the node could not be asked any more.
    pub(super) balances: Option<Balances>,
    pub(super) thresholds: Vec<Threshold>,
}

/// Where submissions went. `started` is the sum of those below it, but for `missed`.
#[derive(Clone, Copy, Default, Debug, Serialize, Deserialize)]
pub(super) struct Submissions {
    pub(super) started: u64,
    pub(super) answered: u64,
    pub(super) refused: u64,
    pub(super) uncertain: u64,
    /// Not answered in the time that answers are waited for when the clock has stopped.
    pub(super) unanswered: u64,
    /// Due before the clock stopped, and not started by then.
    pub(super) missed: u64,
}

/// Readers of the history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Readers {
    pub(super) count: u64,
    /// Accounts whose calls each asked for; `null` for all calls.
    pub(super) senders: Option<u32>,
    /// How long each read nothing.
    pub(super) pause_seconds: Option<f64>,
    /// Calls that came, of all readers.
    pub(super) calls: u64,
    /// How often the node cut one off as too slow; it went on from its cursor.
    pub(super) cut_off: u64,
    /// From the cut of a batch to its arrival at a reader, by the clocks of both machines.
    pub(super) age_ms: Option<Percentiles>,
    /// Its histogram, as the others.
    pub(super) age_histogram: String,
    /// From the last answer to the moment when the last reader had read all.
    pub(super) behind_seconds: f64,
    /// Whether the calls of each were compared with what the receipts say: not where it is not known which were executed.
    pub(super) compared: bool,
    /// The first thing that is not as it must be.
    pub(super) difference: Option<String>,
}

/// Queries for balances.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Queries {
    pub(super) asked_per_second: f64,
    /// Answered while their clock ran, a second.
    pub(super) per_second: f64,
    pub(super) answered: u64,
    /// Not answered, by reason.
    pub(super) failed: BTreeMap<String, u64>,
    /// Due, and not started.
    pub(super) missed: u64,
    /// From a query's intended start to its answer; those that never started count with the time that they had waited.
    pub(super) latency_ms: Option<Percentiles>,
    /// Its histogram, as the others.
    pub(super) latency_histogram: String,
    /// The first answer that is not as it must be.
    pub(super) difference: Option<String>,
}

impl Readers {
    /// Of what they read. `answered` is when the last submission was, `made` how many calls each account made, if that is known.
    pub(super) fn new(plan: &Plan, found: &Found, answered: Instant, made: Option<&[u64]>) -> Option<Readers> {
        let (mut ages, mut difference) = (Latencies::new(), None);
        for (number, read) in (0..).zip(&found.readers) {
            ages.add(&read.ages).expect("they are alike");
            let of_its_own = |made: &[u64]| match plan.reader_senders {
                None => made.iter().sum(),
                Some(senders) => {
                    readers::accounts_of(number, senders, plan.accounts.count()).map(|index| made[index as usize]).sum()
                }
            };
            let expected: Option<u64> = made.map(of_its_own);
            let lost = expected.filter(|expected| *expected != read.calls);
            let lost = lost.map(|expected| {
                format!("by the receipts reader {number} was to read {expected} calls, it read {}", read.calls)
            });
            difference = difference.or_else(|| read.problem.clone()).or(lost);
        }
        (plan.readers > 0).then(|| Readers {
            count: plan.readers.into(),
            senders: plan.reader_senders,
            pause_seconds: plan.reader_pause.map(|pause| pause.as_secs_f64()),
            calls: found.readers.iter().map(|read| read.calls).sum(),
            cut_off: found.readers.iter().map(|read| read.cut_off).sum(),
            age_ms: ages.percentiles(),
            age_histogram: ages.encode(),
            behind_seconds: found.read.saturating_duration_since(answered).as_secs_f64(),
            compared: made.is_some(),
            difference,
        })
    }
}

impl Queries {
    pub(super) fn new(asked_per_second: f64, asked: &Asked) -> Queries {
        Queries {
            asked_per_second,
            per_second: asked.in_time as f64 / asked.elapsed.as_secs_f64().max(f64::MIN_POSITIVE),
            answered: asked.answered,
            failed: asked.failed.clone(),
            missed: asked.missed,
            latency_ms: asked.latencies.percentiles(),
            latency_histogram: asked.latencies.encode(),
            difference: asked.problem.clone(),
        }
    }
}

/// A threshold, and what was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Threshold {
    pub(super) name: String,
    pub(super) asked: f64,
    /// `null` if nothing was answered.
    pub(super) found: Option<f64>,
    pub(super) met: bool,
}

impl LoadReport {
    /// Of one run: with the processor time of its clock, the starts that were missed, what the state was found to be, and what was
    /// read beside it.
    pub(super) fn new(
        run: &Run,
        processors: Processors,
        missed: u64,
        balances: Option<Balances>,
        beside: (Option<Readers>, Option<Queries>),
    ) -> LoadReport {
        let plan = &run.plan;
        let mut tally = run.tally.borrow_mut();
        let elapsed = (run.starts.end() - run.starts.began()).as_secs_f64();
        let windows = tally.windows.finish(run.starts.end());
        let batch = u64::from(plan.batch);
        let streaming = plan.api == Api::SubmitStream;
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        LoadReport {
            processes: 1,
            endpoint: plan.endpoint.clone(),
            contract: Some(hex(&run.token.contract)),
            form: plan.form,
            api: plan.api.name().to_owned(),
            ack: plan.ack,
            receipts: plan.receipts,
            ids: plan.ids,
            connections: plan.connections as u64,
            streams: streaming.then_some(plan.clients as u64),
            tasks: (!streaming).then_some(plan.clients as u64),
            batch: plan.batch,
            in_flight: run.in_flight,
            retries_max: plan.retries,
            accounts: plan.accounts.count(),
            skew: plan.skew,
            seed: Some(Integer(plan.accounts.seed())),
            prepared: run.prepared.len() as u64 * batch,
            r#loop: if plan.rate.is_some() { "open" } else { "closed" }.to_owned(),
            asked_calls_per_second: plan.rate,
            began_unix_ms: run.began_unix.as_millis() as u64,
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
            readers: beside.0,
            queries: beside.1,
            violations: tally.violations,
            first_violation: tally.first_violation.clone(),
            balances,
            thresholds: Vec::new(),
        }
    }

    /// Holds the report against thresholds.
    pub(super) fn hold_against(&mut self, thresholds: Thresholds) {
        let Thresholds { min_rate, max_p99 } = thresholds;
        let rate = Some(self.calls_per_second);
        let p99 = self.latency_ms.filter(|_| self.calls > 0).map(|latency| latency.p99);
        let threshold = |name: &str, asked, found: Option<f64>, meets: fn(f64, f64) -> bool| Threshold {
            name: name.to_owned(),
            asked,
            found,
            met: found.is_some_and(|found| meets(found, asked)),
        };
        self.thresholds.clear();
        self.thresholds.extend(min_rate.map(|asked| threshold("min-rate", asked, rate, |found, asked| found >= asked)));
        self.thresholds.extend(max_p99.map(|asked| threshold("max-p99", asked, p99, |found, asked| found <= asked)));
    }

    /// Names the thresholds that were missed, on standard error.
    pub(super) fn warn(&self, context: &Context) {
        for Threshold { name, asked, found, .. } in self.thresholds.iter().filter(|threshold| !threshold.met) {
            let found = found.map_or("nothing was answered".to_owned(), |found| format!("it is {found:.3}"));
            context.output.warn(&format!("--{name} {asked} is missed: {found}"));
        }
    }

    /// Whether receipts and state are what they must be.
    pub(super) fn is_right(&self) -> bool {
        self.violations == 0
            && self.balances.as_ref().is_none_or(|balances| balances.difference.is_none())
            && self.readers.as_ref().is_none_or(|readers| readers.difference.is_none())
            && self.queries.as_ref().is_none_or(|queries| queries.difference.is_none())
    }

    /// The exit code of a run that came to its end.
    pub(super) fn exit(&self) -> Exit {
        if !self.is_right() {
            Exit::Mismatch
        } else if self.calls == 0 {
            Exit::Failed
        } else if self.thresholds.iter().any(|threshold| !threshold.met) {
            Exit::Threshold
        } else {
            Exit::Ok
        }
    }
}

impl Report for LoadReport {
    const SCHEMA: &'static str = "phalanx.load/1";

    fn print_human(&self, out: &mut dyn Write) -> io::Result<()> {
        human::print(self, out)
    }
}
