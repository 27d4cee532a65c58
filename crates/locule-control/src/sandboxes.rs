//! The use cases about sandboxes, one a file.

mod connect;
mod create;
mod destroy;
mod list;
mod pause;
mod resume;
mod timeout;

pub use list::{ListFilter, Page};

use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};
use locule_store::sandboxes;

use crate::control::Control;
use crate::error::ControlError;

impl Control {
    /// A team's sandbox, in any state. Another team's is not found, not forbidden.
    pub async fn get_sandbox(&self, team: TeamId, id: SandboxId) -> Result<Sandbox, ControlError> {
        let mut conn = self.connection().await?;
        let found = sandboxes::get(&mut conn, id)
            .await?
            .filter(|sandbox| sandbox.team == team);
        found.ok_or(ControlError::NotFound { what: "sandbox" })
    }

    /// It was used just now.
    pub async fn touch(&self, id: SandboxId) -> Result<(), ControlError> {
        let mut conn = self.connection().await?;
        Ok(sandboxes::touch(&mut conn, id, self.now()).await?)
    }
}

/// Whether a sandbox is as a request needs it. One that is wanted gone serves nobody, even where its host could not end it
/// yet.
pub(crate) fn must_be(sandbox: &Sandbox, wanted: SandboxState) -> Result<(), ControlError> {
    if sandbox.state == wanted && sandbox.desired != Desired::Gone {
        return Ok(());
    }
    Err(wrong_state(sandbox, wanted))
}

/// What a request meets that wants another state.
pub(crate) fn wrong_state(sandbox: &Sandbox, wanted: SandboxState) -> ControlError {
    let why = if sandbox.state == wanted {
        "the sandbox is being destroyed".to_owned()
    } else {
        format!("the sandbox is {}, not {wanted}", sandbox.state)
    };
    ControlError::InvalidState { why }
}
