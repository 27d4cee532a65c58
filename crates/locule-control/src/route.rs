//! Where the bytes of a sandbox go.

use locule_agent_api::Connector;
use locule_domain::SandboxState;
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::sandboxes;

use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

/// The way to a sandbox, for the edge.
#[derive(Debug, Clone)]
pub struct Route {
    pub sandbox: SandboxId,
    pub team: TeamId,
    pub state: SandboxState,
    pub host: HostId,
    pub generation: i64,
    pub connector: Connector,
    pub access_token: String,
    /// Visitors of its ports wake it.
    pub auto_resume: bool,
    /// Its ports are open to whoever knows its name.
    pub public_traffic: bool,
    pub traffic_token: String,
}

impl Sandboxes {
    /// The way to a sandbox, whoever asks: the edge decides what they may.
    pub async fn route(&self, id: SandboxId) -> Result<Route, ControlError> {
        let mut conn = self.core.connection().await?;
        let sandbox = sandboxes::get(&mut conn, id)
            .await?
            .ok_or(ControlError::NotFound { what: "sandbox" })?;
        let missing = || ControlError::NotFound { what: "sandbox" };
        let host = sandbox
            .host
            .and_then(|host| self.host(host))
            .ok_or_else(missing)?;
        Ok(Route {
            sandbox: id,
            team: sandbox.team,
            state: sandbox.state,
            host: host.id,
            generation: sandbox.generation,
            connector: host.connector.clone(),
            access_token: self.access_token(id),
            auto_resume: sandbox.auto_resume,
            public_traffic: sandbox.public_traffic,
            traffic_token: self.traffic_token(id),
        })
    }

    /// Resumes a paused sandbox because somebody visits it. Only one that was made so wakes.
    pub async fn wake(&self, id: SandboxId) -> Result<Route, ControlError> {
        let mut conn = self.core.connection().await?;
        let sandbox = sandboxes::get(&mut conn, id)
            .await?
            .ok_or(ControlError::NotFound { what: "sandbox" })?;
        drop(conn);
        if sandbox.auto_resume && sandbox.state == SandboxState::Paused {
            let seconds = sandbox.timeout_given_sec;
            self.resume_as(&crate::caller::Actor::System, sandbox.team, id, seconds)
                .await?;
        }
        self.route(id).await
    }
}
