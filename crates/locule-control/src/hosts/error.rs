//! Failures of the use cases about hosts.

use locule_agent_api::AgentError;
use locule_domain::{HostState, Invalid};
use locule_ids::{HostId, SandboxId};
use locule_store::StoreError;

use crate::accounts::error::AccountError;
use crate::error::CommonError;
use crate::sandboxes::error::SandboxError;

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Common(#[from] CommonError),
    #[error(transparent)]
    Denied(#[from] AccountError),
    /// A call of the host agent about a sandbox.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// The registration token, the refresh token or the access token of a host agent.
    #[error("the token is wrong, was used already, or has expired")]
    BadToken,
    #[error("the access token is for another host")]
    WrongHost,
    /// The host agent keeps every sandbox and exits (behaviour 3.3).
    #[error("the host {0} was deleted")]
    Deleted(HostId),
    #[error(
        "the host holds {} sandboxes: destroy them, or force the delete, which ends them",
        .0.len()
    )]
    HasSandboxes(Vec<SandboxId>),
    #[error("the host is {0}: only a host that is pending can register")]
    NotPending(HostState),
    #[error(
        "the control plane cannot reach the host agent at {address}: check the address, and that no firewall is between them"
    )]
    Unreachable {
        address: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl HostError {
    pub(super) const fn not_found() -> Self {
        Self::Common(CommonError::NotFound { what: "host" })
    }

    pub(super) fn busy() -> Self {
        Self::conflict("the sandboxes on the host change too often; try again")
    }

    pub(super) fn conflict(why: impl Into<String>) -> Self {
        Self::Common(CommonError::Conflict { why: why.into() })
    }

    pub(super) const fn forbidden(why: &'static str) -> Self {
        Self::Denied(AccountError::Forbidden { why })
    }
}

impl From<SandboxError> for HostError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Common(error) => Self::Common(error),
            SandboxError::Denied(error) => Self::Denied(error),
            other @ (SandboxError::QuotaExceeded(_)
            | SandboxError::InvalidState { .. }
            | SandboxError::IdempotencyMismatch
            | SandboxError::IdempotencyInProgress
            | SandboxError::NoCapacity
            | SandboxError::HostDrained
            | SandboxError::HostUnavailable(_)
            | SandboxError::AgentFailed(_)) => Self::Sandbox(other),
        }
    }
}

impl From<AgentError> for HostError {
    fn from(error: AgentError) -> Self {
        SandboxError::from(error).into()
    }
}

impl From<StoreError> for HostError {
    fn from(error: StoreError) -> Self {
        CommonError::from(error).into()
    }
}

impl From<Invalid> for HostError {
    fn from(error: Invalid) -> Self {
        CommonError::from(error).into()
    }
}
