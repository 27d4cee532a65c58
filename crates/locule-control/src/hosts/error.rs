//! Failures of the use cases about hosts.

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
        let why = "the sandboxes on the host change too often; try again".to_owned();
        Self::Common(CommonError::Conflict { why })
    }

    /// A change of a sandbox that failed. No caller confirms it, so the database is the only cause.
    pub(super) fn of_change(error: SandboxError) -> Self {
        if let SandboxError::Common(error) = error {
            return error.into();
        }
        CommonError::internal(error).into()
    }

    pub(super) const fn forbidden(why: &'static str) -> Self {
        Self::Denied(AccountError::Forbidden { why })
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
