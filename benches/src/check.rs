//! Executes the batches of a run again, by the oracle, and compares everything.
//!
//! A height's digest commits to all its receipts and writes, so the run keeps three roots and a digest a height, whatever its
//! size. Where one differs, that height is executed once more to find the first call and key.

use crate::BenchError;
use crate::measure::Sealed;
use crate::progress::Progress;
use crate::report::hex;
use crate::workload::Workload;
use phalanx_engine::{
    Address, BatchBytes, Digest, Engine, HashSeed, Options, Oracle, OracleOutcome, Receipts, WriteSet,
};

/// What differs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// For people: height, call, key, and both sides.
    pub(crate) text: String,
}

/// Executes all heights of `sealed` by the oracle. `state_digest` is the run's.
///
/// # Errors
/// Only if a batch cannot be executed at all; what differs is an answer.
pub(crate) fn by_oracle(
    workload: &dyn Workload,
    sealed: &[Sealed],
    state_digest: &Digest,
    progress: &dyn Progress,
) -> Result<Option<Mismatch>, BenchError> {
    progress.begin("checking with the oracle", sealed.len() as u64);
    let mut oracle = Oracle::new();
    for (height, run) in (1..).zip(sealed) {
        let batch = workload.batch(height)?;
        let expected = oracle.execute_batch(batch.clone())?;
        if expected.digest != run.digest || expected.roots != run.roots {
            progress.end();
            return locate(workload, height, &batch, run, &expected).map(Some);
        }
        progress.advance(1);
    }
    progress.end();
    let expected = oracle.state_digest();
    Ok((expected != *state_digest)
        .then(|| Mismatch { text: format!("state digest: {}, the oracle has {}", hex(state_digest), hex(&expected)) }))
}

/// Executes up to `height` once more, to have its receipts and writes at hand.
fn locate(
    workload: &dyn Workload,
    height: u64,
    batch: &BatchBytes,
    run: &Sealed,
    expected: &OracleOutcome,
) -> Result<Mismatch, BenchError> {
    let engine = Engine::new(Options { hash_seed: HashSeed::Fixed(1), ..Options::default() });
    for before in 1..height {
        engine.commit(engine.execute_batch(workload.batch(before)?)?)?;
    }
    let again = engine.execute_batch(batch.clone())?;
    let difference = first_difference(
        (again.receipts(), again.write_set()),
        (Receipts::new(&expected.receipts), WriteSet::new(&expected.writes)),
    );
    let text = match difference {
        Some(difference) => format!("height {height}, {difference}"),
        None => format!(
            "height {height}: digest {}, the oracle has {}; executed once more, the height came out as the oracle's, so a \
             result depends on something else than its input",
            hex(&run.digest),
            hex(&expected.digest)
        ),
    };
    Ok(Mismatch { text })
}

type Results<'a> = (Receipts<'a>, WriteSet<'a>);

/// The first call whose receipt differs, or the first key whose write does; calls come first, by index.
fn first_difference(run: Results<'_>, oracle: Results<'_>) -> Option<String> {
    let writes = first_write(run.1, oracle.1);
    let receipt = first_receipt(run.0, oracle.0);
    match (receipt, writes) {
        (Some((call, text)), Some((write_call, key))) if write_call <= call => Some(format!("{text}; {key}")),
        (Some((_, text)), _) => Some(text),
        (None, Some((_, key))) => Some(key),
        (None, None) => None,
    }
}

fn first_receipt(run: Receipts<'_>, oracle: Receipts<'_>) -> Option<(u32, String)> {
    let (mut run, mut oracle) = (run, oracle);
    for call in 0.. {
        let (ours, theirs) = (run.next(), oracle.next());
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
        return Some((call, format!("call {call}: {}; the oracle: {}", show(ours), show(theirs))));
    }
    None
}

/// Call, contract if it is not the called one, key, and the value unless the key was removed.
type Write = (u32, Option<Address>, Vec<u8>, Option<Vec<u8>>);

fn first_write(run: WriteSet<'_>, oracle: WriteSet<'_>) -> Option<(u32, String)> {
    let (mut run, mut oracle) = (run, oracle);
    loop {
        let (ours, theirs) = (run.next(), oracle.next());
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
        return Some((call, format!("key {}: {}; the oracle: {}", hex(&key), show(ours), show(theirs))));
    }
}

#[cfg(test)]
mod tests {
    use super::{by_oracle, first_difference};
    use crate::ledger::{Execution, Placement};
    use crate::measure::{Measured, measure};
    use crate::progress::Silent;
    use crate::workload::{Shape, Token, Workload};
    use phalanx_engine::{Executed, HashSeed, Options, Receipts, WriteSet};

    const SERIAL: Execution = Execution { workers: 1, mode: phalanx_engine::Mode::Serial };

    fn token() -> Token {
        Token::new(Shape { accounts: 10, calls: 60, batch_size: 20, skew: 0.0, seed: 5 }).unwrap()
    }

    #[test]
    fn equal_runs_match_and_each_other_digest_is_found() {
        let token = token();
        let Measured { ledger, sealed, .. } = measure(&token, &Placement::Dropped, SERIAL, &Silent).unwrap();
        let state = ledger.engine.engine().state_digest();
        assert_eq!(by_oracle(&token, &sealed, &state, &Silent).unwrap(), None);

        let mut wrong_state = state;
        wrong_state[31] ^= 1;
        let found = by_oracle(&token, &sealed, &wrong_state, &Silent).unwrap().expect("the state differs");
        assert!(found.text.starts_with("state digest: 0x"), "{}", found.text);

        let mut wrong = sealed;
        wrong[3].roots.receipts[0] ^= 1;
        let found = by_oracle(&token, &wrong, &state, &Silent).unwrap().expect("a root differs");
        assert!(
            found.text.starts_with("height 4: digest") && found.text.contains("executed once more"),
            "{}",
            found.text
        );
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
        assert_eq!(first_difference((receipts, writes), (receipts, writes)), None);

        // The outcome of call 2, whatever it was, becomes out of gas.
        let mut other = receipts.bytes().into_owned();
        let start: usize = receipts.take(2).map(|receipt| receipt.record().len()).sum();
        other[start + 8] = 6;
        let found = first_difference((receipts, writes), (Receipts::new(&other), writes)).expect("a receipt differs");
        assert!(found.starts_with("call 2: ") && found.contains("the oracle: out_of_gas"), "{found}");

        // The last byte is that of the last value.
        let mut other = writes.bytes().into_owned();
        *other.last_mut().unwrap() ^= 1;
        let last = writes.last().unwrap();
        let found = first_difference((receipts, writes), (receipts, WriteSet::new(&other))).expect("a write differs");
        assert!(found.starts_with(&format!("key {}", crate::report::hex(last.key()))), "{found}");
    }

    #[test]
    fn a_side_that_ends_early_differs() {
        let executed = executed(&token());
        let (receipts, writes) = (executed.receipts(), executed.write_set());
        let none = (Receipts::new(&[]), WriteSet::new(&[]));
        let found = first_difference((receipts, writes), none).expect("everything is missing");
        assert!(found.starts_with("call 0: ") && found.contains("the oracle: no receipt"), "{found}");
    }
}
