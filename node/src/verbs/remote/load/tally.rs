//! What is counted while the clock runs.

use phalanx_benches::statistics::Sample;
use phalanx_engine::Outcome;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

use super::answers::{OUTCOMES, Told};
use super::latency::Latencies;
use super::prepared::TemplateIndex;

/// A submission on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) template: TemplateIndex,
    /// When it was meant to start.
    pub(super) intended: Instant,
    /// When it did.
    pub(super) at: Instant,
}

/// All counts.
pub(super) struct Tally {
    batch: u64,
    /// When the clock stops.
    pub(super) end: Instant,
    pub(super) started: u64,
    pub(super) answered: u64,
    /// Of those, the ones whose answer came before the clock stopped.
    pub(super) in_time: u64,
    pub(super) outcomes: [u64; OUTCOMES],
    pub(super) gas: u64,
    pub(super) latencies: Latencies,
    pub(super) services: Latencies,
    /// Submissions that the node refused to order, by reason.
    pub(super) refused: BTreeMap<String, u64>,
    /// Submissions that were sent again, by the reason of the refusal.
    pub(super) retries: BTreeMap<String, u64>,
    /// Submissions of which it is not known whether they were ordered, by reason.
    pub(super) uncertain: BTreeMap<String, u64>,
    /// How often each prepared submission succeeded.
    pub(super) successes: Vec<u64>,
    pub(super) violations: u64,
    pub(super) first_violation: Option<String>,
    pub(super) windows: Windows,
}

impl Tally {
    /// Counts submissions of so many calls, from so many prepared ones.
    pub(super) fn new(batch: u32, templates: usize, began: Instant, end: Instant, window: Duration) -> Tally {
        Tally {
            batch: batch.into(),
            end,
            started: 0,
            answered: 0,
            in_time: 0,
            outcomes: [0; OUTCOMES],
            gas: 0,
            latencies: Latencies::new(),
            services: Latencies::new(),
            refused: BTreeMap::new(),
            retries: BTreeMap::new(),
            uncertain: BTreeMap::new(),
            successes: vec![0; templates],
            violations: 0,
            first_violation: None,
            windows: Windows::new(began, end, window),
        }
    }

    /// An answer came.
    pub(super) fn answer(&mut self, sent: &Sent, told: Told) {
        let now = Instant::now();
        self.answered += 1;
        let latency = now - sent.intended;
        self.latencies.record(latency);
        self.services.record(now - sent.at);
        if now < self.end {
            self.in_time += 1;
            self.windows.answer(now, self.batch, latency);
        }
        self.outcomes.iter_mut().zip(told.outcomes).for_each(|(all, these)| *all += u64::from(these));
        self.gas += told.gas;
        match told.is_success() {
            true => self.successes[sent.template.0] += 1,
            false => self.violation(told.problem.unwrap_or_default()),
        }
    }

    /// Something is not as it must be.
    pub(super) fn violation(&mut self, what: String) {
        self.violations += 1;
        self.first_violation.get_or_insert(what);
    }

    /// A submission started that never came to an answer before the clock stopped: its latency is at least this.
    pub(super) fn missed(&mut self, waited: Duration) {
        self.latencies.record(waited);
    }

    /// Submissions on their way.
    pub(super) fn unanswered(&self) -> u64 {
        let gone: u64 = self.refused.values().chain(self.uncertain.values()).sum();
        self.started - self.answered - gone
    }

    /// Outcomes that there were, by name.
    pub(super) fn outcomes(&self) -> BTreeMap<String, u64> {
        let named = Outcome::ALL.iter().zip(self.outcomes).filter(|(_, calls)| *calls > 0);
        named.map(|(outcome, calls)| (outcome.name().to_owned(), calls)).collect()
    }
}

/// Counts one more.
pub(super) fn count(counts: &mut BTreeMap<String, u64>, reason: &str) {
    // Reasons are few; a key is made for the first of each.
    match counts.get_mut(reason) {
        Some(count) => *count += 1,
        None => _ = counts.insert(reason.to_owned(), 1),
    }
}

/// What a window of time saw.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Window {
    /// Calls that were answered in it, a second.
    pub(super) calls_per_second: f64,
    /// Percentiles of what was answered in it; `null` if nothing was.
    pub(super) p50_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
}

/// Windows of the same length, one behind the other, while the clock runs. One that the clock cuts short is dropped.
pub(super) struct Windows {
    length: Duration,
    /// When the current one ends.
    next: Instant,
    end: Instant,
    calls: u64,
    latencies: Latencies,
    done: Vec<Window>,
}

impl Windows {
    fn new(began: Instant, end: Instant, length: Duration) -> Windows {
        Windows { length, next: began + length, end, calls: 0, latencies: Latencies::new(), done: Vec::new() }
    }

    fn answer(&mut self, now: Instant, calls: u64, latency: Duration) {
        self.cut(now);
        self.calls += calls;
        self.latencies.record(latency);
    }

    fn cut(&mut self, now: Instant) {
        while now >= self.next && self.next <= self.end {
            let percentiles = self.latencies.percentiles();
            self.done.push(Window {
                calls_per_second: self.calls as f64 / self.length.as_secs_f64(),
                p50_ms: percentiles.map(|percentiles| percentiles.p50),
                p99_ms: percentiles.map(|percentiles| percentiles.p99),
            });
            self.calls = 0;
            self.latencies.clear();
            self.next += self.length;
        }
    }

    /// All whole ones until the clock stopped.
    pub(super) fn finish(&mut self, stopped: Instant) -> Vec<Window> {
        self.cut(stopped);
        std::mem::take(&mut self.done)
    }
}

/// The median of the windows' rates, the lowest and the highest; `None` without a window.
pub(super) fn spread(windows: &[Window]) -> Option<(f64, (f64, f64))> {
    let mut sample = Sample::new();
    windows.iter().for_each(|window| sample.add(window.calls_per_second));
    (!windows.is_empty()).then(|| (sample.median(), sample.range()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_at_their_times_and_the_last_one_only_if_it_is_whole() {
        let began = Instant::now();
        let second = Duration::from_secs(1);
        let mut windows = Windows::new(began, began + second * 7 / 2, second);
        windows.answer(began + second / 2, 10, second / 10);
        windows.answer(began + second * 9 / 4, 40, second / 4);
        windows.answer(began + second * 13 / 4, 90, second);
        let done = windows.finish(began + second * 7 / 2);
        let rates: Vec<_> = done.iter().map(|window| window.calls_per_second).collect();
        assert_eq!(rates, [10.0, 0.0, 40.0]);
        assert_eq!((done[1].p50_ms, done[2].p50_ms.map(f64::round)), (None, Some(250.0)));
        assert_eq!(spread(&done), Some((10.0, (0.0, 40.0))));
        assert_eq!(spread(&[]), None);
    }
}
