//! What a caller can do about a failure.

use locule_agent_api::AgentError;
use locule_domain::Invalid;
use locule_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The request is at fault.
    #[error("{0}")]
    Invalid(String),
    #[error("the credential is missing, wrong, or not valid any more")]
    Unauthorized,
    #[error("{why}")]
    Forbidden { why: &'static str },
    #[error("you are in no team: create one, or switch to one")]
    NoTeam,
    #[error("{what} not found")]
    NotFound { what: &'static str },
    /// Not in this state.
    #[error("{why}")]
    InvalidState { why: String },
    #[error("{why}")]
    Conflict { why: String },
    /// The idempotency key belongs to another request.
    #[error("this idempotency key was used with another request")]
    IdempotencyMismatch,
    #[error("a request with this idempotency key is still in progress")]
    IdempotencyInProgress,
    #[error("no host has room right now")]
    NoCapacity,
    #[error("the host of this sandbox is not available")]
    HostUnavailable(#[source] AgentError),
    /// The host tried and failed, or did not answer.
    #[error("the host could not do it")]
    AgentFailed(#[source] AgentError),
    /// Our own dependencies are away; the same request may work later.
    #[error("the service is not available right now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ControlError {
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

impl From<StoreError> for ControlError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error.into()),
            StoreError::Database(_) | StoreError::Impossible { .. } | StoreError::Schema(_) => {
                Self::internal(error)
            }
        }
    }
}

impl From<Invalid> for ControlError {
    fn from(error: Invalid) -> Self {
        Self::Invalid(error.0)
    }
}

impl From<AgentError> for ControlError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NotFound => Self::NotFound { what: "sandbox" },
            AgentError::InvalidArgument(text) => Self::Invalid(text),
            AgentError::FailedPrecondition(why) | AgentError::AlreadyExists(why) => {
                Self::Conflict { why }
            }
            AgentError::ResourceExhausted(_) => Self::NoCapacity,
            AgentError::Unavailable(_) => Self::HostUnavailable(error),
            AgentError::DeadlineExceeded | AgentError::Internal(_) => Self::AgentFailed(error),
        }
    }
}
