//! What the receipts of an answer say, and whether it is what they must.

use phalanx_engine::Outcome;
use phalanx_proto::v1;

pub(super) const OUTCOMES: usize = Outcome::ALL.len();
/// Bytes of a canonical receipt's header: length u32, gas used u32, outcome u8, events u8.
const HEADER_BYTES: usize = 10;

/// What answers of a submission are held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) calls: u32,
    pub(super) acknowledgement: i32,
}

/// What an answer says.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// Receipts by the code of their outcome.
    pub(super) outcomes: [u32; OUTCOMES],
    pub(super) receipts: u32,
    pub(super) gas: u64,
    /// Height and index of the first call.
    first: (u64, u32),
    /// The first thing that is not as it must be.
    pub(super) problem: Option<String>,
}

impl Told {
    fn new(first: Option<v1::CallPosition>) -> Told {
        let place = first.unwrap_or_default();
        let problem = first.is_none().then(|| "an answer has no position".to_owned());
        Told { outcomes: [0; OUTCOMES], receipts: 0, gas: 0, first: (place.height, place.index), problem }
    }

    /// Of many calls.
    pub(super) fn of_submission(answer: Option<v1::SubmissionReceipts>, expected: Expected) -> Told {
        let answer = answer.unwrap_or_default();
        let mut told = Told::new(answer.first);
        for receipt in &answer.receipts {
            told.take(receipt.outcome, receipt.gas_used);
        }
        told.take_canonical(&answer.canonical_receipts);
        told.compare(answer.calls, answer.acknowledgement, answer.repeated, expected);
        told
    }

    /// Of one call.
    pub(super) fn of_call(answer: &v1::SubmitResponse, expected: Expected) -> Told {
        let mut told = Told::new(answer.position);
        if let Some(receipt) = &answer.receipt {
            told.take(receipt.outcome, receipt.gas_used);
        }
        told.compare(1, answer.acknowledgement, answer.repeated, expected);
        told
    }

    fn complain(&mut self, problem: impl FnOnce() -> String) {
        self.problem.get_or_insert_with(problem);
    }

    fn take(&mut self, outcome: Option<i32>, gas: u64) {
        let index = self.receipts;
        self.receipts += 1;
        self.gas += gas;
        match outcome.and_then(|code| Outcome::from_code(code.try_into().ok()?)) {
            None => self.complain(|| format!("receipt {index} has an outcome that is not known here: {outcome:?}")),
            Some(outcome) => {
                self.outcomes[usize::from(outcome.code())] += 1;
                if outcome != Outcome::Ok {
                    self.complain(|| format!("a covered transfer, receipt {index}, is {}", outcome.name()));
                }
            }
        }
        if gas == 0 {
            self.complain(|| format!("receipt {index} says that no gas was used"));
        }
    }

    fn take_canonical(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let length = bytes.first_chunk().map_or(0, |length| u32::from_le_bytes(*length)) as usize;
            let Some((receipt, rest)) = bytes.split_at_checked(length).filter(|_| length >= HEADER_BYTES) else {
                let left = bytes.len();
                return self.complain(|| format!("canonical receipts end within one, with {left} bytes left"));
            };
            let gas = receipt[4..].first_chunk().map_or(0, |gas| u32::from_le_bytes(*gas));
            self.take(Some(receipt[8].into()), gas.into());
            bytes = rest;
        }
    }

    fn compare(&mut self, calls: u32, acknowledgement: i32, repeated: bool, expected: Expected) {
        let receipts = self.receipts;
        if (receipts, calls) != (expected.calls, expected.calls) {
            self.complain(|| format!("{receipts} receipts for {calls} of {} calls", expected.calls));
        }
        if acknowledgement != expected.acknowledgement {
            self.complain(|| format!("level {acknowledgement} was waited for, not {}", expected.acknowledgement));
        }
        if repeated {
            self.complain(|| "a submission that is new is said to have been executed before".to_owned());
        }
    }

    /// Whether every call succeeded.
    pub(super) fn is_success(&self) -> bool {
        self.problem.is_none()
    }
}

