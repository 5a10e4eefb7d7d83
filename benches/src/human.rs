//! A report for people: what was measured, what it is compared with, and what it means for hardware.

use crate::figures::{bytes, count, rate};
use crate::report::Report;
use std::io::{Result, Write};

/// The load of the reported cluster that this project is measured by, in calls a second, and its servers.
const YARDSTICK: (f64, u64) = (240e6, 1_000);

pub(crate) fn print(report: &Report, out: &mut dyn Write) -> Result<()> {
    head(report, out)?;
    stages(report, out)?;
    outcomes(report, out)?;
    baselines(report, out)?;
    resources(report, out)?;
    results(report, out)?;
    meaning(report, out)?;
    if let Some(model) = &report.model {
        model.print(out)?;
    }
    if let Some(conflicts) = &report.conflicts {
        writeln!(out)?;
        conflicts.print(out)?;
    }
    if report.explain {
        write!(out, "\n{EXPLANATION}")?;
    }
    Ok(())
}

fn head(report: &Report, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "phalanx bench {}: {}", report.workload, report.description)?;
    if let (Some(batch_size), Some(accounts), Some(skew), Some(seed)) =
        (report.batch_size, report.accounts, report.skew, report.seed)
    {
        let draw = if skew == 0.0 { "uniform".to_owned() } else { format!("Zipf {skew}") };
        let (calls, batch_size, accounts) = (count(report.calls), count(batch_size as u64), count(accounts));
        writeln!(out, "{calls} calls in batches of {batch_size}, {accounts} accounts ({draw}), seed {seed}")?;
    }
    writeln!(
        out,
        "mode {} ({}), durability {}",
        report.mode_chosen.mode, report.mode_chosen.reason, report.durability
    )?;
    writeln!(out, "{}, {} cores, Linux {}", report.machine.processor, report.machine.cores, report.machine.kernel)?;
    writeln!(out)?;
    writeln!(
        out,
        "  {} calls a second   ({:.3} s under the clock)",
        rate(report.calls_per_second),
        report.elapsed_seconds
    )
}

fn stages(report: &Report, out: &mut dyn Write) -> Result<()> {
    let whole = report.core_ns_per_call.sum();
    writeln!(out, "\nWhere a call's time goes (core-nanoseconds)")?;
    for (name, nanoseconds) in report.core_ns_per_call.rows() {
        if nanoseconds >= 0.05 {
            writeln!(out, "  {name:<10} {nanoseconds:>8.1}  {:>3.0} %", 100.0 * nanoseconds / whole)?;
        }
    }
    writeln!(out, "  {:<10} {whole:>8.1}  (the log runs beside the rest, on another core)", "all")
}

fn outcomes(report: &Report, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nOutcomes")?;
    for (name, calls) in &report.outcomes {
        let share = 100.0 * *calls as f64 / report.calls as f64;
        writeln!(out, "  {name:<20} {:>14}  {share:>6.2} %", count(*calls))?;
    }
    Ok(())
}

fn baselines(report: &Report, out: &mut dyn Write) -> Result<()> {
    let Some(baselines) = &report.baselines else {
        if report.baselines_asked {
            writeln!(out, "\nNo baselines: they know the workload token alone.")?;
        }
        return Ok(());
    };
    writeln!(out, "\nThe same calls without Phalanx, one core each")?;
    writeln!(out, "  {:<16} {:>14}  {:>9}", "", "calls/s", "Phalanx is")?;
    let what = [
        "hashbrown table, nothing else",
        "prefetched flat table, nothing else",
        "bare wasmtime, never reset",
        "bare wasmtime, a fresh instance a call",
    ];
    for ((name, per_second), what) in baselines.rows().into_iter().zip(what) {
        let ratio = report.calls_per_second / per_second;
        let verdict = if ratio < 1.0 { "slower" } else { "faster" };
        let factor = if ratio < 1.0 { 1.0 / ratio } else { ratio };
        writeln!(out, "  {name:<16} {:>14}  {factor:>6.2} x {verdict}   {what}", rate(per_second))?;
    }
    let ahead = baselines.rows().into_iter().filter(|(_, per_second)| *per_second > report.calls_per_second);
    let ahead: Vec<&str> = ahead.map(|(name, _)| name).collect();
    match ahead.is_empty() {
        true => writeln!(out, "  Phalanx loses to none of them."),
        false => writeln!(out, "  Phalanx loses to {}.", ahead.join(" and ")),
    }
}

