//! Pausing, by request.

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::SandboxId;

use super::wrong_state;
use crate::audit::SandboxEvent;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::ControlError;

impl Control {
    /// Pauses a running sandbox: `paused` once its image is durable; else it runs on, and says why in `last_error`.
    pub async fn pause_sandbox(
        &self,
        caller: &Caller,
        id: SandboxId,
    ) -> Result<Sandbox, ControlError> {
        let _order = self.lock(id).await;
        let sandbox = self.get_sandbox(caller.team, id).await?;
        if sandbox.state != SandboxState::Running {
            return Err(wrong_state(&sandbox, "running"));
        }
        self.want(
            &sandbox,
            Desired::Paused,
            &caller.actor,
            &SandboxEvent::Pause,
            |_| {},
        )
        .await?;
        match self.reconcile(id).await {
            Ok(sandbox) => Ok(sandbox),
            Err(error) => {
                self.after_failed_pause(id).await?;
                Err(error)
            }
        }
    }

    /// Asks the host what is true before saying anything (W-007): a pause whose answer was lost is a pause.
    async fn after_failed_pause(&self, id: SandboxId) -> Result<(), ControlError> {
        self.learn(id).await?;
        let mut conn = self.connection().await?;
        let Some(sandbox) = locule_store::sandboxes::get(&mut conn, id).await? else {
            return Ok(());
        };
        if sandbox.state == SandboxState::Running {
            let mut next = sandbox.clone();
            next.desired = Desired::Running;
            next.last_error = Some("the last pause failed; the sandbox runs on".to_owned());
            locule_store::sandboxes::update(&mut conn, &sandbox, &next, self.now()).await?;
        }
        Ok(())
    }
}
