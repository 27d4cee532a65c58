//! A running sandbox of the caller's team, checked in the fixed order: credential, id, owner, state. The body comes after.

use axum::extract::FromRequestParts;
use http::request::Parts;
use locule_control::{ControlError, Route};
use locule_domain::SandboxState;
use locule_edge::{GuestClient, Target};
use locule_ids::{SandboxId, TeamId};

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::Id;
use crate::state::AppState;

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: SandboxId,
    pub(crate) guest: GuestClient,
}

impl Running {
    pub(crate) async fn find(
        app: &AppState,
        team: TeamId,
        id: SandboxId,
    ) -> Result<Self, ApiError> {
        let route = match app.sandboxes.route(id).await {
            Ok(route) => route,
            Err(ControlError::NotFound { .. }) => return Err(no_route(app, team, id).await?),
            Err(error) => return Err(error.into()),
        };
        if route.team != team {
            return Err(ApiError::not_found("sandbox"));
        }
        wants(route.state, SandboxState::Running)?;
        Ok(Self {
            id,
            guest: GuestClient::new(target(route)),
        })
    }
}

/// Why there is no way to a sandbox: there is none such, it is in no state for one, or its host is away, in this order.
async fn no_route(app: &AppState, team: TeamId, id: SandboxId) -> Result<ApiError, ApiError> {
    let sandbox = app.sandboxes.get_sandbox(team, id).await?;
    wants(sandbox.state, SandboxState::Running)?;
    Ok(ApiError::host_unavailable())
}

/// Refuses a sandbox in another state than the one that is wanted.
pub(crate) fn wants(state: SandboxState, wanted: SandboxState) -> Result<(), ApiError> {
    if state == wanted {
        return Ok(());
    }
    Err(ApiError::invalid_state(format!(
        "the sandbox is {state}, not {wanted}"
    )))
}

/// The byte path's half of a route.
pub(crate) fn target(route: Route) -> Target {
    Target {
        sandbox: route.sandbox,
        connector: route.connector,
        access_token: route.access_token,
    }
}

impl FromRequestParts<AppState> for Running {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let Id(id) = Id::from_request_parts(parts, app).await?;
        Self::find(app, caller.team(), id).await
    }
}
