//! Why something was not done: the status that a client sees, with the details that programs read.

use phalanx_engine::BatchError;
use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::{limits, telemetry};

/// What `ErrorInfo.domain` says.
const DOMAIN: &str = "phalanx";

/// When a client does better to ask again, where nothing else is known.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// A request that is not fulfilled.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    code: Code,
    /// What programs tell refusals apart by: stable, in capitals.
    reason: &'static str,
    message: String,
    /// The request's field that is wrong, as a path.
    field: Option<String>,
    metadata: Vec<(&'static str, String)>,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(code: Code, reason: &'static str, message: impl Display) -> Refusal {
        let message = message.to_string();
        Refusal { code, reason, message, field: None, metadata: Vec::new(), retry_after: None }
    }

    fn with(mut self, key: &'static str, value: impl Display) -> Refusal {
        self.metadata.push((key, value.to_string()));
        self
    }

    /// A field that is missing, or does not have the form that it must.
    pub(crate) fn malformed(field: impl Display, what: impl Display) -> Refusal {
        let refusal = Refusal::new(Code::InvalidArgument, "MALFORMED", format_args!("{field}: {what}"));
        Refusal { field: Some(field.to_string()), ..refusal }
    }

    /// Bytes of the wrong length.
    pub(crate) fn length(field: impl Display, actual: usize, expected: usize) -> Refusal {
        Refusal::malformed(field, format_args!("{actual} bytes, it has {expected}"))
    }

    /// A limit that a field passes.
    pub(crate) fn limit(field: impl Display, limit: &str, actual: u64, max: u64) -> Refusal {
        let message = format_args!("{field}: {limit}: {actual} is above the limit of {max}").to_string();
        let refusal = Refusal::new(Code::InvalidArgument, "LIMIT_EXCEEDED", message);
        Refusal { field: Some(field.to_string()), ..refusal }
            .with("limit", limit)
            .with("actual", actual)
            .with("max", max)
    }

    /// An answer that would be too large.
    pub(crate) fn too_much(limit: &'static str, message: impl Display, max: u64) -> Refusal {
        Refusal::new(Code::OutOfRange, "LIMIT_EXCEEDED", message).with("limit", limit).with("max", max)
    }

    /// Calls that no batch can hold.
    pub(crate) fn of_batch(field: &str, error: &BatchError) -> Refusal {
        match error {
            BatchError::LimitExceeded { name, actual, limit } => {
                Refusal::limit(field, limits::of_batch(name), *actual, *limit)
            }
            other => Refusal::malformed(field, other),
        }
    }

    /// The queue holds what it may.
    pub(crate) fn queue_full(bytes: u64, max: u64, wait: Duration) -> Refusal {
        let message = format_args!("the queue holds {bytes} of {max} bytes").to_string();
        let refusal = Refusal::new(Code::ResourceExhausted, "QUEUE_FULL", message);
        Refusal { retry_after: Some(wait.max(RETRY_AFTER)), ..refusal }
            .with("limit", "queue_bytes")
            .with("actual", bytes)
            .with("max", max)
    }

    /// There is no place for another session, and none for long.
    pub(crate) fn no_session(max: u64) -> Refusal {
        let refusal = Refusal::exhausted("sessions", max);
        Refusal { retry_after: None, ..refusal }
    }

    /// Something else of which there may be so many.
    pub(crate) fn exhausted(limit: &'static str, max: u64) -> Refusal {
        let refusal =
            Refusal::new(Code::ResourceExhausted, "LIMIT_EXCEEDED", format_args!("{limit}: {max} are in use"));
        Refusal { retry_after: Some(RETRY_AFTER), ..refusal }.with("limit", limit).with("max", max)
    }

    /// The deadline passed before the call was ordered.
    pub(crate) fn deadline_passed() -> Refusal {
        Refusal::new(
            Code::DeadlineExceeded,
            "DEADLINE_BEFORE_ORDER",
            "not ordered: the deadline passed before its turn came",
        )
    }

    /// The deadline would pass before the call is ordered.
    pub(crate) fn deadline(wait: Duration) -> Refusal {
        let message = format_args!("not ordered: its turn comes in about {} ms", wait.as_millis()).to_string();
        Refusal::new(Code::DeadlineExceeded, "DEADLINE_BEFORE_ORDER", message).with("wait_ms", wait.as_millis())
    }

    /// An id or a sequence that was used for something else.
    pub(crate) fn reused(reason: &'static str, what: impl Display, height: u64, index: u32) -> Refusal {
        let message =
            format_args!("{what} was executed with another body, at height {height}, index {index}").to_string();
        Refusal::new(Code::AlreadyExists, reason, message).with("height", height).with("index", index)
    }

    /// A sequence that does not come next.
    pub(crate) fn sequence_gap(sequence: u64, next: u64) -> Refusal {
        let message = format_args!("sequence {sequence} does not come next in its session, {next} does").to_string();
        Refusal::new(Code::FailedPrecondition, "SEQUENCE_GAP", message).with("actual", sequence).with("next", next)
    }

    /// A sequence that was executed, and whose answer is no longer known.
    pub(crate) fn answer_forgotten(sequence: u64, earliest: u64) -> Refusal {
        let message = format_args!("sequence {sequence} was executed; answers are kept from {earliest} on").to_string();
        Refusal::new(Code::OutOfRange, "ANSWER_FORGOTTEN", message).with("earliest", earliest)
    }

    /// Something that is not there.
    pub(crate) fn not_found(reason: &'static str, message: impl Display) -> Refusal {
        Refusal::new(Code::NotFound, reason, message)
    }

    /// A height whose state is not there to be asked.
    pub(crate) fn height_not_kept(height: u64, earliest: u64, latest: u64) -> Refusal {
        let message =
            format_args!("height: the state of height {height} is not kept, those of {earliest} to {latest} are");
        let refusal = Refusal::new(Code::OutOfRange, "HEIGHT_NOT_KEPT", message);
        Refusal { field: Some("height".to_owned()), ..refusal }.with("earliest", earliest).with("latest", latest)
    }

    /// A height that is no longer kept.
    pub(crate) fn below_retention(height: u64, earliest: Option<u64>) -> Refusal {
        let refusal = |message| Refusal::new(Code::OutOfRange, "BELOW_RETENTION", message);
        match earliest {
            None => refusal(format_args!("height {height} is not kept, none is")),
            Some(earliest) => refusal(format_args!("height {height} is not kept, the earliest is {earliest}"))
                .with("earliest", earliest),
        }
    }

    /// A reader that does not keep up.
    pub(crate) fn slow_reader(seconds: u64) -> Refusal {
        let message = format_args!("nothing was read for {seconds} s; go on with the last cursor").to_string();
        Refusal::new(Code::ResourceExhausted, "SLOW_READER", message).with("seconds", seconds)
    }

    /// Nobody, or somebody unknown.
    pub(crate) fn unauthenticated(message: impl Display) -> Refusal {
        Refusal::new(Code::Unauthenticated, "UNAUTHENTICATED", message)
    }

    /// Somebody who may not.
    pub(crate) fn not_permitted(reason: &'static str, message: impl Display) -> Refusal {
        Refusal::new(Code::PermissionDenied, reason, message)
    }

    /// A signature that is not its sender's, of a call with this place among those that were submitted.
    pub(crate) fn bad_signature(field: &str, call: usize) -> Refusal {
        let message = format_args!("{field}: the signature is not the sender's of this call on this chain").to_string();
        let refusal = Refusal::new(Code::PermissionDenied, "BAD_SIGNATURE", message).with("call", call);
        Refusal { field: Some(field.to_owned()), ..refusal }
    }

    /// A signed call whose window of heights has ended, or has not begun.
    pub(crate) fn out_of_window(reason: &'static str, call: usize, first: u64, last: u64, height: u64) -> Refusal {
        let message =
            format_args!("call {call}: signed for heights {first} to {last}, the next is {height}").to_string();
        let refusal = Refusal::new(Code::FailedPrecondition, reason, message);
        refusal.with("call", call).with("first", first).with("last", last).with("height", height)
    }

    /// A signed call of which it is no longer known whether it was executed.
    pub(crate) fn ids_forgotten(call: usize, first: u64, earliest: u64) -> Refusal {
        let message = format_args!(
            "call {call}: valid from height {first} on, ids are remembered from {earliest}; sign it for later heights"
        )
        .to_string();
        let refusal = Refusal::new(Code::FailedPrecondition, "IDS_FORGOTTEN", message);
        refusal.with("call", call).with("first", first).with("earliest", earliest)
    }

    /// The server is about to end. What was not answered may have been ordered or not.
    pub(crate) fn draining() -> Refusal {
        let refusal = Refusal::new(Code::Unavailable, "DRAINING", "the server is about to end");
        Refusal { retry_after: Some(Duration::from_secs(1)), ..refusal }
    }

    /// The engine or its log has stopped. What was not answered may have been ordered or not.
    pub(crate) fn stopped() -> Refusal {
        // The fault itself is for the operator, on standard error.
        Refusal::new(Code::Unavailable, "STOPPED", "the server has stopped after a fault of its own")
    }

    /// Derived data that cannot be read.
    pub(crate) fn unreadable(message: impl Display) -> Refusal {
        Refusal::new(Code::DataLoss, "UNREADABLE", message)
    }

    /// The refusal as the cause of the end of a stream at one of its submissions.
    pub(crate) fn of_sequence(self, sequence: u64) -> Refusal {
        self.with("sequence", sequence)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        telemetry::refused(refusal.reason);
        let mut details = ErrorDetails::new();
        let metadata: HashMap<_, _> =
            refusal.metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        details.set_error_info(refusal.reason, DOMAIN, metadata);
        if let Some(field) = refusal.field {
            details.add_bad_request_violation(field, &*refusal.message);
        }
        if refusal.retry_after.is_some() {
            details.set_retry_info(refusal.retry_after);
        }
        Status::with_error_details(refusal.code, refusal.message, details)
    }
}
