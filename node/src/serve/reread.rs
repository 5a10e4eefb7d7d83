//! Heights that are read from the log for subscribers that are behind: each once for all who come to it at about the same time.
//!
//! Whoever comes to a height first reads it, and some behind it; the others wait for that. So subscribers that are behind by
//! different times soon go along together, instead of each reading, checking and decoding the same for itself, which would put
//! them further behind.

use parking_lot::Mutex;
use phalanx_engine::log::receipts::ReceiptsAndWrites;
use phalanx_engine::log::{LogError, Record, Records};
use phalanx_engine::{Batch, LoggedEngine};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::OnceCell;

use super::node::{Node, blocking};
use super::refusal::Refusal;
use super::subscribers::{SUBSCRIBERS_MAX, Subscriber, Subscribers};
use super::wire::{Audience, Filter, Height};

/// Bytes of heights that are kept for others, but for the one that was asked for last.
const KEPT_BYTES_MAX: usize = 64 << 20;
/// Heights that are kept for others.
const KEPT_HEIGHTS_MAX: usize = 1_024;
/// Bytes of heights after which no more is read from the log at a time, and how many heights at most: far fewer than are kept, so that
/// what was read ahead is there when it is asked for.
const READ_AHEAD_BYTES: usize = 1 << 20;
const READ_AHEAD_HEIGHTS: usize = 64;
const _: () = assert!(READ_AHEAD_HEIGHTS < KEPT_HEIGHTS_MAX);
/// Places in the log that are kept open: one for each subscriber.
const READINGS_MAX: usize = SUBSCRIBERS_MAX;

/// A height that is read, or will be.
type Cell = Arc<OnceCell<Arc<Height>>>;

/// The heights that were read last.
#[derive(Default)]
pub(crate) struct Reread {
    state: Mutex<State>,
    /// Subscribers that are behind.
    behind: Arc<Subscribers>,
}

/// A subscriber that is behind. When the last of them is not any more, heights and open files are let go.
pub(super) struct Behind {
    node: Node,
    /// Its place among those that are behind.
    place: Option<Subscriber>,
}

impl Behind {
    pub(super) fn new(node: &Node, filter: &Arc<Filter>) -> Behind {
        Behind { node: node.clone(), place: Some(node.shared.reread.behind.add(filter)) }
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        let reread = &self.node.shared.reread;
        self.place = None;
        if reread.behind.count() == 0 {
            // Who comes meanwhile reads again what is gone. Files are closed once the lock is free.
            let state = core::mem::take(&mut *reread.state.lock());
            drop(state);
        }
    }
}

#[derive(Default)]
struct State {
    /// In the order in which they were asked for first.
    heights: VecDeque<Entry>,
    readings: VecDeque<Reading>,
}

struct Entry {
    number: u64,
    /// Whether with receipts and writes.
    whole: bool,
    cell: Cell,
}

impl Entry {
    /// Whether it is a height's with what is asked for. What is there with receipts and writes does without them too; what is still to
    /// be read with them may turn out to have none any more.
    fn serves(&self, number: u64, whole: bool) -> bool {
        self.number == number && (self.whole == whole || (self.whole && self.cell.initialized()))
    }
}

/// An open place in the log.
struct Reading {
    /// The height that comes next there.
    next: u64,
    records: Records,
}

impl Reread {
    /// A durable height. `whole`: with its receipts and writes, which may not be kept any more when its calls are.
    pub(super) async fn height(&self, node: &Node, number: u64, whole: bool) -> Result<Arc<Height>, Refusal> {
        let cell = self.cell(number, whole);
        let read = cell.get_or_try_init(|| async {
            let reading = self.reading(number);
            let of_node = node.clone();
            let (reading, mut heights) = blocking(move || {
                let (logged, behind) = (&of_node.shared.logged, &of_node.shared.reread.behind);
                behind.refresh();
                let reading = reading.map_or_else(|| Reading::from(logged, number), Ok)?;
                reading.read(logged, whole, of_node.durable_height(), &behind.audience())
            })
            .await?;
            let first = heights.pop_front();
            self.keep(reading, heights, whole);
            first.ok_or_else(|| Refusal::unreadable("the log: it ends before what is durable does"))
        });
        Ok(Arc::clone(read.await?))
    }

