//! The errors of calls to a host.

use connectrpc::{ConnectError, ErrorCode};

/// Each variant is one status of the wire. The texts are for operators: the control plane has its own texts for clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    #[error("the host does not know this sandbox")]
    NotFound,
    #[error("{0}")]
    InvalidArgument(String),
    /// The sandbox is in the wrong state, or the order is older than one that was carried out.
    #[error("{0}")]
    FailedPrecondition(String),
    #[error("{0}")]
    AlreadyExists(String),
    #[error("{0}")]
    ResourceExhausted(String),
    /// The host is unreachable or not ready.
    #[error("{0}")]
    Unavailable(String),
    /// The caller cannot know whether the call was carried out.
    #[error("the host did not answer in time")]
    DeadlineExceeded,
    #[error("{0}")]
    Internal(String),
    /// Raised by the client, never by a host: nothing was sent but the question for the version.
    #[error(
        "the host agent speaks protocol version {host}, this control plane version {own} and the one before it: \
         install the same release of Locule on both"
    )]
    UnsupportedProtocol { host: u32, own: u32 },
}

impl From<AgentError> for ConnectError {
    fn from(error: AgentError) -> Self {
        let text = error.to_string();
        match error {
            AgentError::NotFound => Self::not_found(text),
            AgentError::InvalidArgument(_) => Self::invalid_argument(text),
            AgentError::FailedPrecondition(_) => Self::failed_precondition(text),
            AgentError::AlreadyExists(_) => Self::already_exists(text),
            AgentError::ResourceExhausted(_) => Self::resource_exhausted(text),
            AgentError::Unavailable(_) => Self::unavailable(text),
            AgentError::DeadlineExceeded => Self::deadline_exceeded(text),
            AgentError::Internal(_) => Self::internal(text),
            AgentError::UnsupportedProtocol { .. } => Self::failed_precondition(text),
        }
    }
}

impl From<ConnectError> for AgentError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum may grow"
    )]
    fn from(error: ConnectError) -> Self {
        let text = error
            .message
            .clone()
            .unwrap_or_else(|| error.code.as_str().to_owned());
        match error.code {
            ErrorCode::NotFound => Self::NotFound,
            ErrorCode::InvalidArgument | ErrorCode::OutOfRange => Self::InvalidArgument(text),
            ErrorCode::FailedPrecondition | ErrorCode::Aborted => Self::FailedPrecondition(text),
            ErrorCode::AlreadyExists => Self::AlreadyExists(text),
            ErrorCode::ResourceExhausted => Self::ResourceExhausted(text),
            ErrorCode::Unavailable => Self::Unavailable(text),
            ErrorCode::DeadlineExceeded | ErrorCode::Canceled => Self::DeadlineExceeded,
            _ => Self::Internal(text),
        }
    }
}
