//! Set the timeout of a running sandbox, and record activity in it.

use chrono::{DateTime, Utc};
use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::require_state;
use crate::audit::SandboxAuditEvent;
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
        let end = |_: &Sandbox| Some(Sandbox::expiry(now, seconds));
        let sandbox = self.set_expiry(caller, id, seconds, end).await?;
        match sandbox.state {
            SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
                Err(SandboxError::not_found())
            }
            SandboxState::Running
            | SandboxState::Paused
            | SandboxState::Pending
            | SandboxState::Starting
            | SandboxState::Missing => {
                // The sandbox may have paused itself before the order arrived.
                require_state(&sandbox, SandboxState::Running)?;
                Ok(sandbox)
            }
        }
    }

    /// Writes a new end and sends it to the host, which enforces it. A pause or destroy that was due because of the old end is
    /// cancelled. If the host cannot be reached, the sweep sends the end later. The caller holds the sandbox's lock.
    pub(crate) async fn set_expiry(
        &self,
        caller: &Caller,
        id: SandboxId,
        seconds: u32,
        expires_at: impl Fn(&Sandbox) -> Option<DateTime<Utc>>,
    ) -> Result<Sandbox, SandboxError> {
        let event = SandboxAuditEvent::SetTimeout { seconds };
        let desired = self.set_desired(caller, id, event, |next| {
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
        let sandbox = self.get_for_change(caller, id).await?;
        require_state(&sandbox, SandboxState::Running)?;
        self.host_of(&sandbox).await?.agent.ping_sandbox(id).await?;
        self.touch(id).await
    }
}
