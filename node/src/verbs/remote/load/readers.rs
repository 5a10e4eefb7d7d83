//! Readers of the history, each with its filter and its cursor.

use foldhash::fast::RandomState;
use phalanx_client::{CanonicalCall, Client, ClientError, canonical_calls, v1};
use phalanx_engine::{Address, Outcome};
use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tonic::Streaming;

use super::arguments::ReceiptsAsked;
use super::beside::Phase;
use super::latency::Latencies;
use super::plan::Plan;

/// What a reader read.
pub(super) struct Read {
    /// Calls that came.
    pub(super) calls: u64,
    /// How often the node cut it off as too slow.
    pub(super) cut_off: u64,
    /// From the cut of a batch to its arrival, by the clocks of both.
    pub(super) ages: Latencies,
    /// The first thing that is not as it must be.
    pub(super) problem: Option<String>,
}

/// A subscriber.
pub(super) struct Reader {
    client: Client,
    request: v1::SubscribeRequest,
    /// The first bytes of each, which tell accounts apart: their addresses are hashes. A hundred readers' whole addresses would not
    /// fit into a core's cache.
    senders: HashSet<[u8; 8], RandomState>,
    messages: Streaming<v1::SubscribeResponse>,
    /// Where the next message begins.
    next: v1::Cursor,
    /// How long it reads nothing, and when, from the start of the clock.
    pause: Option<(Duration, Duration)>,
    read: Read,
}

/// The accounts whose calls a reader asks for: those behind the reader's before, and the first ones behind the last.
pub(super) fn accounts_of(number: u32, senders: u32, accounts: u64) -> impl Iterator<Item = u64> {
    let first = u64::from(number) * u64::from(senders);
    (first..first + u64::from(senders)).map(move |index| index % accounts)
}

impl Reader {
    pub(super) async fn subscribe(
        client: Client,
        plan: &Plan,
        number: u32,
        contract: Address,
        from: u64,
    ) -> Result<Reader, ClientError> {
        let all = plan.reader_senders.is_none();
        let accounts = plan.reader_senders.map(|senders| accounts_of(number, senders, plan.accounts.count()));
        let senders: Vec<Address> = accounts.into_iter().flatten().map(|index| plan.accounts.address(index)).collect();
        let next = v1::Cursor { height: from, index: 0 };
        let filter = v1::CallFilter {
            contracts: vec![contract.to_vec().into()],
            senders: senders.iter().map(|sender| sender.to_vec().into()).collect(),
            methods: Vec::new(),
        };
        let request = v1::SubscribeRequest {
            from: Some(next),
            filter: Some(filter),
            include_calls: true,
            include_receipts: true,
            include_writes: all,
            canonical: plan.receipts == ReceiptsAsked::Canonical,
        };
        let messages = client.subscribe(request.clone()).await?;
        let pause = plan.reader_pause.map(|pause| (pause, plan.duration / 3));
        let read = Read { calls: 0, cut_off: 0, ages: Latencies::new(), problem: None };
        let senders = senders.iter().filter_map(|sender| sender.first_chunk().copied()).collect();
        Ok(Reader { client, request, senders, messages, next, pause, read })
    }

    /// Reads until the last height is read, or nobody waits for it any longer.
    pub(super) async fn drive(mut self, mut phases: watch::Receiver<Phase>) -> Read {
        let began = Instant::now();
        while self.read.problem.is_none() {
            if let Some((pause, _)) = self.pause.take_if(|(_, at)| began.elapsed() >= *at) {
                tokio::select! {
                    () = sleep(pause) => {}
                    _ = phases.wait_for(|phase| *phase == Phase::Over) => {}
                }
            }
            let next = self.next.height;
            let is_done = |phase: &Phase| match phase {
                Phase::SetUp | Phase::Running => false,
                Phase::Last(height) => next > *height,
                Phase::Over => true,
            };
            tokio::select! {
                // The sender goes away only if nobody waits.
                phase = phases.wait_for(is_done) => {
                    if phase.map_or(true, |phase| *phase == Phase::Over) {
                        self.read.problem = Some(format!("a reader had read up to height {next} when it was waited for no longer"));
                    }
                    break;
                }
                message = self.messages.message() => match message {
                    Ok(Some(message)) => self.take(&message),
                    Ok(None) => self.read.problem = Some("the history ended".to_owned()),
                    Err(status) => self.go_on(status.into()).await,
                }
            }
        }
        self.read
    }

