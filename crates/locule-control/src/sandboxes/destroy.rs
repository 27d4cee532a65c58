//! Destroying.

use locule_domain::{Desired, Event, StopReason};
use locule_ids::SandboxId;

use crate::audit::SandboxEvent;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::ControlError;

impl Control {
    /// Destroys a sandbox. Done when its host says so, or knows it no more (B-162); any other failure is the caller's, and
    /// the sweep tries again. A host that is out of reach cleans up when it returns (W-014). Ended already is done.
    pub async fn destroy_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<(), ControlError> {
        let _order = self.lock(id).await;
        let sandbox = self.get_sandbox(caller.team, id).await?;
        if sandbox.state.is_final() {
            return Ok(());
        }
        if sandbox.desired != Desired::Gone {
            self.want(
                &sandbox,
                Desired::Gone,
                &caller.actor,
                &SandboxEvent::Destroy,
                |_| {},
            )
            .await?;
        }
        match self.reconcile(id).await {
            Ok(_) => Ok(()),
            Err(ControlError::HostUnavailable(_)) => {
                let stopped = Event::Stop(StopReason::Destroyed);
                self.observe(id, stopped, |sandbox| sandbox.cleanup_pending = true)
                    .await?;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
