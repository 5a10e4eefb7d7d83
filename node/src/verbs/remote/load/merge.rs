//! `phalanx load merge`: adds up the reports of generators that ran at the same time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::arguments::MergeArguments;
use super::latency::{Latencies, Percentiles};
use super::report::LoadReport;
use super::token::Balances;
use crate::command_line::Context;
use crate::exit::{Exit, Failure};
use crate::output::{Integer, Report};

/// Generators that ran together for a smaller share of the time are no one load.
const TOGETHER_MIN: f64 = 0.9;

pub(super) fn execute(arguments: &MergeArguments, context: &Context) -> Result<Exit, Failure> {
    let reports = arguments.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let together = together(&reports);
    let mut merged = merge(reports, &arguments.files)?;
    merged.hold_against(arguments.thresholds);
    if together < TOGETHER_MIN {
        let percent = 100.0 * together;
        context.output.warn(&format!("the clocks ran together for {percent:.0} % of the time: see --start-at"));
    }
    merged.warn(context);
    context.output.print(&merged)?;
    Ok(merged.exit())
}

fn usage(path: &Path, what: impl std::fmt::Display) -> Failure {
    Failure::usage(format_args!("{}: {what}", path.display()), "name files that `phalanx load -o json` printed")
}

fn read(path: &Path) -> Result<LoadReport, Failure> {
    let text = fs::read(path).map_err(|error| usage(path, error))?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|error| usage(path, error))?;
    if value["schema"] != LoadReport::SCHEMA {
        return Err(usage(path, format_args!("its schema is {}, not {}", value["schema"], LoadReport::SCHEMA)));
    }
    serde_json::from_value(value).map_err(|error| usage(path, error))
}

fn ended(report: &LoadReport) -> f64 {
    report.began_unix_ms as f64 / 1e3 + report.elapsed_seconds
}

/// The share of the whole time in which all clocks ran.
fn together(reports: &[LoadReport]) -> f64 {
    let began = reports.iter().map(|report| report.began_unix_ms as f64 / 1e3);
    let (first, last) = began.fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
    let ends = reports.iter().map(ended);
    let (earliest, latest) = ends.fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
    (earliest - last).max(0.0) / (latest - first)
}

/// The union, over the time from the first start to the last end.
fn merge(reports: Vec<LoadReport>, paths: &[std::path::PathBuf]) -> Result<LoadReport, Failure> {
    let mut reports = reports.into_iter().zip(paths);
    let Some((mut all, first)) = reports.next() else { return Err(usage(Path::new(""), "no report")) };
    let decode = |text: &str, path: &Path| {
        Latencies::decode(text).map_err(|error| usage(path, format_args!("its histogram: {error}")))
    };
    let mut latencies = decode(&all.latency_histogram, first)?;
    let mut services = decode(&all.service_histogram, first)?;
    let mut end = ended(&all);
    let mut alone = true;
    for (report, path) in reports {
        alone = false;
        check_alike(&all, &report, path)?;
        let misfit = |error: String| usage(path, format_args!("its histogram: {error}"));
        latencies.add(&decode(&report.latency_histogram, path)?).map_err(misfit)?;
        services.add(&decode(&report.service_histogram, path)?).map_err(misfit)?;
        end = end.max(ended(&report));
        add_readers(&mut all, &report).map_err(misfit)?;
        add_queries(&mut all, &report).map_err(misfit)?;
        add(&mut all, report);
    }
    if !alone {
        // Of several tokens, seeds and clocks there is no one.
        (all.contract, all.seed, all.window_seconds, all.window_calls_per_second) = (None, None, None, None);
        all.windows.clear();
        // All of them may have read the same process's.
        all.server_cpu_seconds = None;
        all.elapsed_seconds = end - all.began_unix_ms as f64 / 1e3;
        all.calls_per_second = all.calls_in_time as f64 / all.elapsed_seconds;
    }
    (all.latency_ms, all.service_ms) = (latencies.percentiles(), services.percentiles());
    (all.latency_histogram, all.service_histogram) = (latencies.encode(), services.encode());
    Ok(all)
}

