//! Executes the batches of a run again, serially or by the oracle, and compares everything.
//!
//! A height's digest commits to all its receipts and writes, so the run keeps three roots and a digest a height, whatever its
//! size. Where one differs, that height is executed once more as the run did it, to find the first call and key.

use crate::BenchError;
use crate::ledger::Execution;
use crate::measure::Sealed;
use crate::progress::Progress;
use crate::report::hex;
use crate::workload::Workload;
use clap::ValueEnum;
use phalanx_engine::{
    Address, BatchBytes, Digest, Engine, EngineError, Executed, HashSeed, Mode, Options, Oracle, OracleOutcome,
    Receipts, WriteSet,
};

/// What a run is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckBy {
    /// The serial loop.
    Serial,
    /// A plain executor of its own.
    Oracle,
}

impl CheckBy {
    /// As it is reported: `serial` or `oracle`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            CheckBy::Serial => "serial",
            CheckBy::Oracle => "oracle",
        }
    }

    /// Who that is, for people.
    pub(crate) fn who(self) -> &'static str {
        match self {
            CheckBy::Serial => "the serial loop",
            CheckBy::Oracle => "the oracle",
        }
    }
}

/// What differs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// For people: height, call, key, and both sides.
    pub(crate) text: String,
}

/// Who executes the batches again.
enum Referee {
    Serial(Box<Engine>),
    Oracle(Box<Oracle>),
}

/// What a batch came to there.
enum Expected {
    Serial(Box<Executed>),
    Oracle(OracleOutcome),
}

impl Referee {
    fn new(by: CheckBy) -> Self {
        // Another key than the run's: its tables have another order, which must not show.
        let options = Options { hash_seed: HashSeed::Fixed(2), mode: Mode::Serial, ..Options::default() };
        match by {
            CheckBy::Serial => Referee::Serial(Box::new(Engine::new(options))),
            CheckBy::Oracle => Referee::Oracle(Box::default()),
        }
    }

    fn execute(&mut self, batch: BatchBytes) -> Result<Expected, EngineError> {
        Ok(match self {
            Referee::Serial(engine) => {
                Expected::Serial(Box::new(engine.execute_batch(batch).and_then(|executed| engine.commit(executed))?))
            }
            Referee::Oracle(oracle) => Expected::Oracle(oracle.execute_batch(batch)?),
        })
    }

    fn state_digest(&self) -> Digest {
        match self {
            Referee::Serial(engine) => engine.state_digest(),
            Referee::Oracle(oracle) => oracle.state_digest(),
        }
    }
}

impl Expected {
    fn sealed(&self) -> Sealed {
        match self {
            Expected::Serial(executed) => Sealed::of(executed),
            Expected::Oracle(outcome) => Sealed { roots: outcome.roots, digest: outcome.digest },
        }
    }

    fn results(&self) -> Results<'_> {
        match self {
            Expected::Serial(executed) => (executed.receipts(), executed.write_set()),
            Expected::Oracle(outcome) => (Receipts::new(&outcome.receipts), WriteSet::new(&outcome.writes)),
        }
    }
}

/// A run that is checked.
pub(crate) struct Run<'a> {
    pub(crate) workload: &'a dyn Workload,
    /// How it executed.
    pub(crate) execution: Execution,
    /// What its heights came to, from 1 on.
    pub(crate) sealed: &'a [Sealed],
    pub(crate) state_digest: &'a Digest,
}

