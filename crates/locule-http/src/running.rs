//! A running sandbox of the caller's team, checked in the fixed order: credential, id, owner, state. The body comes after.

use axum::extract::FromRequestParts;
use http::request::Parts;
use locule_control::Route;
use locule_domain::SandboxState;
use locule_edge::{Guest, Target};
use locule_ids::{SandboxId, TeamId};

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::Id;
use crate::state::AppState;

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: SandboxId,
    pub(crate) guest: Guest,
}

impl Running {
    pub(crate) async fn find(
        app: &AppState,
        team: TeamId,
        id: SandboxId,
    ) -> Result<Self, ApiError> {
        let route = app.control.route(id).await?;
        if route.team != team {
            return Err(ApiError::not_found("sandbox"));
        }
        if !matches!(route.state, SandboxState::Running) {
            return Err(ApiError::invalid_state(format!(
                "the sandbox is {}, not running",
                route.state
            )));
        }
        Ok(Self {
            id,
            guest: Guest::new(target(route)),
        })
    }
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
