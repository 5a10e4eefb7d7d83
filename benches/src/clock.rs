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

/// Processor time that the threads of this process with a name have used together, in nanoseconds. `None` where the kernel
/// does not tell.
pub fn thread_nanoseconds(name: &str) -> Option<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let path = thread.ok()?.path();
        // A thread may end between listing and reading.
        let Ok(found) = std::fs::read_to_string(path.join("comm")) else { continue };
        if found.trim_end() == name {
            let times = std::fs::read_to_string(path.join("schedstat")).ok()?;
            sum += times.split(' ').next()?.parse::<u64>().ok()?;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::{Stopwatch, thread_nanoseconds};
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
    fn only_the_named_thread_is_counted() {
        let burn = || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(50) {
                std::hint::spin_loop();
            }
            thread_nanoseconds("burns")
        };
        let burnt = std::thread::Builder::new().name("burns".into()).spawn(burn).unwrap().join().unwrap();
        let Some(burnt) = burnt else { return };
        // The machine may have taken the processor away for most of it, but not all.
        assert!(burnt > 1_000_000, "{burnt} ns");
        assert_eq!(thread_nanoseconds("no such thread"), Some(0));
    }
}
