//! Connecting: a running sandbox gets more time, a paused one is resumed.

use locule_domain::{Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::wrong_state;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::ControlError;

impl Control {
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
        let sandbox = self.get_sandbox(caller.team, id).await?;
        match sandbox.state {
            SandboxState::Running => {
                let _order = self.lock(id).await;
                let sandbox = self.get_sandbox(caller.team, id).await?;
                let extended = sandbox.extended(self.now(), seconds);
                if extended == sandbox.expires_at {
                    return Ok((sandbox, false));
                }
                Ok((
                    self.set_expiry(&sandbox, extended, Some(seconds)).await?,
                    false,
                ))
            }
            SandboxState::Paused => {
                let resumed = self
                    .resume_as(&caller.actor, caller.team, id, Some(seconds))
                    .await?;
                Ok((resumed, true))
            }
            SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
                Err(ControlError::NotFound { what: "sandbox" })
            }
            SandboxState::Pending | SandboxState::Starting | SandboxState::Missing => {
                Err(wrong_state(&sandbox, "running"))
            }
        }
    }
}