    /// Subscribes again from the cursor if the node has cut this off.
    async fn go_on(&mut self, error: ClientError) {
        let resumed = match &error {
            ClientError::Refused { reason, .. } if reason == "SLOW_READER" => {
                self.read.cut_off += 1;
                self.request.from = Some(self.next);
                self.client.subscribe(self.request.clone()).await
            }
            _ => Err(error),
        };
        match resumed {
            Ok(messages) => self.messages = messages,
            Err(error) => self.read.problem = Some(format!("a reader: {error}")),
        }
    }

    fn take(&mut self, message: &v1::SubscribeResponse) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.read.ages.record(now.saturating_sub(Duration::from_millis(message.time_ms)));
        let canonical = message.canonical.as_ref().map_or(0, |canonical| canonical.indexes.len());
        self.read.calls += (message.calls.len() + canonical) as u64;
        self.read.problem = self.check(message).err();
        self.next = message.next.unwrap_or_default();
    }

    /// Whether a message goes on where the one before ended, and has calls that were asked for, with what was asked for.
    fn check(&self, message: &v1::SubscribeResponse) -> Result<(), String> {
        let v1::Cursor { height, index } = self.next;
        let next = message.next.unwrap_or_default();
        let goes_on =
            (next.height, next.index > index) == (height, true) || (next.height, next.index) == (height + 1, 0);
        if message.height != height || !goes_on {
            return Err(format!(
                "a reader at height {height} index {index} was sent height {}, up to {next:?}",
                message.height
            ));
        }
        let mut expected = index;
        for call in &message.calls {
            let sender = call.call.as_ref().map(|call| &call.sender[..]);
            let outcome = call.receipt.as_ref().and_then(|receipt| receipt.outcome);
            self.check_call((height, call.index), &mut expected, sender, outcome)?;
        }
        for call in message.canonical.iter().flat_map(canonical_calls) {
            let CanonicalCall { index, call, receipt } =
                call.map_err(|error| format!("by a reader, height {height}: {error}"))?;
            let (sender, outcome) = (call.map(|call| call.sender), receipt.map(|receipt| receipt.outcome.into()));
            self.check_call((height, index), &mut expected, sender, outcome)?;
        }
        Ok(())
    }

    /// Whether a call was asked for and succeeded. `expected`: the lowest index that it may have.
    fn check_call(
        &self,
        (height, index): (u64, u32),
        expected: &mut u32,
        sender: Option<&[u8]>,
        outcome: Option<i32>,
    ) -> Result<(), String> {
        let place = format_args!("height {height} index {index}");
        let Some(sender) = sender.filter(|_| index >= *expected) else {
            return Err(format!("a reader was sent {place} out of order, or without its call"));
        };
        if !self.senders.is_empty() && !sender.first_chunk().is_some_and(|first| self.senders.contains(first)) {
            return Err(format!("a reader was sent {place}, which it did not ask for"));
        }
        if outcome != Some(Outcome::Ok.code().into()) {
            return Err(format!("by a reader, {place} has the outcome {outcome:?}"));
        }
        *expected = index + 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_ask_for_others_as_long_as_there_are_some() {
        let of = |number| accounts_of(number, 3, 8).collect::<Vec<_>>();
        assert_eq!([of(0), of(1), of(2)], [[0, 1, 2], [3, 4, 5], [6, 7, 0]]);
    }
}
