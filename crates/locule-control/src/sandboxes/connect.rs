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
        let sandbox = self.get_for_change(caller, id).await?;
        match sandbox.state {
            SandboxState::Running => {
                let now = self.core.now();
                if sandbox.extended(now, seconds) == sandbox.timeouts.expires_at {
                    require_state(&sandbox, SandboxState::Running)?;
                    return Ok((sandbox, false));
                }
                let extend = |seen: &Sandbox| seen.extended(now, seconds);
                let extended = self.set_expiry(caller, id, seconds, extend).await?;
                Ok((extended, false))
            }
            SandboxState::Paused => {
                let resumed = self
                    .resume_locked(&order, caller, id, Some(seconds))
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
