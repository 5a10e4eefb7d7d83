//! Every limit that a client can meet, by the name that errors have too.

use phalanx_engine::limits as protocol;
use phalanx_proto::v1;

use super::{connect, history, node, once, query_service, questions, session_stream, signed, subscribers, wire};

/// Bytes of a message that the server takes in: the largest batch, and what protobuf adds to it.
pub(crate) const MESSAGE_BYTES_MAX: usize = protocol::BATCH_BYTES_MAX + (1 << 20);
/// Bytes of a question: the keys of one, or a call, and no more, as each of a question's fields may be repeated often.
pub(crate) const QUESTION_BYTES_MAX: usize = 1 << 20;
/// Requests that a connection may have open. Clients begin up to 100 before they are told, and those above would be refused.
pub(crate) const CONNECTION_STREAMS_MAX: u32 = 128;
const _: () = assert!(CONNECTION_STREAMS_MAX >= 100);
/// Seconds from a request's head to its answer's. What streams has its answer's head at once, and no limit behind it.
pub(crate) const REQUEST_SECONDS_MAX: u64 = 60;
/// Bytes of a request's metadata.
pub(crate) const METADATA_BYTES_MAX: u32 = 16 << 10;
/// Connections.
pub(crate) const CONNECTIONS_MAX: usize = 1_024;

/// The name of a limit of batches that the engine names for people.
pub(crate) fn of_batch(name: &'static str) -> &'static str {
    match name {
        "calls a batch" => "batch_calls",
        "bytes of a batch" => "batch_bytes",
        "gas limits of a batch" => "batch_gas",
        "targets of a batch" => "batch_targets",
        "method bytes" => "method_bytes",
        other => other,
    }
}

/// All of them.
pub(crate) fn all() -> Vec<v1::Limit> {
    let limits = [
        ("batch_calls", protocol::BATCH_CALLS_MAX as u64),
        ("batch_bytes", protocol::BATCH_BYTES_MAX as u64),
        ("batch_gas", protocol::BATCH_GAS_MAX),
        ("batch_targets", protocol::BATCH_TARGETS_MAX as u64),
        ("call_gas_limit", u32::MAX.into()),
        ("call_gas", protocol::CALL_GAS_MAX),
        ("method_bytes", protocol::METHOD_BYTES_MAX as u64),
        ("argument_bytes", protocol::ARGUMENT_BYTES_MAX as u64),
        ("return_bytes", protocol::RETURN_BYTES_MAX as u64),
        ("key_bytes", protocol::KEY_BYTES_MAX as u64),
        ("value_bytes", protocol::VALUE_BYTES_MAX as u64),
        ("call_events", protocol::EVENTS_MAX as u64),
        ("event_bytes", protocol::EVENT_BYTES_MAX as u64),
        ("event_topic_bytes", protocol::EVENT_TOPIC_BYTES_MAX as u64),
        ("call_writes", protocol::CALL_WRITES_MAX as u64),
        ("scan_entries", protocol::SCAN_ENTRIES_MAX as u64),
        ("abort_text_bytes", protocol::ABORT_TEXT_BYTES_MAX as u64),
        ("module_bytes", protocol::MODULE_BYTES_MAX as u64),
        ("memory_pages", protocol::MEMORY_PAGES_MAX.into()),
        ("message_bytes", MESSAGE_BYTES_MAX as u64),
        ("json_bytes", connect::JSON_BYTES_MAX as u64),
        ("json_objects", connect::JSON_OBJECTS_MAX as u64),
        ("question_bytes", QUESTION_BYTES_MAX as u64),
        ("question_gas", questions::QUESTION_GAS_MAX),
        ("request_seconds", REQUEST_SECONDS_MAX),
        ("metadata_bytes", METADATA_BYTES_MAX.into()),
        ("connections", CONNECTIONS_MAX as u64),
        ("connection_streams", CONNECTION_STREAMS_MAX.into()),
        ("queue_bytes", node::QUEUE_BYTES_MAX),
        ("waiting_bytes", node::WAITING_BYTES_MAX),
        ("questions", node::QUESTIONS_MAX as u64),
        ("stream_credits", session_stream::CREDITS as u64),
        ("sessions", once::SESSIONS_MAX as u64),
        ("session_idle_heights", once::SESSION_IDLE_HEIGHTS),
        ("session_answers", once::SESSION_ANSWERS_MAX as u64),
        ("id_window_heights", once::ID_WINDOW_HEIGHTS),
        ("id_window_ids", once::IDS_MAX as u64),
        ("read_set_bytes", phalanx_engine::READ_SET_BYTES_MAX as u64),
        ("signed_call_heights", signed::SIGNED_CALL_HEIGHTS),
        ("state_keys", query_service::STATE_KEYS_MAX as u64),
        ("state_bytes", query_service::STATE_BYTES_MAX as u64),
        ("page_contracts", query_service::PAGE_CONTRACTS_MAX as u64),
        ("filter_entries", wire::FILTER_ENTRIES_MAX as u64),
        ("subscribers", subscribers::SUBSCRIBERS_MAX as u64),
        ("subscriber_idle_seconds", history::IDLE_SECONDS_MAX),
    ];
    limits.into_iter().map(|(name, value)| v1::Limit { name: name.to_owned(), value }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_engine::{BatchBuilder, BatchError, CallsSize};

    #[test]
    fn limits_of_batches_have_the_names_that_are_listed() {
        let past = |size: CallsSize| size.check().expect_err("no batch holds it");
        let none = CallsSize::default();
        let long = "m".repeat(protocol::METHOD_BYTES_MAX + 1);
        let errors = [
            past(CallsSize { calls: protocol::BATCH_CALLS_MAX as u64 + 1, ..none }),
            past(CallsSize { targets: protocol::BATCH_TARGETS_MAX as u64 + 1, ..none }),
            past(CallsSize { gas: protocol::BATCH_GAS_MAX + 1, ..none }),
            past(CallsSize { bytes: protocol::BATCH_BYTES_MAX as u64, ..none }),
            BatchBuilder::new(1, 0).target(&[0; 32], &long).expect_err("its name is too long"),
        ];
        for error in errors {
            let BatchError::LimitExceeded { name, limit, .. } = error else { panic!("{error}") };
            let listed = all().into_iter().find(|listed| listed.name == of_batch(name));
            assert_eq!(listed.map(|listed| listed.value), Some(limit), "{name}");
        }
    }
}
