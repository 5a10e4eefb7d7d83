//! Processor time of processes, as the kernel counts it.

use std::fs;
use std::time::Duration;

/// The kernel counts in hundredths of a second wherever it tells users.
const TICKS_A_SECOND: u64 = 100;
/// Places of user and system time among the fields behind the process's name.
const USER_TIME: usize = 11;

/// User and system time of all threads of a process that runs, those that ended too. `None` if there is none of this id.
pub(super) fn time_of(process: u32) -> Option<Duration> {
    read(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// Processor time at a moment, or in a time: of this process, and of the node's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Processors {
    pub(super) client: Option<Duration>,
    /// `None` if it was not asked for.
    pub(super) server: Option<Duration>,
}

impl Processors {
    pub(super) fn now(server: Option<u32>) -> Processors {
        Processors { client: time_of(std::process::id()), server: server.and_then(time_of) }
    }

    /// The time that was used between two moments.
    pub(super) fn since(self, before: Processors) -> Processors {
        let between = |now: Option<Duration>, before: Option<Duration>| now?.checked_sub(before?);
        Processors { client: between(self.client, before.client), server: between(self.server, before.server) }
    }
}

fn read(stat: &str) -> Option<Duration> {
    // The name is anything in parentheses, further parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(USER_TIME);
    let mut ticks = || times.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 1_000 / TICKS_A_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_moves_no_field() {
        let stat = "7 (a) R 1) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 100 1000 10 0";
        assert_eq!(read(stat), Some(Duration::from_secs(3)));
        assert_eq!(read("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_a_time_and_nobody_has_none() {
        assert!(time_of(std::process::id()).is_some());
        assert_eq!(time_of(u32::MAX), None);
    }
}
