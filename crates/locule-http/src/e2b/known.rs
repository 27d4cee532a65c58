//! A sandbox of the caller's team that has not ended, found in the fixed order: credential, id, owner. State and body come
//! after, so handlers take their body as a `Result` and look into it last.

use axum::extract::FromRequestParts;
use http::request::Parts;
use locule_domain::{Sandbox, SandboxState};

use super::views::alive;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::Id;
use crate::running::wants;
use crate::state::AppState;

#[derive(Debug)]
pub(super) struct Known {
    pub(super) caller: Caller,
    pub(super) sandbox: Sandbox,
}

impl Known {
    pub(super) fn is(&self, state: SandboxState) -> Result<(), ApiError> {
        wants(self.sandbox.state, state)
    }
}

impl FromRequestParts<AppState> for Known {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let Id(id) = Id::from_request_parts(parts, app).await?;
        let sandbox = app.sandboxes.get_sandbox(caller.team(), id).await?;
        // What has ended is not found in this dialect.
        alive(&sandbox)?;
        Ok(Self { caller, sandbox })
    }
}
