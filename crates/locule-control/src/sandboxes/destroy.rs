//! Destroy a sandbox.

use locule_domain::{Desired, Sandbox};
use locule_ids::SandboxId;

use crate::audit::SandboxAuditEvent;
use crate::caller::{Actor, Caller};
use crate::reconcile::reported::Change;
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
        self.destroy_as(caller, id, &event).await
    }

    /// As [`Self::destroy_sandbox`], also for the platform itself; `event` goes into the audit log.
    pub(crate) async fn destroy_as(
        &self,
        caller: &Caller,
        id: SandboxId,
        event: &SandboxAuditEvent,
    ) -> Result<(), SandboxError> {
        let _order = self.lock(id).await;
        let gone = self
            .change_by(caller, id, |seen| Ok(set_gone(seen, &caller.actor, event)))
            .await?;
        if has_ended(&gone) {
            return Ok(());
        }
        match self.reconcile(id).await {
            Ok(_) => Ok(()),
            Err(SandboxError::HostUnavailable(_)) => self.mark_stopped(&gone, true).await,
            Err(error) => Err(error),
        }
    }
}

/// Whether a sandbox has ended for certain: its host has said so.
fn has_ended(sandbox: &Sandbox) -> bool {
    sandbox.state.is_final() && !sandbox.state.is_inferred()
}

fn set_gone(seen: &Sandbox, actor: &Actor, event: &SandboxAuditEvent) -> Option<Change> {
    if seen.desired == Desired::Gone || has_ended(seen) {
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
