//! A sandbox of the caller's team that has not ended. The checks run in a fixed order: credential, id, owner. The handler checks
//! the state and then the body, so it takes the body as a `Result`.

use axum::extract::FromRequestParts;
use http::request::Parts;
use locule_control::require_state;
use locule_domain::{Sandbox, SandboxState};

use super::views::listed_unless_ended;
use crate::caller::{May, Right};
use crate::error::ApiError;
use crate::extract::Id;
use crate::need::{Need, Parameter};
use crate::state::AppState;

#[derive(Debug)]
pub(super) struct Known<R> {
    pub(super) caller: May<R>,
    pub(super) sandbox: Sandbox,
}

impl<R> Known<R> {
    pub(super) fn is(&self, state: SandboxState) -> Result<(), ApiError> {
        Ok(require_state(&self.sandbox, state)?)
    }
}

impl<R: Right> Parameter for Known<R> {
    const NEED: Option<Need> = Some(R::NEED);
}

impl<R: Right> FromRequestParts<AppState> for Known<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = May::from_request_parts(parts, app).await?;
        // In this dialect a text that is no id names a sandbox that does not exist.
        let id = Id::from_request_parts(parts, app).await;
        let Id(id) = id.map_err(|_| ApiError::not_found("sandbox"))?;
        let sandbox = app.sandboxes.get_sandbox(caller.team(), id).await?;
        listed_unless_ended(&sandbox)?;
        Ok(Self { caller, sandbox })
    }
}
