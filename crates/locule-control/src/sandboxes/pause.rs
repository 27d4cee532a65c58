//! Pausing, by request.

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};

use super::must_be;
use crate::audit::SandboxEvent;
use crate::caller::Caller;
use crate::changes::Change;
use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

impl Sandboxes {
    /// Pauses a running sandbox: `paused` once its image is durable; else it runs on, and says why in `last_error`.
    pub async fn pause_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<Sandbox, ControlError> {
        let _order = self.lock(id).await;
        self.get_sandbox(caller.team, id).await?;
        let record = (&caller.actor, SandboxEvent::Pause);
        self.want(id, Some(record), |next| {
            must_be(next, SandboxState::Running)?;
            next.desired = Desired::Paused;
            (next.status_reason, next.last_error) = (None, None);
            Ok(())
        })
        .await?;
        let stayed = (SandboxState::Running, Desired::Running);
        let why = "the last pause failed; the sandbox runs on";
        let wanted = SandboxState::Paused;
        self.carry_out(caller.team, id, wanted, stayed, why).await
    }

    /// Carries out what is wanted now, or takes the wish back: no sweep makes up for it later.
    pub(super) async fn carry_out(
        &self,
        team: TeamId,
        id: SandboxId,
        wanted: SandboxState,
        stayed: (SandboxState, Desired),
        why: &str,
    ) -> Result<Sandbox, ControlError> {
        match self.reconcile(id).await {
            Ok(sandbox) => Ok(sandbox),
            Err(error) => {
                // The host is asked what is true before anything is said (W-007): a pause whose answer was lost is a pause.
                self.learn(id).await?;
                self.give_up(id, stayed, why).await?;
                self.answer(team, id, wanted, error).await
            }
        }
    }

    /// Takes a wish back that was not fulfilled, as a new order: the old one may still arrive.
    async fn give_up(
        &self,
        id: SandboxId,
        (state, desired): (SandboxState, Desired),
        why: &str,
    ) -> Result<(), ControlError> {
        self.change(id, |seen| {
            if seen.state != state || seen.desired == Desired::Gone {
                return Ok(None);
            }
            let mut next = seen.clone();
            next.desired = desired;
            next.generation += 1;
            // The host's own words stay, where it has any.
            if next.last_error.is_none() {
                next.last_error = Some(why.to_owned());
            }
            Ok(Some(Change { next, record: None }))
        })
        .await
        .map(drop)
    }

    /// The answer to a request whose order failed: what was asked for is there after all, or the order's error.
    pub(super) async fn answer(
        &self,
        team: TeamId,
        id: SandboxId,
        wanted: SandboxState,
        error: ControlError,
    ) -> Result<Sandbox, ControlError> {
        let sandbox = self.get_sandbox(team, id).await?;
        if sandbox.state == wanted {
            return Ok(sandbox);
        }
        Err(error)
    }
}
