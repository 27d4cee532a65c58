//! Resuming, by request or because somebody visits.

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};

use super::must_be;
use crate::audit::SandboxEvent;
use crate::caller::{Actor, Caller};
use crate::error::ControlError;
use crate::locks::OrderGuard;
use crate::sandboxes::Sandboxes;

impl Sandboxes {
    /// Resumes a paused sandbox. A time that has passed meanwhile is set anew, as long as it was given last.
    pub async fn resume_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<Sandbox, ControlError> {
        self.resume_as(&caller.actor, caller.team, id, None).await
    }

    pub(crate) async fn resume_as(
        &self,
        actor: &Actor,
        team: TeamId,
        id: SandboxId,
        seconds: Option<u32>,
    ) -> Result<Sandbox, ControlError> {
        let order = self.lock(id).await;
        self.resume_locked(&order, actor, team, id, seconds).await
    }

    /// As [`Self::resume_as`], for who holds the sandbox's lock.
    pub(super) async fn resume_locked(
        &self,
        _order: &OrderGuard,
        actor: &Actor,
        team: TeamId,
        id: SandboxId,
        seconds: Option<u32>,
    ) -> Result<Sandbox, ControlError> {
        self.get_sandbox(team, id).await?;
        let now = self.core.now();
        self.want(id, Some((actor, SandboxEvent::Resume)), |next| {
            must_be(next, SandboxState::Paused)?;
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
        let why = "the last resume failed; the sandbox is still paused";
        let wanted = SandboxState::Running;
        self.carry_out(team, id, wanted, stayed, why).await
    }
}