impl Run<'_> {
    /// Executes all heights again and answers what differs.
    ///
    /// # Errors
    /// Only if a batch cannot be executed at all; what differs is an answer.
    pub(crate) fn check(&self, by: CheckBy, progress: &dyn Progress) -> Result<Option<Mismatch>, BenchError> {
        let stage = match by {
            CheckBy::Serial => "checking with the serial loop",
            CheckBy::Oracle => "checking with the oracle",
        };
        progress.begin(stage, self.sealed.len() as u64);
        let found = self.compare(by, progress);
        progress.end();
        found
    }

    fn compare(&self, by: CheckBy, progress: &dyn Progress) -> Result<Option<Mismatch>, BenchError> {
        let mut referee = Referee::new(by);
        for (height, run) in (1..).zip(self.sealed) {
            let batch = self.workload.batch(height)?;
            let expected = referee.execute(batch.clone())?;
            if expected.sealed() != *run {
                return self.locate(by, (height, batch), run, &expected).map(Some);
            }
            progress.advance(1);
        }
        let (ours, theirs) = (self.state_digest, referee.state_digest());
        Ok((theirs != *ours)
            .then(|| Mismatch { text: format!("state digest: {}, {} has {}", hex(ours), by.who(), hex(&theirs)) }))
    }

    /// Executes up to a height once more, as the run did it, to have its receipts and writes at hand.
    fn locate(
        &self,
        by: CheckBy,
        (height, batch): (u64, BatchBytes),
        run: &Sealed,
        expected: &Expected,
    ) -> Result<Mismatch, BenchError> {
        let Execution { workers, mode, .. } = self.execution;
        let engine = Engine::new(Options { hash_seed: HashSeed::Fixed(1), workers, mode, ..Options::default() });
        for before in 1..height {
            engine.commit(engine.execute_batch(self.workload.batch(before)?)?)?;
        }
        let again = engine.execute_batch(batch)?;
        let who = by.who();
        let difference = first_difference(who, (again.receipts(), again.write_set()), expected.results());
        let text = match difference {
            Some(difference) => format!("height {height}, {difference}"),
            None => format!(
                "height {height}: digest {}, {who} has {}; executed once more, the height came out as there, so a result \
                 depends on something else than its input",
                hex(&run.digest),
                hex(&expected.sealed().digest)
            ),
        };
        Ok(Mismatch { text })
    }
}

type Results<'a> = (Receipts<'a>, WriteSet<'a>);

/// The first call whose receipt differs, or the first key whose write does; calls come first, by index.
fn first_difference(who: &str, run: Results<'_>, expected: Results<'_>) -> Option<String> {
    let writes = first_write(who, run.1, expected.1);
    let receipt = first_receipt(who, run.0, expected.0);
    match (receipt, writes) {
        (Some((call, text)), Some((write_call, key))) if write_call <= call => Some(format!("{text}; {key}")),
        (Some((_, text)), _) => Some(text),
        (None, Some((_, key))) => Some(key),
        (None, None) => None,
    }
}

fn first_receipt(who: &str, run: Receipts<'_>, expected: Receipts<'_>) -> Option<(u32, String)> {
    let (mut run, mut expected) = (run, expected);
    for call in 0.. {
        let (ours, theirs) = (run.next(), expected.next());
        if ours == theirs {
            ours?;
            continue;
        }
        let show = |receipt: Option<phalanx_engine::Receipt<'_>>| match receipt {
            Some(receipt) => {
                format!("{} with {} gas, {}", receipt.outcome().name(), receipt.gas_used(), hex(receipt.record()))
            }
            None => "no receipt".to_owned(),
        };
        return Some((call, format!("call {call}: {}; {who}: {}", show(ours), show(theirs))));
    }
    None
}

/// Call, contract if it is not the called one, key, and the value unless the key was removed.
type Write = (u32, Option<Address>, Vec<u8>, Option<Vec<u8>>);

