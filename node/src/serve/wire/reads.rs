//! What calls read, on its way out.

use phalanx_engine::{Answer, Delta, Dependency, Operator, Read};
use phalanx_proto::v1;
use phalanx_proto::v1::read::Seen;

use super::copied;

/// A read.
pub(super) fn read(read: &Read) -> v1::Read {
    let optional = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(copied);
    let seen = match &read.what {
        Dependency::Value(value) => Seen::Value(v1::SeenValue { value: optional(value) }),
        Dependency::Presence(present) => Seen::Presence(v1::SeenPresence { present: *present }),
        Dependency::Answers(answers) => {
            Seen::Answers(v1::SeenAnswers { answers: answers.iter().map(answer).collect() })
        }
        Dependency::Range { end, descending, last } => {
            Seen::Range(v1::SeenRange { end: optional(end), descending: *descending, last: optional(last) })
        }
    };
    v1::Read { contract: copied(&read.contract), key: copied(&read.key), seen: Some(seen) }
}

fn answer((delta, answer): &(Delta, Answer)) -> v1::DeltaAnswer {
    let operator = match delta.operator {
        Operator::Add => v1::DeltaOperator::Add,
        Operator::Sub => v1::DeltaOperator::Sub,
        Operator::Max => v1::DeltaOperator::Max,
    };
    let integer = |value: u128| copied(&value.to_le_bytes());
    v1::DeltaAnswer {
        operator: operator.into(),
        magnitude: integer(delta.magnitude),
        low: integer(delta.low),
        high: integer(delta.high),
        applied: *answer == Answer::Applied,
        wrong_length: *answer == Answer::WrongLength,
    }
}
