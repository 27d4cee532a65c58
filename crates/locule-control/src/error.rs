//! Failures that every use case shares. [`SandboxError`](crate::SandboxError) and [`AccountError`](crate::AccountError) add
//! what concerns only their audience.

use locule_domain::Invalid;
use locule_store::StoreError;

type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum CommonError {
    /// The request is at fault.
    #[error("{0}")]
    Invalid(String),
    #[error("{what} not found")]
    NotFound { what: &'static str },
    #[error("{why}")]
    Conflict { why: String },
    #[error("no team is selected: create a team, or switch to one")]
    NoTeam,
    #[error("too many tries; try again later")]
    RateLimited { retry_after_sec: u64 },
    /// The database is out of reach; the same request may work later.
    #[error("the service is not available right now")]
    Unavailable(#[source] Source),
    #[error("internal error")]
    Internal(#[source] Source),
}

impl CommonError {
    pub(crate) fn internal(error: impl Into<Source>) -> Self {
        Self::Internal(error.into())
    }
}

impl From<StoreError> for CommonError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error.into()),
            StoreError::Database(_) | StoreError::Impossible { .. } | StoreError::Schema(_) => {
                Self::internal(error)
            }
        }
    }
}

impl From<Invalid> for CommonError {
    fn from(error: Invalid) -> Self {
        Self::Invalid(error.0)
    }
}
