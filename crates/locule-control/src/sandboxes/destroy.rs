//! Destroying.

use locule_domain::{Desired, Sandbox};
use locule_ids::{SandboxId, TeamId};

use crate::audit::SandboxEvent;
use crate::caller::{Actor, Caller};
use crate::changes::Change;
use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

impl Sandboxes {
    /// Destroys a sandbox. Done when its host says so, or knows it no more (B-162); any other failure is the caller's, and
    /// the sweep tries again. A host that is out of reach cleans up when it returns (W-014). Ended already is done.
    pub async fn destroy_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<(), ControlError> {
        let event = SandboxEvent::Destroy { reason: None };
        self.destroy_as(&caller.actor, caller.team, id, &event)
            .await
    }

    /// As [`Self::destroy_sandbox`], for whoever it is; `event` is what the trail says.
    pub(crate) async fn destroy_as(
        &self,
        actor: &Actor,
        team: TeamId,
        id: SandboxId,
        event: &SandboxEvent,
    ) -> Result<(), ControlError> {
        let _order = self.lock(id).await;
        let sandbox = self.get_sandbox(team, id).await?;
        if sandbox.state.is_final() && !sandbox.state.is_inferred() {
            return Ok(());
        }
        let wanted = self
            .change(id, |seen| Ok(wish_gone(seen, actor, event)))
            .await?;
        match self.reconcile(id).await {
            Ok(_) => Ok(()),
            Err(ControlError::HostUnavailable(_)) => self.stopped(&wanted, true).await,
            Err(error) => Err(error),
        }
    }
}

fn wish_gone(seen: &Sandbox, actor: &Actor, event: &SandboxEvent) -> Option<Change> {
    if seen.desired == Desired::Gone {
        return None;
    }
    let mut next = seen.clone();
    next.desired = Desired::Gone;
    next.generation += 1;
    next.status_reason = None;
    // It seems to have ended already; should its host come up with it after all, it is destroyed there.
    next.cleanup_pending = seen.state.is_final() && seen.host.is_some();
    Some(Change {
        next,
        record: Some((actor.clone(), event.clone())),
    })
}
