//! Connect to a sandbox: extend the time of a running one, resume a paused one.

use locule_domain::{Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::{require_state, wrong_state};
use crate::caller::Caller;
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Returns the sandbox and whether it was resumed. The time of a running sandbox is extended, never shortened.
    pub async fn connect_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
        seconds: u32,
    ) -> Result<(Sandbox, bool), SandboxError> {
        if u64::from(seconds) > self.limits().timeout_max.as_secs() {
            return Err(CommonError::Invalid("the timeout is too long".to_owned()).into());
        }
        let order = self.lock(id).await;
        let sandbox = self.get_sandbox(caller.team, id).await?;
        match sandbox.state {
            SandboxState::Running => {
                let now = self.core.now();
                if sandbox.extended(now, seconds) == sandbox.timeouts.expires_at {
                    require_state(&sandbox, SandboxState::Running)?;
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
                Err(SandboxError::not_found())
            }
            SandboxState::Pending | SandboxState::Starting | SandboxState::Missing => {
                Err(wrong_state(&sandbox, SandboxState::Running))
            }
        }
    }
}
