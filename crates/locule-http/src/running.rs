//! A running sandbox of the caller's team. The checks run in a fixed order: credential, id, owner, state. The body is read last.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use locule_control::{ControlError, Route};
use locule_domain::SandboxState;
use locule_edge::{GuestClient, Target};
use locule_ids::{SandboxId, TeamId};

use crate::caller::{May, Right};
use crate::error::ApiError;
use crate::extract::Id;
use crate::need::{Need, Parameter};
use crate::state::AppState;

#[derive(Debug)]
pub(crate) struct Running<R> {
    pub(crate) id: SandboxId,
    pub(crate) guest: GuestClient,
    right: PhantomData<R>,
}

impl<R: Right> Running<R> {
    pub(crate) async fn find(
        app: &AppState,
        caller: &May<R>,
        id: SandboxId,
    ) -> Result<Self, ApiError> {
        let team = caller.team();
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
            right: PhantomData,
        })
    }
}

/// The reason why a sandbox has no route: it does not exist, its state has none, or its host is unreachable, in this order.
async fn no_route(app: &AppState, team: TeamId, id: SandboxId) -> Result<ApiError, ApiError> {
    let sandbox = app.sandboxes.get_sandbox(team, id).await?;
    wants(sandbox.state, SandboxState::Running)?;
    Ok(ApiError::host_unavailable())
}

/// Refuses a sandbox in another state than the required one.
pub(crate) fn wants(state: SandboxState, wanted: SandboxState) -> Result<(), ApiError> {
    if state == wanted {
        return Ok(());
    }
    Err(ApiError::invalid_state(format!(
        "the sandbox is {state}, not {wanted}"
    )))
}

/// The part of a route that `locule_edge` needs.
pub(crate) fn target(route: Route) -> Target {
    Target {
        sandbox: route.sandbox,
        connector: route.connector,
        access_token: route.access_token,
    }
}

impl<R: Right> Parameter for Running<R> {
    const NEED: Option<Need> = Some(R::NEED);
}

impl<R: Right> FromRequestParts<AppState> for Running<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = May::from_request_parts(parts, app).await?;
        let Id(id) = Id::from_request_parts(parts, app).await?;
        Self::find(app, &caller, id).await
    }
}