fn resources(report: &Report, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nResources")?;
    writeln!(
        out,
        "  memory       {} at most, {} when the clock stopped",
        bytes(report.peak_rss_bytes),
        bytes(report.rss_bytes)
    )?;
    let (input, receipt, log) = (report.input_bytes_per_call, report.receipt_bytes_per_call, report.log_bytes_per_call);
    writeln!(out, "  bytes a call {input:.0} in, {receipt:.0} receipt, {log:.0} log")?;
    writeln!(out, "  gas a call   {:.0}", report.gas_per_call)?;
    if let Some(sync) = report.sync_ms {
        writeln!(out, "  one sync     {:.2} ms (p50), {:.2} ms (p99)", sync.p50, sync.p99)?;
    }
    if let Some(durable) = report.batch_to_durable_ms {
        writeln!(
            out,
            "  durable      {:.2} ms (p50), {:.2} ms (p99) after a batch was handed over",
            durable.p50, durable.p99
        )?;
    }
    if let Some(reference) = report.sync_reference_bytes_per_second {
        let calls = reference / report.log_bytes_per_call;
        writeln!(
            out,
            "  the disk     {}/s appended and synced by a plain file: {} calls a second",
            bytes(reference as u64),
            rate(calls)
        )?;
    }
    Ok(())
}

fn results(report: &Report, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\nResults")?;
    writeln!(out, "  log digest   {}", report.log_digest)?;
    writeln!(out, "  state digest {}", report.state_digest)?;
    let holds = if report.invariant.holds { "holds" } else { "BROKEN" };
    writeln!(out, "  {} {holds}: {}", report.invariant.name, report.invariant.detail)?;
    if let Some(equivalence) = report.equivalence {
        writeln!(
            out,
            "  live check: {} batches, {} calls ({} %) executed once more by the oracle meanwhile, no difference",
            count(equivalence.checked_batches),
            count(equivalence.checked_calls),
            equivalence.percent
        )?;
    }
    match (report.check, report.serial_match, &report.mismatch) {
        (Some(by), Some(false), Some(mismatch)) => writeln!(out, "  CHECK FAILED against {}: {mismatch}", by.who()),
        (Some(by), ..) => {
            writeln!(out, "  checked by {}: every receipt, write, digest and the state are the same", by.who())
        }
        (None, ..) => writeln!(out, "  not checked; --check executes everything again and compares"),
    }
}

fn meaning(report: &Report, out: &mut dyn Write) -> Result<()> {
    let (load, servers) = YARDSTICK;
    // A serial run leaves the other workers alone.
    let workers = if report.mode_chosen.mode == "serial" { 1 } else { report.workers };
    let cores = (load / report.calls_per_second * workers as f64).ceil() as u64;
    writeln!(out, "\nWhat it means")?;
    let synced = if report.durability == "fsync" { ", each batch synced to disk" } else { ", nothing synced" };
    writeln!(
        out,
        "  Measured: {workers} of this machine's cores execute {} calls of this workload a second, with the log beside\n  \
         them{synced}.",
        rate(report.calls_per_second)
    )?;
    writeln!(
        out,
        "  Projection, not measured: the {} calls a second reported of {} servers would take {} such cores\n  \
         and their logs, if the load splits into that many ledgers that share nothing; without signatures, network and\n  \
         replication.",
        rate(load),
        count(servers),
        count(cores)
    )
}

const EXPLANATION: &str = "\
How the figures are made
  calls a second     measured calls by the time under the clock. The clock covers execute_batch and commit: from encoded
                     batches to encoded receipts, events and digests, and the sync with --durability fsync. It stands still
                     while batches are generated or read, and receipts counted. Accounts are funded, or the heights before
                     the recorded ones that are measured executed, by logged calls before.
  core-nanoseconds   by stage, from the engine's own laps; the reset of an instance is inside execute. The log's are the
                     processor time of its thread.
  the disk           the same bytes, appended to a plain file in the same folder and synced every eight batches, between the
                     measured batches and while their clock stands still.
  without Phalanx    each decodes the same bytes, up to 200,000 calls. Native tables only move balances; bare wasmtime
                     collects events besides. None has gas, undo, receipts, digests or a log.
  conflicts          by the checks of calls that were executed in parallel, in the order of the calls: a call is dirty if one
                     fails, and is executed again, alone or with the rest of its round. Gathering them is under the clock.
  memory             resident memory of the process, set-up included. Read when the clock stops, before any check.
  digests            the log digest is that of the last height; the state digest covers every key, after the clock stopped.
";