fn first_write(who: &str, run: WriteSet<'_>, expected: WriteSet<'_>) -> Option<(u32, String)> {
    let (mut run, mut expected) = (run, expected);
    loop {
        let (ours, theirs) = (run.next(), expected.next());
        let parts = |item: &phalanx_engine::WriteItem<'_>| {
            (item.call(), item.contract().copied(), item.key().to_vec(), item.value().map(<[u8]>::to_vec))
        };
        let (ours, theirs) = (ours.map(|item| parts(&item)), theirs.map(|item| parts(&item)));
        if ours == theirs {
            ours?;
            continue;
        }
        let (call, _, key, _) = ours.clone().min(theirs.clone()).or(ours.clone()).or(theirs.clone())?;
        let show = |item: Option<Write>| match item {
            Some((call, _, key, Some(value))) => {
                format!("key {} = {}, last written by call {call}", hex(&key), hex(&value))
            }
            Some((call, _, key, None)) => format!("key {} removed, last by call {call}", hex(&key)),
            None => "no further write".to_owned(),
        };
        return Some((call, format!("key {}: {}; {who}: {}", hex(&key), show(ours), show(theirs))));
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckBy, Run, first_difference};
    use crate::ledger::{Execution, Placement};
    use crate::measure::{Measured, Sealed, measure};
    use crate::progress::Silent;
    use crate::workload::{Shape, Token, Workload};
    use phalanx_engine::{Digest, Executed, HashSeed, Mode, Options, Receipts, WriteSet};

    const SERIAL: Execution = Execution { workers: 1, mode: Mode::Serial, explain: false, equivalence: None };

    fn token() -> Token {
        Token::new(Shape { accounts: 10, calls: 60, batch_size: 20, skew: 0.0, seed: 5 }).unwrap()
    }

    /// Runs, and changes what it came to by one bit each.
    fn equal_runs_match_and_each_other_digest_is_found(execution: Execution, by: CheckBy) {
        let token = token();
        let Measured { ledger, sealed, .. } = measure(&token, &Placement::Dropped, execution, &Silent).unwrap();
        let state = ledger.engine.engine().state_digest();
        let check = |sealed: &[Sealed], state_digest: &Digest| {
            let run = Run { workload: &token, execution, sealed, state_digest };
            run.check(by, &Silent).unwrap().map(|mismatch| mismatch.text)
        };
        assert_eq!(check(&sealed, &state), None);

        let mut wrong_state = state;
        wrong_state[31] ^= 1;
        let found = check(&sealed, &wrong_state).expect("the state differs");
        assert!(found.starts_with("state digest: 0x") && found.contains(by.who()), "{found}");

        let mut wrong = sealed;
        wrong[3].roots.receipts[0] ^= 1;
        let found = check(&wrong, &state).expect("a root differs");
        assert!(found.starts_with("height 4: digest") && found.contains("executed once more"), "{found}");
    }

    #[test]
    fn a_serial_run_is_compared_with_the_oracle() {
        equal_runs_match_and_each_other_digest_is_found(SERIAL, CheckBy::Oracle);
    }

    #[test]
    fn a_parallel_run_is_compared_with_the_serial_loop() {
        let parallel = Execution { workers: 2, mode: Mode::Optimistic, explain: false, equivalence: None };
        equal_runs_match_and_each_other_digest_is_found(parallel, CheckBy::Serial);
    }

    fn executed(token: &Token) -> Executed {
        let engine = phalanx_engine::Engine::new(Options { hash_seed: HashSeed::Fixed(1), ..Options::default() });
        for height in 1..=token.set_up_batches() {
            engine.commit(engine.execute_batch(token.batch(height).unwrap()).unwrap()).unwrap();
        }
        engine.execute_batch(token.batch(token.set_up_batches() + 1).unwrap()).unwrap()
    }

    #[test]
    fn the_first_call_and_key_are_named() {
        let executed = executed(&token());
        let (receipts, writes) = (executed.receipts(), executed.write_set());
        assert_eq!(first_difference("the oracle", (receipts, writes), (receipts, writes)), None);

        // The outcome of call 2, whatever it was, becomes out of gas.
        let mut other = receipts.bytes().into_owned();
        let start: usize = receipts.take(2).map(|receipt| receipt.record().len()).sum();
        other[start + 8] = 6;
        let found = first_difference("the oracle", (receipts, writes), (Receipts::new(&other), writes))
            .expect("a receipt differs");
        assert!(found.starts_with("call 2: ") && found.contains("the oracle: out_of_gas"), "{found}");

        // The last byte is that of the last value.
        let mut other = writes.bytes().into_owned();
        *other.last_mut().unwrap() ^= 1;
        let last = writes.last().unwrap();
        let found = first_difference("the oracle", (receipts, writes), (receipts, WriteSet::new(&other)))
            .expect("a write differs");
        assert!(found.starts_with(&format!("key {}", crate::report::hex(last.key()))), "{found}");
    }

    #[test]
    fn a_side_that_ends_early_differs() {
        let executed = executed(&token());
        let (receipts, writes) = (executed.receipts(), executed.write_set());
        let none = (Receipts::new(&[]), WriteSet::new(&[]));
        let found = first_difference("the oracle", (receipts, writes), none).expect("everything is missing");
        assert!(found.starts_with("call 0: ") && found.contains("the oracle: no receipt"), "{found}");
    }
}