/// Where the calls of a stream, or of requests one after the other, stand: each behind those before.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: Option<(u64, u32)>,
}

impl Order {
    /// Takes an answer in, and notes in it if it is out of order.
    pub(super) fn check(&mut self, told: &mut Told) {
        let (first, last) = (told.first, self.last);
        if let Some(last) = last.filter(|last| first <= *last) {
            told.complain(|| {
                format!("height {} index {} comes behind height {} index {}", first.0, first.1, last.0, last.1)
            });
        }
        self.last = Some((first.0, first.1 + told.receipts.saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected = Expected { calls: 2, acknowledgement: 2 };

    fn canonical(outcomes: &[(u8, u32)]) -> Vec<u8> {
        let receipt = |(outcome, gas): &(u8, u32)| {
            let mut bytes = 13u32.to_le_bytes().to_vec();
            bytes.extend_from_slice(&gas.to_le_bytes());
            bytes.extend_from_slice(&[*outcome, 0, 7, 7, 7]);
            bytes
        };
        outcomes.iter().flat_map(receipt).collect()
    }

    fn answer(height: u64, canonical: Vec<u8>) -> v1::SubmissionReceipts {
        v1::SubmissionReceipts {
            first: Some(v1::CallPosition { height, index: 0 }),
            calls: 2,
            canonical_receipts: canonical.into(),
            acknowledgement: 2,
            ..v1::SubmissionReceipts::default()
        }
    }

    #[test]
    fn both_forms_of_receipts_say_the_same() {
        let told = Told::of_submission(Some(answer(3, canonical(&[(0, 5), (0, 6)]))), EXPECTED);
        assert_eq!((told.problem.as_deref(), told.outcomes[0], told.gas), (None, 2, 11));
        let receipt = |gas_used| v1::Receipt { outcome: Some(0), gas_used, ..v1::Receipt::default() };
        let messages = v1::SubmissionReceipts { receipts: vec![receipt(5), receipt(6)], ..answer(3, Vec::new()) };
        let same = Told::of_submission(Some(messages), EXPECTED);
        assert_eq!((same.problem, same.outcomes, same.gas), (told.problem, told.outcomes, told.gas));
    }

    #[test]
    fn what_is_not_as_it_must_be_is_named() {
        let good = || canonical(&[(0, 5), (0, 6)]);
        let cases = [
            (None, "no position"),
            (Some(answer(1, canonical(&[(0, 5), (1, 6)]))), "receipt 1, is reverted"),
            (Some(answer(1, canonical(&[(0, 5), (0, 0)]))), "receipt 1 says that no gas was used"),
            (Some(answer(1, canonical(&[(0, 5), (99, 1)]))), "not known here"),
            (Some(answer(1, canonical(&[(0, 5)]))), "1 receipts for 2 of 2 calls"),
            (Some(answer(1, good()[..20].to_vec())), "with 7 bytes left"),
            (Some(answer(1, vec![0; 30])), "with 30 bytes left"),
            (Some(v1::SubmissionReceipts { acknowledgement: 1, ..answer(1, good()) }), "level 1 was waited for, not 2"),
            (Some(v1::SubmissionReceipts { repeated: true, ..answer(1, good()) }), "executed before"),
        ];
        for (answer, expected) in cases {
            let problem = Told::of_submission(answer, EXPECTED).problem.expect("there is one");
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn answers_follow_one_another() {
        let mut order = Order::default();
        let mut told = |height, index| {
            let first = Some(v1::CallPosition { height, index });
            let answer = v1::SubmissionReceipts { first, ..answer(height, canonical(&[(0, 1), (0, 1)])) };
            let mut told = Told::of_submission(Some(answer), EXPECTED);
            order.check(&mut told);
            told.problem
        };
        assert_eq!([told(3, 0), told(3, 2), told(5, 0)], [None, None, None]);
        assert!(told(5, 1).is_some_and(|problem| problem.contains("height 5 index 1 comes behind height 5 index 1")));
        assert!(told(4, 7).is_some());
    }
}
