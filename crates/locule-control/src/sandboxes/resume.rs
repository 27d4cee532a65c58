//! Resume a sandbox, by request or for a request to one of its ports.

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::require_state;
use crate::audit::SandboxAuditEvent;
use crate::caller::Caller;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::locks::OrderGuard;

impl Sandboxes {
    /// Resumes a paused sandbox. An end that has passed is moved: the time that was set last starts again.
    pub async fn resume_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<Sandbox, SandboxError> {
        self.resume_as(caller, id, None).await
    }

    pub(crate) async fn resume_as(
        &self,
        caller: &Caller,
        id: SandboxId,
        seconds: Option<u32>,
    ) -> Result<Sandbox, SandboxError> {
        let order = self.lock(id).await;
        self.resume_locked(&order, caller, id, seconds).await
    }

    /// As [`Self::resume_as`], for a caller that holds the sandbox's lock.
    pub(super) async fn resume_locked(
        &self,
        _order: &OrderGuard,
        caller: &Caller,
        id: SandboxId,
        seconds: Option<u32>,
    ) -> Result<Sandbox, SandboxError> {
        let now = self.core.now();
        self.set_desired(caller, id, SandboxAuditEvent::Resume, |next| {
            require_state(next, SandboxState::Paused)?;
            next.desired = Desired::Running;
            next.last_error = None;
            match seconds {
                Some(seconds) => {
                    next.timeout_given_sec = Some(seconds);
                    next.timeouts.expires_at = Some(Sandbox::expiry(now, seconds));
                }
                None if next.timeouts.expires_at.is_some_and(|at| at <= now) => {
                    next.timeouts.expires_at = next
                        .timeout_given_sec
                        .map(|seconds| Sandbox::expiry(now, seconds));
                }
                None => {}
            }
            Ok(())
        })
        .await?;
        let stayed = (SandboxState::Paused, Desired::Paused);
        let failure = "the last resume failed; the sandbox is still paused";
        let target = SandboxState::Running;
        self.reconcile_or_revert(caller.team, id, target, stayed, failure)
            .await
    }
}
