//! What follows when a host answers a question about one sandbox: the report of the host, or that the host does not hold it.

use chrono::{DateTime, Utc};
use locule_agent_api::AgentError;
use locule_domain::{Desired, ErrorReason, Sandbox, SandboxEvent, SandboxState, StopReason};
use locule_ids::SandboxId;
use locule_store::sandboxes;

use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// A create that is older than this is not in progress any more.
pub(crate) const CREATE_BUDGET: chrono::Duration = chrono::Duration::seconds(240);

impl Sandboxes {
    /// Asks the host for its report of this sandbox and writes it into the row. The caller holds the sandbox's lock.
    pub(crate) async fn refresh_from_host(&self, id: SandboxId) -> Result<(), SandboxError> {
        let mut conn = self.core.connection().await?;
        let Some(sandbox) = sandboxes::get(&mut conn, id).await? else {
            return Ok(());
        };
        drop(conn);
        let Ok(host) = self.host_of(&sandbox).await else {
            return Ok(());
        };
        match host.agent.get_sandbox(id).await {
            Ok(report) => self.apply_report(host.id, &report).await.map(drop),
            Err(AgentError::NotFound) => self.apply_absence(&sandbox, self.core.now()).await,
            // Nothing follows from a host that does not answer; the sweep asks it again.
            Err(_) => Ok(()),
        }
    }

    /// Writes that the host does not hold the sandbox, as the host has answered.
    pub(crate) async fn apply_absence(
        &self,
        sandbox: &Sandbox,
        now: DateTime<Utc>,
    ) -> Result<(), SandboxError> {
        if sandbox.desired == Desired::Gone {
            // The order to destroy it has the same result, and leaves a tombstone on the host.
            return Ok(());
        }
        let event = match sandbox.state {
            SandboxState::Running | SandboxState::Missing => SandboxEvent::Stop(StopReason::VmLost),
            SandboxState::Paused => SandboxEvent::Fail(ErrorReason::SnapshotLost),
            SandboxState::Pending | SandboxState::Starting
                if now - sandbox.created_at > CREATE_BUDGET =>
            {
                SandboxEvent::Fail(ErrorReason::CreateFailed)
            }
            SandboxState::Pending
            | SandboxState::Starting
            | SandboxState::Stopped { .. }
            | SandboxState::Error { .. } => return Ok(()),
        };
        tracing::warn!(sandbox.id = %sandbox.id, state = %sandbox.state, "the host of a sandbox does not hold it any more");
        self.apply_if_unchanged(sandbox, event, |next| {
            // The order to create it may still be on its way: the host has to confirm that it destroyed the sandbox.
            next.cleanup_pending = matches!(event, SandboxEvent::Fail(ErrorReason::CreateFailed));
        })
        .await
        .map(drop)
    }
}
