//! What operators see: the names of all metrics, and where they are counted.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use phalanx_engine::{CompilerStatistics, Executed, Outcome};
use std::time::Duration;

use super::node::QUEUE_BYTES_MAX;
use super::{process, refusals, slow_sync};
use crate::exit::Failure;

const CALLS: &str = "phalanx_calls_total";
const GAS: &str = "phalanx_gas_total";
const BATCH_CALLS: &str = "phalanx_batch_calls";
const BATCH_SECONDS: &str = "phalanx_batch_execution_seconds";
const SYNC_SECONDS: &str = "phalanx_batch_sync_wait_seconds";
const DURABLE_SECONDS: &str = "phalanx_submission_durable_seconds";
const REEXECUTIONS: &str = "phalanx_reexecutions_total";
const REFUSALS: &str = "phalanx_refusals_total";
const REPEATS: &str = "phalanx_repeated_submissions_total";
const HEIGHT: &str = "phalanx_height";
const DURABLE_HEIGHT: &str = "phalanx_durable_height";
const QUEUE_BYTES: &str = "phalanx_queue_bytes";
const QUEUE_LIMIT_BYTES: &str = "phalanx_queue_limit_bytes";
const SUBSCRIBERS: &str = "phalanx_subscribers";
const TLS_RELOADS: &str = "phalanx_tls_reloads_total";
const TLS_NOT_AFTER: &str = "phalanx_tls_certificate_not_after_seconds";
const COMPILED: &str = "phalanx_modules_compiled_total";
const TO_OPTIMISE: &str = "phalanx_modules_to_optimise";
const BUILD_INFO: &str = "phalanx_build_info";

/// Bounds of all histograms of time: 10 µs to 10 s, each twice the one before.
fn second_bounds() -> Vec<f64> {
    (0..21).map(|power| 1e-5 * f64::from(1 << power)).collect()
}

/// Begins to count, in this process.
pub(super) fn start() -> Result<PrometheusHandle, Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure::failed(format_args!("metrics: {error}"), "report it");
    let bounds: Vec<f64> = (0..17).map(|power| f64::from(1 << power)).collect();
    let handle = PrometheusBuilder::new()
        .set_buckets(&second_bounds())
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(BATCH_CALLS.to_owned()), &bounds))
        .map_err(|error| failure(&error))?
        .install_recorder()
        .map_err(|error| failure(&error))?;
    describe_counter!(CALLS, "Executed calls, by the outcome of their receipts");
    describe_counter!(GAS, "Gas used by executed calls");
    describe_histogram!(BATCH_CALLS, "Calls of a batch");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "Time from a batch's cut to its end of execution");
    describe_histogram!(SYNC_SECONDS, Unit::Seconds, "Time that an executed batch waited for its sync");
    describe_histogram!(DURABLE_SECONDS, Unit::Seconds, "Time from a submission's admission to its durable answer");
    describe_counter!(REEXECUTIONS, "Executions of calls beyond the first, by conflicts within a batch");
    describe_counter!(REFUSALS, "Requests that were refused, by reason");
    describe_counter!(REPEATS, "Submissions that had been executed before, and were answered");
    describe_counter!(TLS_RELOADS, "Changes of the certificates' files, by whether they could be used");
    describe_gauge!(HEIGHT, "Last executed height");
    describe_gauge!(DURABLE_HEIGHT, "Last executed and durable height");
    describe_gauge!(QUEUE_BYTES, Unit::Bytes, "Bytes of calls that are queued, executing or unanswered");
    describe_gauge!(QUEUE_LIMIT_BYTES, Unit::Bytes, "Bytes of calls that may be");
    describe_gauge!(SUBSCRIBERS, "Readers of the history");
    describe_gauge!(TLS_NOT_AFTER, Unit::Seconds, "When the certificate in use expires, from 1970 on");
    describe_counter!(COMPILED, "Modules that were compiled, by step and result");
    describe_gauge!(TO_OPTIMISE, "Modules that run as the quick step made them, and wait for the optimised one");
    process::describe();
    describe_gauge!(BUILD_INFO, "1, with the version of the server");
    gauge!(QUEUE_LIMIT_BYTES).set(QUEUE_BYTES_MAX as f64);
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    // All series are there from the first look on, so that rates and alerts have something to begin with.
    Outcome::ALL.iter().for_each(|outcome| counter!(CALLS, "outcome" => outcome.name()).absolute(0));
    ["repaired", "in_order"].into_iter().for_each(|cause| counter!(REEXECUTIONS, "cause" => cause).absolute(0));
    ["loaded", "failed"].into_iter().for_each(|result| counter!(TLS_RELOADS, "result" => result).absolute(0));
    ["QUEUE_FULL", "UNAUTHENTICATED"].into_iter().for_each(|reason| counter!(REFUSALS, "reason" => reason).absolute(0));
    compiled(CompilerStatistics::default());
    [GAS, REPEATS].into_iter().for_each(|name| counter!(name).absolute(0));
    Ok(handle)
}

