//! When submissions start: as soon as the node takes them, or at times that are fixed beforehand.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Starts of submissions that come closer to each other than this are told at once; each still counts from its own time.
pub(super) const PACE: Duration = Duration::from_micros(200);
/// How often the pacing thread looks whether the clock was stopped.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// The clock, and the starts that it gives out.
pub(super) struct Starts {
    began: Instant,
    duration: Duration,
    /// Time from one start to the next, if they are fixed.
    interval: Option<Duration>,
    /// Starts that are due and not taken. It is closed when the clock stops.
    due: Arc<Semaphore>,
    taken: Cell<u64>,
    /// Set once, and read by the pacing thread. It guards no other memory: relaxed is enough.
    stopped: Arc<AtomicBool>,
    stopped_at: Cell<Option<Instant>>,
}

impl Starts {
    /// Starts the clock. `interval` fixes the times of all starts: the first now, each next one so much later. Those that come closer
    /// to each other than `pace` are told at once.
    pub(super) fn begin(duration: Duration, interval: Option<Duration>, pace: Duration) -> io::Result<Starts> {
        let starts = Starts {
            began: Instant::now(),
            duration,
            interval,
            due: Arc::new(Semaphore::new(0)),
            taken: Cell::new(0),
            stopped: Arc::default(),
            stopped_at: Cell::new(None),
        };
        if let Some(interval) = interval {
            let (due, stopped, began) = (Arc::clone(&starts.due), Arc::clone(&starts.stopped), starts.began);
            let pace = move || tell(&due, &stopped, began.into_std(), duration, (interval, pace));
            // A thread of its own: the timers of the runtime are a millisecond coarse, which latencies would show.
            thread::Builder::new().name("pace".to_owned()).spawn(pace)?;
        }
        Ok(starts)
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// When no more submissions start.
    pub(super) fn end(&self) -> Instant {
        self.stopped_at.get().unwrap_or(self.began + self.duration)
    }

    /// Whether nothing starts any more.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end()
    }

    /// Waits for the next start, and answers when it is meant to be; `None` when the clock has stopped.
    pub(super) async fn next(&self) -> Option<Instant> {
        let Some(interval) = self.interval else {
            return (!self.is_over()).then(Instant::now);
        };
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.replace(self.taken.get() + 1);
        Some(self.began + at(interval, number))
    }

    /// Stops the clock before its time.
    pub(super) fn stop(&self) {
        if !self.is_over() {
            self.stopped_at.set(Some(Instant::now()));
        }
        self.stopped.store(true, Ordering::Relaxed);
        self.due.close();
    }

    /// The starts that were due when the clock stopped and were not taken: how long each had waited by then.
    pub(super) fn missed(&self) -> impl Iterator<Item = Duration> {
        let ran = self.end() - self.began;
        let due = self.interval.map_or(0, |interval| due_by(ran, interval));
        (self.taken.get()..due).map(move |number| ran.saturating_sub(at(self.interval.unwrap_or_default(), number)))
    }
}

/// When a start is, since the clock began.
fn at(interval: Duration, number: u64) -> Duration {
    // Nanoseconds of a day times any rate fit.
    Duration::from_nanos((interval.as_nanos() * u128::from(number)) as u64)
}

/// How many starts are before a time.
fn due_by(ran: Duration, interval: Duration) -> u64 {
    ran.as_nanos().div_ceil(interval.as_nanos().max(1)) as u64
}

/// Tells starts when they are due, until the clock stops.
fn tell(
    due: &Semaphore,
    stopped: &AtomicBool,
    began: std::time::Instant,
    duration: Duration,
    (interval, pace): (Duration, Duration),
) {
    let mut told = 0;
    loop {
        let ran = began.elapsed();
        if ran >= duration || stopped.load(Ordering::Relaxed) {
            break;
        }
        // The start that is due this very moment counts.
        let now = due_by(ran + Duration::from_nanos(1), interval);
        due.add_permits((now - told) as usize);
        told = now;
        let next = at(interval, told).max(ran + pace).min(duration);
        thread::sleep(next.saturating_sub(began.elapsed()).min(STOP_INTERVAL));
    }
    due.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_counted_from_the_first_moment_on() {
        let interval = Duration::from_millis(10);
        let due = |nanoseconds| due_by(Duration::from_nanos(nanoseconds), interval);
        assert_eq!([due(0), due(1), due(10_000_000), due(10_000_001)], [0, 1, 1, 2]);
        assert_eq!(at(interval, 3), Duration::from_millis(30));
    }

    #[tokio::test]
    async fn starts_come_at_their_times_and_those_that_nobody_took_are_missed() {
        let (duration, interval) = (Duration::from_millis(100), Duration::from_millis(10));
        let starts = Starts::begin(duration, Some(interval), PACE).expect("there is a thread");
        for number in 0..3 {
            let intended = starts.next().await.expect("the clock runs");
            assert_eq!(intended - starts.began(), interval * number);
            assert!(Instant::now() >= intended);
        }
        tokio::time::sleep_until(starts.end()).await;
        while starts.next().await.is_some() {}
        let missed: Vec<_> = starts.missed().collect();
        let last = missed.last().copied();
        // However slow the machine is: nothing was taken between the third and the end.
        assert!(missed.is_empty() || last == Some(interval), "{missed:?}");
    }

    #[tokio::test]
    async fn without_fixed_times_a_start_is_now_until_the_clock_stops() {
        let starts = Starts::begin(Duration::from_secs(60), None, PACE).expect("it needs no thread");
        let intended = starts.next().await.expect("the clock runs");
        assert!(intended >= starts.began());
        starts.stop();
        assert_eq!((starts.next().await, starts.missed().count()), (None, 0));
        assert!(starts.is_over());
    }
}