    /// Heights that are kept, and open places in the log.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.heights.len(), state.readings.len())
    }

    fn cell(&self, number: u64, whole: bool) -> Cell {
        let mut state = self.state.lock();
        let kept = state.heights.iter().find(|entry| entry.serves(number, whole));
        if let Some(entry) = kept {
            return Arc::clone(&entry.cell);
        }
        let cell = Cell::default();
        state.heights.push_back(Entry { number, whole, cell: Arc::clone(&cell) });
        state.forget_old();
        cell
    }

    /// The place in the log where a height comes next, if there is an open one.
    fn reading(&self, next: u64) -> Option<Reading> {
        let mut state = self.state.lock();
        let place = state.readings.iter().position(|reading| reading.next == next)?;
        state.readings.remove(place)
    }

    /// Keeps what was read ahead, and where it ended.
    fn keep(&self, reading: Reading, ahead: VecDeque<Arc<Height>>, whole: bool) {
        let mut state = self.state.lock();
        state.readings.retain(|other| other.next != reading.next);
        state.readings.push_back(reading);
        if state.readings.len() > READINGS_MAX {
            state.readings.pop_front();
        }
        for height in ahead {
            let number = height.number();
            if !state.heights.iter().any(|entry| entry.serves(number, whole)) {
                let cell = Arc::new(OnceCell::new_with(Some(height)));
                state.heights.push_back(Entry { number, whole, cell });
            }
        }
        state.forget_old();
    }
}

impl State {
    fn forget_old(&mut self) {
        let bytes_of = |entry: &Entry| entry.cell.get().map_or(0, |height| height.bytes());
        let mut bytes: usize = self.heights.iter().map(bytes_of).sum();
        while self.heights.len() > 1 && (bytes > KEPT_BYTES_MAX || self.heights.len() > KEPT_HEIGHTS_MAX) {
            let Some(oldest) = self.heights.pop_front() else { return };
            bytes -= bytes_of(&oldest).min(bytes);
        }
    }
}

impl Reading {
    /// Begins at a height.
    fn from(logged: &LoggedEngine, height: u64) -> Result<Reading, Refusal> {
        let records = logged.log().records(height).map_err(|error| unread(&error))?;
        Ok(Reading { next: height, records })
    }

    /// Reads the next height, which is durable, and some behind it, but none above `durable`. They are looked through for an audience.
    fn read(
        mut self,
        logged: &LoggedEngine,
        whole: bool,
        durable: u64,
        audience: &Audience,
    ) -> Result<(Reading, VecDeque<Arc<Height>>), Refusal> {
        let (mut bytes, mut heights) = (0, VecDeque::new());
        while bytes < READ_AHEAD_BYTES
            && heights.len() < READ_AHEAD_HEIGHTS
            && (heights.is_empty() || self.next <= durable)
        {
            let Some(located) = self.records.next() else { break };
            let Record::Input(input) = located.map_err(|error| unread(&error))?.record else { continue };
            let batch = Batch::decode(input.batch);
            let batch = batch.map_err(|error| Refusal::unreadable(format_args!("the log: {error}")))?;
            let left = whole.then(|| kept(logged, batch.height())).transpose()?;
            let height = Height::of(batch, left, audience);
            self.next = height.number() + 1;
            bytes += height.bytes();
            heights.push_back(Arc::new(height));
        }
        Ok((self, heights))
    }
}

/// Encoded receipts and write set of a height.
pub(super) fn kept(logged: &LoggedEngine, height: u64) -> Result<ReceiptsAndWrites, Refusal> {
    let earliest = || logged.receipt_heights().map(|heights| *heights.start());
    let kept = logged.receipts(height).map_err(|error| unread(&error))?;
    kept.ok_or_else(|| Refusal::below_retention(height, earliest()))
}

fn unread(error: &LogError) -> Refusal {
    match error {
        LogError::BelowRetention { height, earliest } => Refusal::below_retention(*height, Some(*earliest)),
        // The rest names files: for the operator, who has it from `phalanx log verify`.
        _ => Refusal::unreadable("the log or its receipts cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_read_with_receipts_is_not_for_those_who_want_none() {
        let entry = |whole| Entry { number: 7, whole, cell: Cell::default() };
        assert!(entry(true).serves(7, true) && entry(false).serves(7, false));
        // Its receipts may be gone, and then its place must not be taken by a height without any.
        assert!(!entry(true).serves(7, false));
        assert!(!entry(false).serves(7, true) && !entry(true).serves(8, true));
    }
}