/// Counts an executed batch.
pub(super) fn executed(executed: &Executed, took: Duration) {
    histogram!(BATCH_SECONDS).record(took);
    gauge!(HEIGHT).set(executed.height() as f64);
    let statistics = executed.statistics();
    counter!(REEXECUTIONS, "cause" => "repaired").increment(statistics.repaired_calls);
    counter!(REEXECUTIONS, "cause" => "in_order").increment(statistics.suffix_calls);
}

/// Outcomes and gas of a batch, gathered and then counted at once.
pub(super) struct Tally {
    outcomes: [u64; Outcome::ALL.len()],
    gas: u64,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally { outcomes: [0; Outcome::ALL.len()], gas: 0 }
    }

    /// Takes a call in.
    #[inline]
    pub(super) fn add(&mut self, outcome: Outcome, gas_used: u64) {
        self.outcomes[usize::from(outcome.code())] += 1;
        self.gas += gas_used;
    }

    /// Counts what was taken in.
    pub(super) fn count(&self) {
        for (outcome, &calls) in Outcome::ALL.iter().zip(&self.outcomes) {
            if calls > 0 {
                counter!(CALLS, "outcome" => outcome.name()).increment(calls);
            }
        }
        counter!(GAS).increment(self.gas);
        histogram!(BATCH_CALLS).record(self.outcomes.iter().sum::<u64>() as f64);
    }
}

/// Notes how modules were compiled so far.
pub(super) fn compiled(statistics: CompilerStatistics) {
    let CompilerStatistics { quick, optimised, failed, waiting } = statistics;
    counter!(COMPILED, "step" => "quick", "result" => "compiled").absolute(quick);
    counter!(COMPILED, "step" => "optimised", "result" => "compiled").absolute(optimised);
    counter!(COMPILED, "step" => "optimised", "result" => "failed").absolute(failed);
    gauge!(TO_OPTIMISE).set(waiting as f64);
}

/// Counts submissions that had been executed before.
pub(super) fn repeated(submissions: usize) {
    counter!(REPEATS).increment(submissions as u64);
}

/// Notes that a height is durable, and how long it waited for that.
pub(super) fn synced(height: u64, waited: Duration) {
    gauge!(DURABLE_HEIGHT).set(height as f64);
    histogram!(SYNC_SECONDS).record(waited);
    slow_sync::note(height, waited);
}

/// Notes a durable answer.
pub(super) fn durable(since_admission: Duration) {
    histogram!(DURABLE_SECONDS).record(since_admission);
}

/// Counts a refusal.
pub(super) fn refused(reason: &'static str) {
    counter!(REFUSALS, "reason" => reason).increment(1);
    refusals::count(reason);
}

/// Notes when the certificate in use expires.
pub(super) fn tls_certificate(not_after_seconds: u64) {
    gauge!(TLS_NOT_AFTER).set(not_after_seconds as f64);
}

/// Counts a change of the certificates' files.
pub(super) fn tls_reloaded(could_be_used: bool) {
    counter!(TLS_RELOADS, "result" => if could_be_used { "loaded" } else { "failed" }).increment(1);
}

/// Notes what is in use, when somebody looks.
pub(super) fn in_use(queued_bytes: u64, subscribers: usize) {
    gauge!(QUEUE_BYTES).set(queued_bytes as f64);
    gauge!(SUBSCRIBERS).set(subscribers as f64);
    process::look();
}
