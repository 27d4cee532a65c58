//! Where the bytes of a sandbox go: commands and files of its team, and visitors of its ports.

use std::sync::Arc;
use std::time::Duration;

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};
use locule_store::{StoreError, sandbox_callers, sandboxes};

use crate::caller::Caller;
use crate::error::CommonError;
use crate::rate::Rate;
use crate::sandboxes::access::{Route, SandboxAccess};
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::resume::NewEnd;
use crate::sandboxes::{Sandboxes, require_state};

/// How often the database is asked about tokens of one sandbox that are not among those that were read last.
const REREADS: Rate = Rate {
    count: 20,
    per: Duration::from_secs(10),
};

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
            | SandboxError::HostDrained
            | SandboxError::NoCapacity
            | SandboxError::QuotaExceeded(_) => Self::Unavailable(error.into()),
            SandboxError::Common(
                CommonError::Invalid(_) | CommonError::NoTeam | CommonError::Internal(_),
            )
            | SandboxError::Denied(_)
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
    /// A sandbox of any team, and whether it was kept from an earlier request: the edge decides whether the visitor may use it.
    pub async fn access(&self, id: SandboxId) -> Result<(Arc<SandboxAccess>, bool), RouteError> {
        let oldest = self
            .core
            .clock
            .monotonic()
            .saturating_sub(self.inner.config.recheck);
        match self.inner.access.get(id, oldest) {
            Some(kept) => Ok((kept, true)),
            None => Ok((self.read_access(id).await?, false)),
        }
    }

    /// The sandbox as the database has it now, for a token that is not among those that were kept. `None`: the database was
    /// asked too often about this sandbox.
    pub async fn access_now(
        &self,
        id: SandboxId,
    ) -> Result<Option<Arc<SandboxAccess>>, RouteError> {
        if self
            .inner
            .rereads
            .count(id, REREADS, self.core.now())
            .is_err()
        {
            return Ok(None);
        }
        self.read_access(id).await.map(Some)
    }

    pub(super) async fn read_access(
        &self,
        id: SandboxId,
    ) -> Result<Arc<SandboxAccess>, RouteError> {
        // The semaphore is never closed.
        let _turn = self.inner.route_reads.acquire().await.ok();
        let changes = self.inner.access.changes();
        let read_at = self.core.clock.monotonic();
        let mut conn = self.core.connection().await?;
        let sandbox = sandboxes::get(&mut conn, id).await?;
        let sandbox = sandbox.ok_or(RouteError::NotFound)?;
        let callers = sandbox_callers::valid(&mut conn, id, self.core.now()).await?;
        drop(conn);
        let clients = callers
            .into_iter()
            .map(|(caller, numbers)| self.client(id, sandbox.team, caller, numbers));
        let access = Arc::new(SandboxAccess {
            team: sandbox.team,
            public_traffic: sandbox.public_traffic,
            route: self.route_of(&sandbox).await?,
            clients: clients.collect(),
            read_at,
        });
        self.inner.access.keep(id, &access, changes);
        Ok(access)
    }

    /// The next request for a port of the sandbox reads the database.
    pub(crate) fn drop_access(&self, id: SandboxId) {
        self.inner.access.remove(id);
    }

    /// The route to a running sandbox of a team, for its commands and files.
    pub async fn route_to_running(
        &self,
        team: TeamId,
        id: SandboxId,
    ) -> Result<Route, SandboxError> {
        let sandbox = self.get_sandbox(team, id).await?;
        require_state(&sandbox, SandboxState::Running)?;
        let route = self.route_of(&sandbox).await?;
        route.ok_or_else(SandboxError::unknown_host)
    }

    /// `None`: the sandbox has no host, or is desired to be gone and is not served, even while its host cannot destroy it.
    async fn route_of(&self, sandbox: &Sandbox) -> Result<Option<Route>, CommonError> {
        let Some(id) = sandbox.host.filter(|_| sandbox.desired != Desired::Gone) else {
            return Ok(None);
        };
        let host = self.host(id).await?;
        Ok(host.map(|host| Route {
            sandbox: sandbox.id,
            team: sandbox.team,
            state: sandbox.state,
            host: host.id,
            generation: sandbox.generation,
            connector: host.connector.clone(),
            access_token: self.access_token(sandbox.id),
            auto_resume: sandbox.auto_resume,
        }))
    }

    /// The route as the sandbox's host reports the sandbox at this moment.
    pub async fn route_now(&self, id: SandboxId) -> Result<Route, RouteError> {
        self.refresh_from_host(id).await?;
        let access = self.read_access(id).await?;
        access.route.clone().ok_or(RouteError::NotFound)
    }

    /// Resumes a paused sandbox for a request to one of its ports, if the sandbox was created with `auto_resume`. Of several
    /// requests at the same time the first resumes it; the others find it running or changing.
    pub async fn wake(&self, id: SandboxId) -> Result<Route, RouteError> {
        let mut conn = self.core.connection().await?;
        let sandbox = sandboxes::get(&mut conn, id).await?;
        let sandbox = sandbox.ok_or(RouteError::NotFound)?;
        drop(conn);
        if sandbox.auto_resume && sandbox.state == SandboxState::Paused {
            let system = Caller::system(sandbox.team);
            let resumed = self.resume_as(&system, id, NewEnd::GivenAgain).await;
            match resumed.map_err(RouteError::from) {
                Ok(_) | Err(RouteError::Changing) => {}
                Err(error) => return Err(error),
            }
        }
        let access = self.read_access(id).await?;
        access.route.clone().ok_or(RouteError::NotFound)
    }
}
