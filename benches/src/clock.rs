//! Clocks. The engine has none of its own; this is the one that benches lend it.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Nanoseconds since the first call in this process. It never runs back.
pub fn nanoseconds() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Sums the time between `start` and `stop`.
#[derive(Debug, Default)]
pub struct Stopwatch {
    total: Duration,
    running_since: Option<Instant>,
}

impl Stopwatch {
    /// Lets the clock run on.
    pub fn start(&mut self) {
        self.running_since = Some(Instant::now());
    }

    /// Makes it stand still. Without a start before, nothing changes.
    pub fn stop(&mut self) {
        if let Some(since) = self.running_since.take() {
            self.total += since.elapsed();
        }
    }

    /// What it shows; time since a start that has no stop yet is not in it.
    pub fn total(&self) -> Duration {
        self.total
    }
}

/// Processor time that all threads of this process together have used, in nanoseconds. `None` where the kernel does not tell.
///
/// Threads that have ended are not in it, so a difference is true only if none ended in between.
pub fn processor_nanoseconds() -> Option<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        // A thread may end between listing and reading.
        let Ok(text) = std::fs::read_to_string(thread.ok()?.path().join("schedstat")) else { continue };
        sum += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::{Stopwatch, processor_nanoseconds};
    use std::time::{Duration, Instant};

    #[test]
    fn a_stopwatch_counts_only_while_it_runs() {
        let mut watch = Stopwatch::default();
        std::thread::sleep(Duration::from_millis(20));
        watch.start();
        watch.stop();
        watch.stop();
        assert!(watch.total() < Duration::from_millis(10), "{:?}", watch.total());
    }

    #[test]
    fn a_busy_thread_uses_processor_time() {
        let Some(before) = processor_nanoseconds() else { return };
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(100) {
            std::hint::spin_loop();
        }
        let used = processor_nanoseconds().expect("it told before") - before;
        // The machine may have taken the processor away for most of it, but not all.
        assert!(used > 1_000_000, "{used} ns");
    }
}
