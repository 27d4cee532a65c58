//! Destroy a sandbox.

use locule_domain::{Desired, Sandbox};
use locule_ids::{SandboxId, TeamId};

use crate::audit::SandboxAuditEvent;
use crate::caller::{Actor, Caller};
use crate::reconcile::changes::Change;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Destroys a sandbox. Succeeds when the host has destroyed it or does not know it (B-162), or when it ended before. Every other
    /// failure is returned, and the sweep tries again. A host that is out of reach cleans up when it returns (W-014).
    pub async fn destroy_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<(), SandboxError> {
        let event = SandboxAuditEvent::Destroy { reason: None };
        self.destroy_as(&caller.actor, caller.team, id, &event)
            .await
    }

    /// As [`Self::destroy_sandbox`], for any actor; `event` goes into the audit log.
    pub(crate) async fn destroy_as(
        &self,
        actor: &Actor,
        team: TeamId,
        id: SandboxId,
        event: &SandboxAuditEvent,
    ) -> Result<(), SandboxError> {
        let _order = self.lock(id).await;
        let sandbox = self.get_sandbox(team, id).await?;
        if sandbox.state.is_final() && !sandbox.state.is_inferred() {
            return Ok(());
        }
        let gone = self
            .change(id, |seen| Ok(set_gone(seen, actor, event)))
            .await?;
        match self.reconcile(id).await {
            Ok(_) => Ok(()),
            Err(SandboxError::HostUnavailable(_)) => self.mark_stopped(&gone, true).await,
            Err(error) => Err(error),
        }
    }
}

fn set_gone(seen: &Sandbox, actor: &Actor, event: &SandboxAuditEvent) -> Option<Change> {
    if seen.desired == Desired::Gone {
        return None;
    }
    let mut next = seen.clone();
    next.desired = Desired::Gone;
    next.generation += 1;
    next.status_reason = None;
    // The end of this sandbox is only inferred; if its host still holds it, the sweep destroys it there.
    next.cleanup_pending = seen.state.is_final() && seen.host.is_some();
    Some(Change {
        next,
        record: Some((actor.clone(), event.clone())),
    })
}
