//! Connect to a sandbox: extend the time of a running one, resume a paused one.

use locule_agent_api::ReportedState;
use locule_domain::{Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::{require_state, wrong_state};
use crate::caller::Caller;
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::locks::OrderGuard;
use crate::sandboxes::resume::NewEnd;

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
                let running = self.extend_running(caller, &sandbox, seconds).await?;
                match running.state {
                    // The sandbox paused itself before the order arrived.
                    SandboxState::Paused => self.resume_for(&order, caller, id, seconds).await,
                    SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
                        Err(SandboxError::not_found())
                    }
                    SandboxState::Running
                    | SandboxState::Pending
                    | SandboxState::Starting
                    | SandboxState::Missing => {
                        require_state(&running, SandboxState::Running)?;
                        Ok((running, false))
                    }
                }
            }
            SandboxState::Paused => self.resume_for(&order, caller, id, seconds).await,
            SandboxState::Stopped { .. } | SandboxState::Error { .. } => {
                Err(SandboxError::not_found())
            }
            SandboxState::Pending | SandboxState::Starting | SandboxState::Missing => {
                Err(wrong_state(&sandbox, SandboxState::Running))
            }
        }
    }

    async fn resume_for(
        &self,
        order: &OrderGuard,
        caller: &Caller,
        id: SandboxId,
        seconds: u32,
    ) -> Result<(Sandbox, bool), SandboxError> {
        let end = NewEnd::After(seconds);
        let resumed = self.resume_locked(order, caller, id, end).await?;
        Ok((resumed, true))
    }

    /// The sandbox after its host has answered. The host carries out one order after another: a pause that it began by itself is
    /// complete then.
    async fn extend_running(
        &self,
        caller: &Caller,
        sandbox: &Sandbox,
        seconds: u32,
    ) -> Result<Sandbox, SandboxError> {
        let now = self.core.now();
        if sandbox.extended(now, seconds) == sandbox.timeouts.expires_at {
            require_state(sandbox, SandboxState::Running)?;
            let (from, report) = self.order_timeouts(sandbox).await?;
            if report.state == ReportedState::Running && report.generation == sandbox.generation {
                return Ok(sandbox.clone());
            }
            self.apply_report(from, &report).await?;
            return self.get_sandbox(sandbox.team, sandbox.id).await;
        }
        let extend = |seen: &Sandbox| seen.extended(now, seconds);
        self.set_expiry(caller, sandbox.id, seconds, extend).await
    }
}
