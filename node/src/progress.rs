//! How far a long verb is: on standard error, and only where a person looks at it.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};

/// A progress line.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of a known number of calls.
    pub(crate) fn of_calls(total: u64) -> Progress {
        Progress::styled(ProgressBar::new(total), "{wide_bar} {human_pos}/{human_len} calls, {per_sec}")
    }

    /// Of heights, whose number is not known.
    pub(crate) fn of_heights() -> Progress {
        Progress::styled(ProgressBar::no_length(), "{spinner} height {human_pos}, {elapsed}")
    }

    /// Of a known number of accounts that are funded.
    pub(crate) fn of_accounts(total: u64) -> Progress {
        Progress::styled(ProgressBar::new(total), "funding {wide_bar} {human_pos}/{human_len} accounts")
    }

    /// Of a known number of seconds, with a message beside them.
    pub(crate) fn of_seconds(total: u64) -> Progress {
        Progress::styled(ProgressBar::new(total), "{wide_bar} {pos}/{len} s, {msg}")
    }

    fn styled(bar: ProgressBar, template: &str) -> Progress {
        if !stderr().is_terminal() {
            return Progress(ProgressBar::hidden());
        }
        match ProgressStyle::with_template(template) {
            Ok(style) => Progress(bar.with_style(style)),
            Err(_) => Progress(bar),
        }
    }

    /// Where the verb is.
    pub(crate) fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    /// What stands beside it.
    pub(crate) fn says(&self, message: String) {
        self.0.set_message(message);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
