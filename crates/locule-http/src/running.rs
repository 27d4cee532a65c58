//! A running sandbox of the caller's team. The checks run in a fixed order: credential, id, owner, state. The body is read last.
//! When the caller loses its right, the operation is cut off: see [`cut_off_when_revoked`].

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use locule_control::{Cut, Route, require_state};
use locule_domain::{Sandbox, SandboxState};
use locule_edge::{GuestClient, Target};
use locule_ids::SandboxId;
use tokio::sync::SetOnce;

use crate::caller::{May, MayUse, Right};
use crate::error::ApiError;
use crate::extract::Id;
use crate::need::{Need, Parameter};
use crate::state::AppState;

#[derive(Debug)]
pub(crate) struct Running<R> {
    pub(crate) id: SandboxId,
    pub(crate) guest: GuestClient,
    /// Cancelled when the caller loses its right.
    pub(crate) cut: Cut,
    right: PhantomData<R>,
}

impl<R: Right> Running<R> {
    pub(crate) async fn find(
        app: &AppState,
        caller: &May<R>,
        id: SandboxId,
    ) -> Result<Self, ApiError> {
        let route = app.sandboxes.route_to_running(caller.team(), id).await?;
        let cut = app.sandboxes.guard_caller(&caller.0, R::NEED == Need::Use);
        Ok(Self {
            id,
            guest: GuestClient::new(target(route, cut.clone())),
            cut,
            right: PhantomData,
        })
    }
}

/// The part of a route that `locule_edge` needs, and until when the caller may use it.
pub(crate) fn target(route: Route, cut: Cut) -> Target {
    Target {
        sandbox: route.sandbox,
        connector: route.connector,
        access_token: route.access_token,
        cut,
    }
}

/// A sandbox of the caller's team that can be reached, now or after it resumes.
pub(crate) async fn running_or_paused(
    app: &AppState,
    caller: &MayUse,
    id: SandboxId,
) -> Result<Sandbox, ApiError> {
    let sandbox = app.sandboxes.get_sandbox(caller.team(), id).await?;
    if sandbox.state != SandboxState::Paused {
        require_state(&sandbox, SandboxState::Running)?;
    }
    Ok(sandbox)
}

impl<R: Right> Parameter for Running<R> {
    const NEED: Option<Need> = Some(R::NEED);
}

impl<R: Right> FromRequestParts<AppState> for Running<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let caller = May::from_request_parts(parts, app).await?;
        let Id(id) = Id::from_request_parts(parts, app).await?;
        let running = Self::find(app, &caller, id).await?;
        if let Some(cut) = parts.extensions.get::<OperationCut>() {
            cut.0.set(running.cut.clone()).ok();
        }
        Ok(running)
    }
}

/// Set by [`Running`] once the caller of an operation is known.
#[derive(Clone, Default)]
struct OperationCut(Arc<SetOnce<Cut>>);

/// Ends an operation on a running sandbox when its caller loses the right to it, whatever the operation waits for: the guest
/// agent, or the rest of the client's body.
pub(crate) async fn cut_off_when_revoked(mut request: Request, next: Next) -> Response {
    let cut = OperationCut::default();
    request.extensions_mut().insert(cut.clone());
    tokio::select! {
        biased;
        () = async { cut.0.wait().await.cancelled().await } => ApiError::revoked().into_response(),
        response = next.run(request) => response,
    }
}
