//! The clocks of a running sandbox, and signs of life.

use locule_agent_api::UpdateSandbox;
use locule_domain::{Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::wrong_state;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::ControlError;
use crate::reconcile::on_timeout;

impl Control {
    /// Sets when it ends: so many seconds from now, whatever was set before.
    pub async fn set_timeout(
        &self,
        caller: &Caller,
        id: SandboxId,
        seconds: u32,
    ) -> Result<Sandbox, ControlError> {
        if u64::from(seconds) > self.limits().timeout_max.as_secs() {
            return Err(ControlError::Invalid("the timeout is too long".to_owned()));
        }
        let _order = self.lock(id).await;
        let sandbox = self.get_sandbox(caller.team, id).await?;
        if sandbox.state != SandboxState::Running {
            return Err(wrong_state(&sandbox, "running"));
        }
        let expires_at = Sandbox::expiry(self.now(), seconds);
        self.set_expiry(&sandbox, Some(expires_at), Some(seconds))
            .await
    }

    /// Writes a new end and tells the host, which enforces it.
    pub(crate) async fn set_expiry(
        &self,
        sandbox: &Sandbox,
        expires_at: Option<chrono::DateTime<chrono::Utc>>,
        given: Option<u32>,
    ) -> Result<Sandbox, ControlError> {
        let mut next = sandbox.clone();
        next.generation += 1;
        next.expires_at = expires_at;
        next.timeout_given_sec = given.or(sandbox.timeout_given_sec);
        self.write(sandbox, &next).await?;
        let host = self.host_of(&next)?;
        let update = UpdateSandbox {
            sandbox: next.id,
            generation: next.generation,
            timeout_sec: next.timeout_sec,
            expires_at: next.expires_at,
            on_timeout: on_timeout(next.on_timeout),
        };
        host.agent.update_sandbox(update).await?;
        Ok(next)
    }

    /// Counts as activity: the idle time begins anew.
    pub async fn ping_sandbox(&self, caller: &Caller, id: SandboxId) -> Result<(), ControlError> {
        let sandbox = self.get_sandbox(caller.team, id).await?;
        if sandbox.state != SandboxState::Running {
            return Err(wrong_state(&sandbox, "running"));
        }
        self.host_of(&sandbox)?.agent.ping_sandbox(id).await?;
        self.touch(id).await
    }
}