/// Latencies of other submissions are other things.
fn check_alike(all: &LoadReport, report: &LoadReport, path: &Path) -> Result<(), Failure> {
    let of = |report: &LoadReport| {
        [
            ("form", report.form.name().to_owned()),
            ("api", report.api.clone()),
            ("ack", report.ack.name().to_owned()),
            ("receipts", report.receipts.name().to_owned()),
            ("batch", report.batch.to_string()),
            ("loop", report.r#loop.clone()),
            ("ids", report.ids.to_string()),
        ]
    };
    match of(all).into_iter().zip(of(report)).find(|(one, other)| one != other) {
        None => Ok(()),
        Some(((name, one), (_, other))) => {
            Err(usage(path, format_args!("its {name} is {other}, that of the first file {one}")))
        }
    }
}

fn add(all: &mut LoadReport, report: LoadReport) {
    all.processes += report.processes;
    all.connections += report.connections;
    add_known(&mut all.streams, report.streams);
    add_known(&mut all.tasks, report.tasks);
    all.accounts += report.accounts;
    all.prepared += report.prepared;
    add_known(&mut all.asked_calls_per_second, report.asked_calls_per_second);
    all.began_unix_ms = all.began_unix_ms.min(report.began_unix_ms);
    all.calls_in_time += report.calls_in_time;
    all.calls += report.calls;
    let (sum, one) = (&mut all.submissions, report.submissions);
    sum.started += one.started;
    sum.answered += one.answered;
    sum.refused += one.refused;
    sum.uncertain += one.uncertain;
    sum.unanswered += one.unanswered;
    sum.missed += one.missed;
    add_counts(&mut all.outcomes, report.outcomes);
    add_counts(&mut all.refused, report.refused);
    add_counts(&mut all.retries, report.retries);
    add_counts(&mut all.uncertain, report.uncertain);
    all.gas_used = Integer(all.gas_used.0 + report.gas_used.0);
    add_known(&mut all.client_cpu_seconds, report.client_cpu_seconds);
    all.violations += report.violations;
    all.first_violation = all.first_violation.take().or(report.first_violation);
    all.balances = all.balances.take().zip(report.balances).map(|(one, other)| Balances {
        compared: one.compared + other.compared,
        summed: one.summed + other.summed,
        difference: one.difference.or(other.difference),
    });
}

/// Sums texts of histograms. Answers their percentiles too.
fn sum(one: &str, other: &str) -> Result<(Option<Percentiles>, String), String> {
    let mut sum = Latencies::decode(one)?;
    sum.add(&Latencies::decode(other)?)?;
    Ok((sum.percentiles(), sum.encode()))
}

/// Readers of all generators that have some. Of different filters and pauses there is no one.
fn add_readers(all: &mut LoadReport, report: &LoadReport) -> Result<(), String> {
    let (Some(sums), Some(one)) = (&mut all.readers, &report.readers) else {
        all.readers = all.readers.take().or_else(|| report.readers.clone());
        return Ok(());
    };
    sums.count += one.count;
    sums.senders = sums.senders.filter(|senders| Some(*senders) == one.senders);
    sums.pause_seconds = sums.pause_seconds.filter(|seconds| Some(*seconds) == one.pause_seconds);
    sums.calls += one.calls;
    sums.cut_off += one.cut_off;
    (sums.age_ms, sums.age_histogram) = sum(&sums.age_histogram, &one.age_histogram)?;
    sums.behind_seconds = sums.behind_seconds.max(one.behind_seconds);
    sums.compared &= one.compared;
    sums.difference = sums.difference.take().or_else(|| one.difference.clone());
    Ok(())
}

/// Queries of all generators that made some.
fn add_queries(all: &mut LoadReport, report: &LoadReport) -> Result<(), String> {
    let (Some(sums), Some(one)) = (&mut all.queries, &report.queries) else {
        all.queries = all.queries.take().or_else(|| report.queries.clone());
        return Ok(());
    };
    sums.asked_per_second += one.asked_per_second;
    sums.per_second += one.per_second;
    sums.answered += one.answered;
    add_counts(&mut sums.failed, one.failed.clone());
    sums.missed += one.missed;
    (sums.latency_ms, sums.latency_histogram) = sum(&sums.latency_histogram, &one.latency_histogram)?;
    sums.difference = sums.difference.take().or_else(|| one.difference.clone());
    Ok(())
}

/// The sum, if both are known.
fn add_known<T: std::ops::Add<Output = T>>(sum: &mut Option<T>, one: Option<T>) {
    *sum = sum.take().zip(one).map(|(sum, one)| sum + one);
}

fn add_counts(sum: &mut BTreeMap<String, u64>, counts: BTreeMap<String, u64>) {
    for (name, count) in counts {
        *sum.entry(name).or_default() += count;
    }
}
