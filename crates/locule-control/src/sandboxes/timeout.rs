//! The clocks of a running sandbox, and signs of life.

use chrono::{DateTime, Utc};
use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::must_be;
use crate::caller::Caller;
use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

impl Sandboxes {
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
        let now = self.core.now();
        self.get_sandbox(caller.team, id).await?;
        self.set_expiry(id, seconds, |_| Some(Sandbox::expiry(now, seconds)))
            .await
    }

    /// Writes a new end and tells the host, which enforces it. What policy wanted because the old end had come is void. A
    /// host that is not told now is told by the sweep. The caller holds the sandbox's lock.
    pub(crate) async fn set_expiry(
        &self,
        id: SandboxId,
        seconds: u32,
        expires_at: impl Fn(&Sandbox) -> Option<DateTime<Utc>>,
    ) -> Result<Sandbox, ControlError> {
        let wanted = self.want(id, None, |next| {
            must_be(next, SandboxState::Running)?;
            next.timeouts.expires_at = expires_at(next);
            next.timeout_given_sec = Some(seconds);
            (next.desired, next.status_reason) = (Desired::Running, None);
            Ok(())
        });
        let sandbox = wanted.await?;
        self.tell_clocks(&sandbox).await?;
        self.get_sandbox(sandbox.team, id).await
    }

    /// Counts as activity: the idle time begins anew.
    pub async fn ping_sandbox(&self, caller: &Caller, id: SandboxId) -> Result<(), ControlError> {
        let sandbox = self.get_sandbox(caller.team, id).await?;
        must_be(&sandbox, SandboxState::Running)?;
        self.host_of(&sandbox)?.agent.ping_sandbox(id).await?;
        self.touch(id).await
    }
}
