//! Pause a sandbox by request.

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};

use super::require_state;
use crate::audit::SandboxAuditEvent;
use crate::caller::Caller;
use crate::reconcile::changes::Change;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Pauses a running sandbox. It is `paused` once its snapshot is durable; after a failure it runs on, with the reason in `last_error`.
    pub async fn pause_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<Sandbox, SandboxError> {
        let _order = self.lock(id).await;
        self.set_desired(caller, id, SandboxAuditEvent::Pause, |next| {
            require_state(next, SandboxState::Running)?;
            next.desired = Desired::Paused;
            (next.status_reason, next.last_error) = (None, None);
            Ok(())
        })
        .await?;
        let stayed = (SandboxState::Running, Desired::Running);
        let failure = "the last pause failed; the sandbox runs on";
        let target = SandboxState::Paused;
        self.reconcile_or_revert(caller.team, id, target, stayed, failure)
            .await
    }

    /// Reconciles the sandbox to `target` now. After a failure it reverts the desired state, so that no sweep carries it out later.
    pub(super) async fn reconcile_or_revert(
        &self,
        team: TeamId,
        id: SandboxId,
        target: SandboxState,
        stayed: (SandboxState, Desired),
        failure: &str,
    ) -> Result<Sandbox, SandboxError> {
        match self.reconcile(id).await {
            Ok(sandbox) => Ok(sandbox),
            Err(error) => {
                // If only the answer of the host was lost, the order was carried out (W-007).
                self.refresh_from_host(id).await?;
                self.revert_desired(id, stayed, failure).await?;
                self.answer(team, id, target, error).await
            }
        }
    }

    /// Reverts the desired state with a new generation: the failed order may still arrive at the host, which then refuses it.
    async fn revert_desired(
        &self,
        id: SandboxId,
        (state, desired): (SandboxState, Desired),
        failure: &str,
    ) -> Result<(), SandboxError> {
        self.change(id, |seen| {
            if seen.state != state || seen.desired == Desired::Gone {
                return Ok(None);
            }
            let mut next = seen.clone();
            next.desired = desired;
            next.generation += 1;
            // An error that the host reported stays.
            if next.last_error.is_none() {
                next.last_error = Some(failure.to_owned());
            }
            Ok(Some(Change { next, record: None }))
        })
        .await
        .map(drop)
    }

    /// The answer to a request whose order failed: the sandbox if it reached `target` all the same, else the order's error.
    pub(super) async fn answer(
        &self,
        team: TeamId,
        id: SandboxId,
        target: SandboxState,
        error: SandboxError,
    ) -> Result<Sandbox, SandboxError> {
        let sandbox = self.get_sandbox(team, id).await?;
        if sandbox.state == target {
            return Ok(sandbox);
        }
        Err(error)
    }
}
