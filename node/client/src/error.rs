//! What can go wrong between a client and its node.

use std::time::Duration;
use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// A failure that is not a contract's.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The node cannot be reached, or the connection was lost.
    #[error("connection: {0}")]
    Connection(String),
    /// The node refused the request.
    #[error("{code:?} ({reason}): {message}")]
    Refused {
        /// gRPC's code.
        code: Code,
        /// What programs tell refusals apart by: in capitals, as `QUEUE_FULL`. Empty if the node gave none.
        reason: String,
        /// What people read.
        message: String,
        /// When asking again may help.
        retry_after: Option<Duration>,
    },
    /// The node answered something that it should not.
    #[error("the node answered {0}")]
    Answer(&'static str),
    /// As many submissions of a session are unanswered as may be. Nothing was sent: take an answer first.
    #[error("{0} submissions are unanswered, and the node reads no further ahead")]
    Credits(usize),
    /// The call has no form that can be signed.
    #[error("the call cannot be signed: {0}")]
    Unsignable(&'static str),
    /// The operating system has no randomness for an id.
    #[error("no randomness for an id: {0}")]
    Randomness(getrandom::Error),
}

impl From<Status> for ClientError {
    fn from(status: Status) -> ClientError {
        let details = status.get_error_details();
        let Some(info) = details.error_info() else {
            // What a node says has a reason. The rest is the transport's.
            return match status.code() {
                Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal => {
                    ClientError::Connection(status.message().to_owned())
                }
                code => ClientError::Refused {
                    code,
                    reason: String::new(),
                    message: status.message().to_owned(),
                    retry_after: None,
                },
            };
        };
        ClientError::Refused {
            code: status.code(),
            reason: info.reason.clone(),
            message: status.message().to_owned(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
        }
    }
}

impl From<tonic::transport::Error> for ClientError {
    fn from(error: tonic::transport::Error) -> ClientError {
        let mut text = error.to_string();
        let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&error);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        ClientError::Connection(text)
    }
}

impl ClientError {
    /// Whether the same request may fare better later. Only a request that is executed once may be sent again.
    pub fn is_transient(&self) -> bool {
        match self {
            ClientError::Connection(_) => true,
            // What is used up for long comes without a time.
            ClientError::Refused { code: Code::ResourceExhausted, retry_after, .. } => retry_after.is_some(),
            ClientError::Refused { code, .. } => *code == Code::Unavailable,
            ClientError::Answer(_)
            | ClientError::Credits(_)
            | ClientError::Unsignable(_)
            | ClientError::Randomness(_) => false,
        }
    }

    /// How long the node asks to wait before the next attempt.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            ClientError::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
