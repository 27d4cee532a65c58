//! A running sandbox of the caller's team. The checks run in a fixed order: credential, id, owner, state. The body is read last.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use locule_control::Route;
use locule_edge::{GuestClient, Target};
use locule_ids::SandboxId;

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
        let route = app.sandboxes.route_to_running(caller.team(), id).await?;
        Ok(Self {
            id,
            guest: GuestClient::new(target(route)),
            right: PhantomData,
        })
    }
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
