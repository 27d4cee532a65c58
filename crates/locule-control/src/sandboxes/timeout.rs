//! Set the timeout of a running sandbox, and record activity in it.

use chrono::{DateTime, Utc};
use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::require_state;
use crate::caller::Caller;
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Sets the end of a sandbox to this many seconds from now, before or after the end that was set earlier.
    pub async fn set_timeout(
        &self,
        caller: &Caller,
        id: SandboxId,
        seconds: u32,
    ) -> Result<Sandbox, SandboxError> {
        if u64::from(seconds) > self.limits().timeout_max.as_secs() {
            return Err(CommonError::Invalid("the timeout is too long".to_owned()).into());
        }
        let _order = self.lock(id).await;
        let now = self.core.now();
        self.get_sandbox(caller.team, id).await?;
        self.set_expiry(id, seconds, |_| Some(Sandbox::expiry(now, seconds)))
            .await
    }

    /// Writes a new end and sends it to the host, which enforces it. A pause or destroy that was due because of the old end is
    /// cancelled. If the host cannot be reached, the sweep sends the end later. The caller holds the sandbox's lock.
    pub(crate) async fn set_expiry(
        &self,
        id: SandboxId,
        seconds: u32,
        expires_at: impl Fn(&Sandbox) -> Option<DateTime<Utc>>,
    ) -> Result<Sandbox, SandboxError> {
        let desired = self.set_desired(id, None, |next| {
            require_state(next, SandboxState::Running)?;
            next.timeouts.expires_at = expires_at(next);
            next.timeout_given_sec = Some(seconds);
            (next.desired, next.status_reason) = (Desired::Running, None);
            Ok(())
        });
        let sandbox = desired.await?;
        self.send_timeouts(&sandbox).await?;
        self.get_sandbox(sandbox.team, id).await
    }

    /// Records activity: the idle timeout starts again.
    pub async fn ping_sandbox(&self, caller: &Caller, id: SandboxId) -> Result<(), SandboxError> {
        let sandbox = self.get_sandbox(caller.team, id).await?;
        require_state(&sandbox, SandboxState::Running)?;
        self.host_of(&sandbox)?.agent.ping_sandbox(id).await?;
        self.touch(id).await
    }
}
