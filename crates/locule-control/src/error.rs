//! What a caller can do about a failure.

use locule_agent_api::AgentError;
use locule_domain::{Exceeded, Invalid};
use locule_store::StoreError;
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The request is at fault.
    #[error("{0}")]
    Invalid(String),
    #[error("the credential is missing, wrong, or not valid any more")]
    Unauthorized,
    #[error("the password is wrong")]
    WrongPassword,
    #[error("this account is not activated yet: follow the link in the mail")]
    AccountNotActivated,
    #[error("this account is disabled")]
    AccountDisabled,
    #[error("this account is deactivated")]
    AccountDeactivated,
    #[error("the link is not valid any more: ask for a new one")]
    InvalidToken,
    #[error("this account is active already: log in")]
    AlreadyActivated,
    #[error("this is the only way into the account: set a password first")]
    LastLoginMethod,
    #[error(
        "somebody has just signed up with this e-mail address: look for the mail, or try again in half an hour"
    )]
    SignupCooldown,
    #[error("somebody has an account with this e-mail address")]
    EmailTaken,
    #[error("you own a team that others are in: remove them, or delete the team, first")]
    OwnsTeamWithMembers,
    #[error("too many tries; try again later")]
    RateLimited { retry_after_sec: u64 },
    #[error(transparent)]
    QuotaExceeded(#[from] Exceeded),
    #[error("{why}")]
    Forbidden { why: &'static str },
    #[error("you are in no team: create one, or switch to one")]
    NoTeam,
    #[error("{what} not found")]
    NotFound { what: &'static str },
    #[error("nobody comes in by way of this provider here")]
    ProviderNotFound,
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
            AgentError::Unavailable(_) | AgentError::UnsupportedProtocol { .. } => {
                Self::HostUnavailable(error)
            }
            AgentError::DeadlineExceeded | AgentError::Internal(_) => Self::AgentFailed(error),
        }
    }
}

/// What a request that creates was answered, as its idempotency key keeps it: as much as the repeated answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is", content = "text")]
pub(crate) enum Failure {
    Invalid(String),
    Conflict(String),
    NotFound,
    NoCapacity,
    HostUnavailable,
    AgentFailed,
    Unavailable,
    Internal,
}

impl From<&ControlError> for Failure {
    fn from(error: &ControlError) -> Self {
        match error {
            ControlError::Invalid(text) => Self::Invalid(text.clone()),
            ControlError::Conflict { why } => Self::Conflict(why.clone()),
            ControlError::NotFound { .. } => Self::NotFound,
            ControlError::NoCapacity => Self::NoCapacity,
            ControlError::HostUnavailable(_) => Self::HostUnavailable,
            ControlError::AgentFailed(_) => Self::AgentFailed,
            ControlError::Unavailable(_) => Self::Unavailable,
            // Answered before a sandbox is there, or never by a create.
            ControlError::Unauthorized
            | ControlError::WrongPassword
            | ControlError::AccountNotActivated
            | ControlError::AccountDisabled
            | ControlError::AccountDeactivated
            | ControlError::InvalidToken
            | ControlError::AlreadyActivated
            | ControlError::LastLoginMethod
            | ControlError::SignupCooldown
            | ControlError::EmailTaken
            | ControlError::OwnsTeamWithMembers
            | ControlError::RateLimited { .. }
            | ControlError::QuotaExceeded(_)
            | ControlError::Forbidden { .. }
            | ControlError::NoTeam
            | ControlError::ProviderNotFound
            | ControlError::InvalidState { .. }
            | ControlError::IdempotencyMismatch
            | ControlError::IdempotencyInProgress
            | ControlError::Internal(_) => Self::Internal,
        }
    }
}

impl From<Failure> for ControlError {
    fn from(failure: Failure) -> Self {
        const EARLIER: &str = "as the first request with this idempotency key was answered";
        match failure {
            Failure::Invalid(text) => Self::Invalid(text),
            Failure::Conflict(why) => Self::Conflict { why },
            Failure::NotFound => Self::NotFound { what: "sandbox" },
            Failure::NoCapacity => Self::NoCapacity,
            Failure::HostUnavailable => {
                Self::HostUnavailable(AgentError::Unavailable(EARLIER.to_owned()))
            }
            Failure::AgentFailed => Self::AgentFailed(AgentError::Internal(EARLIER.to_owned())),
            Failure::Unavailable => Self::Unavailable(EARLIER.into()),
            Failure::Internal => Self::internal(EARLIER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_is_kept_is_told_in_the_same_words() {
        let text = "why".to_owned();
        let errors = [
            ControlError::Invalid(text.clone()),
            ControlError::Conflict { why: text },
            ControlError::NotFound { what: "sandbox" },
            ControlError::NoCapacity,
            ControlError::HostUnavailable(AgentError::DeadlineExceeded),
            ControlError::AgentFailed(AgentError::DeadlineExceeded),
            ControlError::Unavailable("".into()),
            ControlError::internal(""),
        ];
        for error in errors {
            let kept = serde_json::to_string(&Failure::from(&error)).unwrap();
            let told = ControlError::from(serde_json::from_str::<Failure>(&kept).unwrap());
            assert_eq!(told.to_string(), error.to_string(), "{kept}");
            assert_eq!(
                std::mem::discriminant(&told),
                std::mem::discriminant(&error),
                "{kept}"
            );
        }
    }
}
