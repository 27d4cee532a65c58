//! Connecting: a running sandbox gets more time, a paused one is resumed.

use locule_domain::{Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::{must_be, wrong_state};
use crate::caller::Caller;
use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

impl Sandboxes {
    /// The sandbox, and whether it had to be resumed. A connect only ever extends the time of a running one.
    pub async fn connect_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
        seconds: u32,
    ) -> Result<(Sandbox, bool), ControlError> {
        if u64::from(seconds) > self.limits().timeout_max.as_secs() {
            return Err(ControlError::Invalid("the timeout is too long".to_owned()));
        }
        let order = self.lock(id).await;
        let sandbox = self.get_sandbox(caller.team, id).await?;
        match sandbox.state {
            SandboxState::Running => {
                let now = self.core.now();
                if sandbox.extended(now, seconds) == sandbox.timeouts.expires_at {
                    must_be(&sandbox, SandboxState::Running)?;
                    return Ok((sandbox, false));
                }
                let extended = self.set_expiry(id, seconds, |seen| seen.extended(now, seconds));
                Ok((extended.await?, false))
            }
            SandboxState::Paused => {
                let actor = &caller.actor;
                let resumed = self
                    .resume_locked(&order, actor, caller.team, id, Some(seconds))
                    .await?;
                Ok((resumed, true))
            }
            SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
                Err(ControlError::NotFound { what: "sandbox" })
            }
            SandboxState::Pending | SandboxState::Starting | SandboxState::Missing => {
                Err(wrong_state(&sandbox, SandboxState::Running))
            }
        }
    }
}
