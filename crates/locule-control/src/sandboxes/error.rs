//! Failures of the use cases about sandboxes.

use locule_agent_api::AgentError;
use locule_domain::{Exceeded, Invalid};
use locule_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::accounts::error::AccountError;
use crate::error::CommonError;

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(transparent)]
    Common(#[from] CommonError),
    /// The caller has lost the right to change the team's sandboxes since the request was authenticated.
    #[error(transparent)]
    Denied(AccountError),
    #[error(transparent)]
    QuotaExceeded(#[from] Exceeded),
    /// The operation does not apply to the sandbox's state.
    #[error("{why}")]
    InvalidState { why: String },
    /// The idempotency key belongs to another request.
    #[error("this idempotency key was used with another request")]
    IdempotencyMismatch,
    #[error("a request with this idempotency key is still in progress")]
    IdempotencyInProgress,
    #[error("no host has free capacity right now")]
    NoCapacity,
    #[error(
        "the host of the sandbox is being drained: the sandbox can be resumed when an operator ends the drain"
    )]
    HostDrained,
    #[error("the host of the sandbox is not available")]
    HostUnavailable(#[source] AgentError),
    /// The host tried and failed, or did not answer.
    #[error("the host of the sandbox could not carry out the operation")]
    AgentFailed(#[source] AgentError),
}

impl SandboxError {
    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        CommonError::internal(error).into()
    }

    /// The host of a row is not among the configured hosts.
    pub(crate) fn unknown_host() -> Self {
        Self::HostUnavailable(AgentError::Unavailable("the host is not known".to_owned()))
    }

    pub(crate) const fn not_found() -> Self {
        Self::Common(CommonError::NotFound { what: "sandbox" })
    }
}

impl From<AccountError> for SandboxError {
    fn from(error: AccountError) -> Self {
        if let AccountError::Common(error) = error {
            return Self::Common(error);
        }
        Self::Denied(error)
    }
}

impl From<StoreError> for SandboxError {
    fn from(error: StoreError) -> Self {
        CommonError::from(error).into()
    }
}

impl From<Invalid> for SandboxError {
    fn from(error: Invalid) -> Self {
        CommonError::from(error).into()
    }
}

impl From<AgentError> for SandboxError {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::NotFound => Self::not_found(),
            AgentError::InvalidArgument(text) => CommonError::Invalid(text).into(),
            AgentError::FailedPrecondition(why) | AgentError::AlreadyExists(why) => {
                CommonError::Conflict { why }.into()
            }
            AgentError::ResourceExhausted(_) => Self::NoCapacity,
            AgentError::Unavailable(_) | AgentError::UnsupportedProtocol { .. } => {
                Self::HostUnavailable(error)
            }
            AgentError::DeadlineExceeded | AgentError::Internal(_) => Self::AgentFailed(error),
        }
    }
}

/// The error of a create, as its idempotency key keeps it: as much as the repeated answer needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "text")]
pub(crate) enum CreateFailure {
    Invalid(String),
    Conflict(String),
    NotFound,
    NoCapacity,
    HostUnavailable,
    AgentFailed,
    Unavailable,
    Internal,
}

impl From<&SandboxError> for CreateFailure {
    fn from(error: &SandboxError) -> Self {
        match error {
            SandboxError::Common(CommonError::Invalid(text)) => Self::Invalid(text.clone()),
            SandboxError::Common(CommonError::Conflict { why }) => Self::Conflict(why.clone()),
            SandboxError::Common(CommonError::NotFound { .. }) => Self::NotFound,
            SandboxError::Common(CommonError::Unavailable(_)) => Self::Unavailable,
            SandboxError::NoCapacity => Self::NoCapacity,
            SandboxError::HostUnavailable(_) => Self::HostUnavailable,
            SandboxError::AgentFailed(_) => Self::AgentFailed,
            // A create answers the others before the sandbox has a row, or never.
            SandboxError::Common(
                CommonError::NoTeam | CommonError::RateLimited { .. } | CommonError::Internal(_),
            )
            | SandboxError::Denied(_)
            | SandboxError::QuotaExceeded(_)
            | SandboxError::InvalidState { .. }
            | SandboxError::IdempotencyMismatch
            | SandboxError::IdempotencyInProgress
            | SandboxError::HostDrained => Self::Internal,
        }
    }
}

impl From<CreateFailure> for SandboxError {
    fn from(failure: CreateFailure) -> Self {
        const EARLIER: &str = "as the first request with this idempotency key was answered";
        match failure {
            CreateFailure::Invalid(text) => CommonError::Invalid(text).into(),
            CreateFailure::Conflict(why) => CommonError::Conflict { why }.into(),
            CreateFailure::NotFound => Self::not_found(),
            CreateFailure::NoCapacity => Self::NoCapacity,
            CreateFailure::HostUnavailable => {
                Self::HostUnavailable(AgentError::Unavailable(EARLIER.to_owned()))
            }
            CreateFailure::AgentFailed => {
                Self::AgentFailed(AgentError::Internal(EARLIER.to_owned()))
            }
            CreateFailure::Unavailable => CommonError::Unavailable(EARLIER.into()).into(),
            CreateFailure::Internal => Self::internal(EARLIER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_failure_becomes_the_same_error_with_the_same_text() {
        let text = "why".to_owned();
        let errors: [SandboxError; 8] = [
            CommonError::Invalid(text.clone()).into(),
            CommonError::Conflict { why: text }.into(),
            SandboxError::not_found(),
            SandboxError::NoCapacity,
            SandboxError::HostUnavailable(AgentError::DeadlineExceeded),
            SandboxError::AgentFailed(AgentError::DeadlineExceeded),
            CommonError::Unavailable("".into()).into(),
            SandboxError::internal(""),
        ];
        for error in errors {
            let kept = serde_json::to_string(&CreateFailure::from(&error)).unwrap();
            let restored =
                SandboxError::from(serde_json::from_str::<CreateFailure>(&kept).unwrap());
            assert_eq!(restored.to_string(), error.to_string(), "{kept}");
            assert_eq!(
                std::mem::discriminant(&restored),
                std::mem::discriminant(&error),
                "{kept}"
            );
            if let (SandboxError::Common(restored), SandboxError::Common(error)) =
                (&restored, &error)
            {
                assert_eq!(
                    std::mem::discriminant(restored),
                    std::mem::discriminant(error),
                    "{kept}"
                );
            }
        }
    }
}
