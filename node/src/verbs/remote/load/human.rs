//! A load report for people, in the manner of `phalanx bench`.

use phalanx_benches::figures::{count, rate};
use std::collections::BTreeMap;
use std::io::{Result, Write};

use super::latency::Percentiles;
use super::report::LoadReport;
use super::tally::spread;

/// Of an open loop that is no further below its rate, people say that it reached it.
const SHORT: f64 = 0.99;

pub(super) fn print(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    head(report, out)?;
    rates(report, out)?;
    latencies(report, out)?;
    outcomes(report, out)?;
    beside(report, out)?;
    processors(report, out)?;
    checks(report, out)?;
    for threshold in &report.thresholds {
        let found = threshold.found.map_or("nothing was answered".to_owned(), |found| format!("{found:.3}"));
        let met = if threshold.met { "met" } else { "MISSED" };
        writeln!(out, "  --{} {}: {met}, {found}", threshold.name, threshold.asked)?;
    }
    Ok(())
}

fn head(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    let draw = if report.skew == 0.0 { "uniform".to_owned() } else { format!("Zipf {}", report.skew) };
    writeln!(
        out,
        "phalanx load {}: transfers of contracts/token between {} accounts ({draw}), {} different ones",
        report.form.name(),
        count(report.accounts),
        count(report.prepared)
    )?;
    let clients = match (report.streams, report.tasks) {
        (Some(streams), _) => {
            let credits = report.in_flight.map_or(String::new(), |credits| format!(" with {credits} unanswered each"));
            format!("{}{credits}", some(streams, "stream"))
        }
        (None, tasks) => format!("{} at a time", some(tasks.unwrap_or(0), "request")),
    };
    writeln!(
        out,
        "{} of {}, {clients} over {}, acknowledged when {}, receipts {}{}",
        report.api,
        some(report.batch.into(), "call"),
        some(report.connections, "connection"),
        report.ack.name(),
        report.receipts.name(),
        if report.ids { ", with ids" } else { "" }
    )?;
    let generators = match report.processes {
        1 => String::new(),
        processes => format!(", {processes} generators"),
    };
    writeln!(out, "{} loop, {:.3} s{generators}, {}", report.r#loop, report.elapsed_seconds, report.endpoint)?;
    writeln!(
        out,
        "\n  {} calls a second   ({} answered while the clock ran)",
        rate(report.calls_per_second),
        count(report.calls_in_time)
    )
}

fn rates(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nRate (calls a second)")?;
    match report.asked_calls_per_second {
        None => writeln!(out, "  asked        as fast as answers come")?,
        Some(asked) => {
            let short = if report.calls_per_second < SHORT * asked { ": it was NOT reached" } else { "" };
            let share = 100.0 * report.calls_per_second / asked;
            writeln!(out, "  asked        {:>12}   {share:.1} % of it was answered{short}", rate(asked))?;
        }
    }
    writeln!(out, "  answered     {:>12}", rate(report.calls_per_second))?;
    if let (Some(seconds), Some((median, (low, high)))) = (report.window_seconds, spread(&report.windows)) {
        writeln!(
            out,
            "  windows      {:>12}   median of {} windows of {seconds} s, {} to {}",
            rate(median),
            report.windows.len(),
            rate(low),
            rate(high)
        )?;
    }
    if report.submissions.missed > 0 {
        let calls = report.submissions.missed * u64::from(report.batch);
        writeln!(
            out,
            "  not started  {:>12}   calls that were due: neither the node nor this took them",
            count(calls)
        )?;
    }
    Ok(())
}

fn latencies(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nLatency of a submission (ms)")?;
    writeln!(out, "  {:<12} {:>10} {:>10} {:>10} {:>10} {:>10}", "", "p50", "p90", "p99", "p99.9", "max")?;
    let mut row = |name: &str, percentiles: Option<Percentiles>| match percentiles {
        None => writeln!(out, "  {name:<12} nothing was answered"),
        Some(Percentiles { p50, p90, p99, p99_9, max }) => {
            writeln!(out, "  {name:<12} {p50:>10.3} {p90:>10.3} {p99:>10.3} {p99_9:>10.3} {max:>10.3}")
        }
    };
    // In a closed loop a submission is meant to start when it starts.
    match report.asked_calls_per_second {
        None => row("from start", report.latency_ms),
        Some(_) => {
            row("from intent", report.latency_ms)?;
            row("from start", report.service_ms)
        }
    }
}

fn outcomes(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nOutcomes (calls)")?;
    for (name, calls) in &report.outcomes {
        let share = 100.0 * *calls as f64 / report.calls.max(1) as f64;
        writeln!(out, "  {name:<24} {:>14}  {share:>6.2} %", count(*calls))?;
    }
    let mut list = |title: &str, counts: &BTreeMap<String, u64>| {
        if counts.is_empty() {
            return Ok(());
        }
        writeln!(out, "{title}")?;
        counts.iter().try_for_each(|(reason, submissions)| writeln!(out, "  {reason:<24} {:>14}", count(*submissions)))
    };
    list("Refused, not ordered (submissions)", &report.refused)?;
    list("Sent again after a refusal (submissions)", &report.retries)?;
    list("Lost, perhaps executed (submissions)", &report.uncertain)?;
    match report.submissions.unanswered {
        0 => Ok(()),
        unanswered => writeln!(out, "Never answered (submissions)\n  {:<24} {:>14}", "", count(unanswered)),
    }
}

fn beside(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    let milliseconds = |percentiles: Option<Percentiles>| match percentiles {
        None => "none came".to_owned(),
        Some(Percentiles { p50, p99, max, .. }) => format!("p50 {p50:.3}, p99 {p99:.3}, max {max:.3} ms"),
    };
    if let Some(readers) = &report.readers {
        let senders = readers
            .senders
            .map_or("all calls".to_owned(), |senders| format!("the calls of {} each", some(senders.into(), "account")));
        let pause = readers.pause_seconds.map_or(String::new(), |seconds| format!(", with a pause of {seconds} s"));
        writeln!(out, "\nReaders\n  {} of {senders}{pause}", some(readers.count, "reader"))?;
        writeln!(
            out,
            "  read         {:>14} calls, cut off as too slow {}",
            count(readers.calls),
            some(readers.cut_off, "time")
        )?;
        writeln!(out, "  age          from the cut of a batch to its arrival: {}", milliseconds(readers.age_ms))?;
        writeln!(out, "  behind       {:.3} s from the last answer until all had been read", readers.behind_seconds)?;
    }
    if let Some(queries) = &report.queries {
        let (asked, reached) = (rate(queries.asked_per_second), rate(queries.per_second));
        writeln!(
            out,
            "\nQueries\n  asked {asked} a second, answered {reached}, {} not started",
            count(queries.missed)
        )?;
        writeln!(out, "  latency      from intent: {}", milliseconds(queries.latency_ms))?;
        queries
            .failed
            .iter()
            .try_for_each(|(reason, failed)| writeln!(out, "  {reason:<24} {:>14} failed", count(*failed)))?;
    }
    Ok(())
}

fn processors(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nProcessor time while the clock ran")?;
    let mut row = |name: &str, seconds: Option<f64>, missing: &str| match seconds {
        None => writeln!(out, "  {name:<12} {missing}"),
        Some(seconds) => writeln!(
            out,
            "  {name:<12} {seconds:>8.2} s   {:.2} cores, {:.0} ns a call",
            seconds / report.elapsed_seconds,
            seconds * 1e9 / report.calls_in_time.max(1) as f64
        ),
    };
    row("generator", report.client_cpu_seconds, "not readable")?;
    let missing = if report.processes == 1 { "not asked for (--server-pid)" } else { "in the single reports" };
    row("node", report.server_cpu_seconds, missing)
}

fn checks(report: &LoadReport, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nChecks")?;
    match (report.violations, &report.first_violation) {
        (0, _) => writeln!(
            out,
            "  receipts     {} answers: one receipt a call, every transfer succeeded and used gas, each behind the one before",
            count(report.submissions.answered)
        )?,
        (violations, first) => {
            let first = first.as_deref().unwrap_or("");
            writeln!(out, "  receipts     {} answers are NOT as they must be, the first: {first}", count(violations))?;
        }
    }
    if let Some(readers) = &report.readers {
        match &readers.difference {
            Some(difference) => writeln!(out, "  readers      DIFFER: {difference}")?,
            None if !readers.compared => writeln!(
                out,
                "  readers      each height once and in order; calls not counted: what became of some is not known"
            )?,
            None => {
                writeln!(out, "  readers      each height once and in order, with as many calls as the receipts say")?
            }
        }
    }
    if let Some(queries) = &report.queries {
        match &queries.difference {
            Some(difference) => writeln!(out, "  queries      DIFFER: {difference}")?,
            None => writeln!(out, "  queries      each a balance, of no height below the one before")?,
        }
    }
    match &report.balances {
        None => writeln!(out, "  state        not compared: the node could not be asked"),
        Some(balances) => match &balances.difference {
            Some(difference) => writeln!(out, "  state        DIFFERS: {difference}"),
            None if balances.compared == 0 => writeln!(
                out,
                "  state        the supply is what was minted; balances not compared: what became of some calls is not known"
            ),
            None => writeln!(
                out,
                "  state        the supply is what was minted; {} balances are what the receipts say",
                count(balances.compared)
            ),
        },
    }
}

/// "1 stream", "2 streams".
fn some(number: u64, of: &str) -> String {
    format!("{} {of}{}", count(number), if number == 1 { "" } else { "s" })
}
