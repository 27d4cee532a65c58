//! Resuming, by request or because somebody visits.

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};

use super::wrong_state;
use crate::audit::SandboxEvent;
use crate::caller::{Actor, Caller};
use crate::control::Control;
use crate::error::ControlError;

impl Control {
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
        let _order = self.lock(id).await;
        let sandbox = self.get_sandbox(team, id).await?;
        if sandbox.state != SandboxState::Paused {
            return Err(wrong_state(&sandbox, "paused"));
        }
        let now = self.now();
        let set = |next: &mut Sandbox| match seconds {
            Some(seconds) => {
                next.timeout_given_sec = Some(seconds);
                next.expires_at = Some(Sandbox::expiry(now, seconds));
            }
            None if next.expires_at.is_some_and(|at| at <= now) => {
                next.expires_at = next
                    .timeout_given_sec
                    .map(|seconds| Sandbox::expiry(now, seconds));
            }
            None => {}
        };
        self.want(
            &sandbox,
            Desired::Running,
            actor,
            &SandboxEvent::Resume,
            set,
        )
        .await?;
        match self.reconcile(id).await {
            Ok(sandbox) => Ok(sandbox),
            Err(error) => {
                // It is as paused as it was, or the host says otherwise: never resumed later by a sweep.
                self.learn(id).await?;
                self.give_up_resume(id).await?;
                Err(error)
            }
        }
    }

    async fn give_up_resume(&self, id: SandboxId) -> Result<(), ControlError> {
        let mut conn = self.connection().await?;
        let Some(sandbox) = locule_store::sandboxes::get(&mut conn, id).await? else {
            return Ok(());
        };
        if sandbox.state == SandboxState::Paused {
            let mut next = sandbox.clone();
            next.desired = Desired::Paused;
            next.last_error =
                Some("the last resume failed; the sandbox is still paused".to_owned());
            locule_store::sandboxes::update(&mut conn, &sandbox, &next, self.now()).await?;
        }
        Ok(())
    }
}
