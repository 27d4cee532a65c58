//! Pause a sandbox by request.

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};

use super::{require_state, wrong_state};
use crate::audit::SandboxAuditEvent;
use crate::caller::Caller;
use crate::reconcile::reported::Change;
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
        let ordered = self.set_desired(caller, id, SandboxAuditEvent::Pause, |next| {
            require_state(next, SandboxState::Running)?;
            next.desired = Desired::Paused;
            (next.status_reason, next.last_error) = (None, None);
            Ok(())
        });
        let ordered = ordered.await?;
        let stayed = (SandboxState::Running, Desired::Running);
        let failure = "the last pause failed; the sandbox runs on";
        let target = SandboxState::Paused;
        self.reconcile_or_revert(&ordered, target, stayed, failure)
            .await
    }

    /// Reconciles the sandbox to `target` now. `ordered`: the row with the desired state of this request. After a failure it reverts
    /// the desired state, so that no sweep carries it out later.
    pub(super) async fn reconcile_or_revert(
        &self,
        ordered: &Sandbox,
        target: SandboxState,
        stayed: (SandboxState, Desired),
        failure: &str,
    ) -> Result<Sandbox, SandboxError> {
        let id = ordered.id;
        match self.reconcile(id).await {
            Ok(sandbox) if sandbox.state == target => Ok(sandbox),
            // A request to another process of the control plane, or the end of the VM, changed the sandbox meanwhile.
            Ok(sandbox) => Err(wrong_state(&sandbox, target)),
            Err(error) => {
                // If only the answer of the host was lost, the order was carried out (W-007).
                self.refresh_from_host(id).await?;
                self.revert_desired(ordered, stayed, failure).await?;
                self.answer(ordered.team, id, target, error).await
            }
        }
    }

    /// Reverts the desired state with a new generation: the failed order may still arrive at the host, which then refuses it. The
    /// desired state of a later request stays: requests to several processes of the control plane do not wait for each other.
    async fn revert_desired(
        &self,
        ordered: &Sandbox,
        (state, desired): (SandboxState, Desired),
        failure: &str,
    ) -> Result<(), SandboxError> {
        self.change(ordered.id, |seen| {
            let is_later = seen.generation != ordered.generation;
            if is_later || seen.state != state || seen.desired == Desired::Gone {
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
