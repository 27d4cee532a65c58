//! Where the bytes of a sandbox go: commands and files of its team, and visitors of its ports.

use locule_agent_api::Connector;
use locule_domain::{Sandbox, SandboxState};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::{StoreError, sandboxes};

use crate::caller::Actor;
use crate::error::CommonError;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::{Sandboxes, require_state};

/// The host of a sandbox and the tokens of its guest agent, for the edge.
#[derive(Debug, Clone)]
pub struct Route {
    pub sandbox: SandboxId,
    pub team: TeamId,
    pub state: SandboxState,
    pub host: HostId,
    pub generation: i64,
    pub connector: Connector,
    pub access_token: String,
    /// A request for one of its ports resumes it.
    pub auto_resume: bool,
    /// Its ports need no traffic token.
    pub public_traffic: bool,
    pub traffic_token: String,
}

/// The reason why a request for a sandbox's port has no route.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    #[error("sandbox not found")]
    NotFound,
    /// Another request changes the sandbox's state at this moment.
    #[error("the state of the sandbox is changing")]
    Changing,
    /// A host, capacity, quota or the database is missing; the same request may work later.
    #[error("the sandbox is not available right now")]
    Unavailable(#[source] Box<SandboxError>),
    #[error("the sandbox cannot be routed")]
    Internal(#[source] Box<SandboxError>),
}

impl From<SandboxError> for RouteError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::Common(CommonError::NotFound { .. }) => Self::NotFound,
            SandboxError::Common(CommonError::Conflict { .. })
            | SandboxError::InvalidState { .. } => Self::Changing,
            SandboxError::Common(CommonError::RateLimited { .. } | CommonError::Unavailable(_))
            | SandboxError::HostUnavailable(_)
            | SandboxError::NoCapacity
            | SandboxError::QuotaExceeded(_) => Self::Unavailable(error.into()),
            SandboxError::Common(
                CommonError::Invalid(_) | CommonError::NoTeam | CommonError::Internal(_),
            )
            | SandboxError::IdempotencyMismatch
            | SandboxError::IdempotencyInProgress
            | SandboxError::AgentFailed(_) => Self::Internal(error.into()),
        }
    }
}

impl From<CommonError> for RouteError {
    fn from(error: CommonError) -> Self {
        SandboxError::from(error).into()
    }
}

impl From<StoreError> for RouteError {
    fn from(error: StoreError) -> Self {
        SandboxError::from(error).into()
    }
}

impl Sandboxes {
    /// The route to a sandbox of any team: the edge decides whether the visitor may use it.
    pub async fn route(&self, id: SandboxId) -> Result<Route, RouteError> {
        let mut conn = self.core.connection().await?;
        let sandbox = sandboxes::get(&mut conn, id).await?;
        let sandbox = sandbox.ok_or(RouteError::NotFound)?;
        self.route_of(&sandbox).ok_or(RouteError::NotFound)
    }

    /// The route to a running sandbox of a team, for its commands and files.
    pub async fn route_to_running(
        &self,
        team: TeamId,
        id: SandboxId,
    ) -> Result<Route, SandboxError> {
        let sandbox = self.get_sandbox(team, id).await?;
        require_state(&sandbox, SandboxState::Running)?;
        self.route_of(&sandbox)
            .ok_or_else(SandboxError::unknown_host)
    }

    fn route_of(&self, sandbox: &Sandbox) -> Option<Route> {
        let host = self.host(sandbox.host?)?;
        Some(Route {
            sandbox: sandbox.id,
            team: sandbox.team,
            state: sandbox.state,
            host: host.id,
            generation: sandbox.generation,
            connector: host.connector.clone(),
            access_token: self.access_token(sandbox.id),
            auto_resume: sandbox.auto_resume,
            public_traffic: sandbox.public_traffic,
            traffic_token: self.traffic_token(sandbox.id),
        })
    }

    /// Resumes a paused sandbox for a request to one of its ports, if the sandbox was created with `auto_resume`. Of several
    /// requests at the same time the first resumes it; the others find it running or changing.
    pub async fn wake(&self, id: SandboxId) -> Result<Route, RouteError> {
        let mut conn = self.core.connection().await?;
        let sandbox = sandboxes::get(&mut conn, id).await?;
        let sandbox = sandbox.ok_or(RouteError::NotFound)?;
        drop(conn);
        if sandbox.auto_resume && sandbox.state == SandboxState::Paused {
            let seconds = sandbox.timeout_given_sec;
            let resumed = self
                .resume_as(&Actor::System, sandbox.team, id, seconds)
                .await;
            match resumed.map_err(RouteError::from) {
                Ok(_) | Err(RouteError::Changing) => {}
                Err(error) => return Err(error),
            }
        }
        self.route(id).await
    }
}
