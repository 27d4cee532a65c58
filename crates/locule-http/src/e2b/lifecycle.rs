//! The operations that kill or pause a sandbox, or change its timeout.

use axum::extract::State;
use http::StatusCode;
use locule_api::e2b::{PauseSandbox, Refresh, SetTimeout};
use locule_api::schema;
use locule_domain::SandboxState;

use super::create::representable;
use super::known::Known;
use crate::caller::Use;
use crate::error::ApiError;
use crate::extract::{ApiJson, OptionalJson};
use crate::state::AppState;

const REFRESH_MAX_SEC: i64 = 3600;
const REFRESH_DEFAULT_SEC: i64 = 60;

/// Kill a sandbox
///
/// Responds with 404 when the sandbox has ended.
#[utoipa::path(delete, path = "/sandboxes/{id}", tag = "e2b", operation_id = "e2b_kill_sandbox", params(("id" = schema::BareSandboxId, Path)),
    responses((status = 204)))]
pub(crate) async fn kill(
    State(app): State<AppState>,
    // A sandbox that has ended is not found in this dialect; the native dialect accepts to destroy it again.
    known: Known<Use>,
) -> Result<StatusCode, ApiError> {
    let (caller, id) = (&known.caller.0, known.sandbox.id);
    app.sandboxes.destroy_sandbox(caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a sandbox
///
/// Responds with 409 when the sandbox is paused.
#[utoipa::path(post, path = "/sandboxes/{id}/pause", tag = "e2b", operation_id = "e2b_pause_sandbox", params(("id" = schema::BareSandboxId, Path)),
    request_body = Option<PauseSandbox>,
    responses((status = 204)))]
pub(crate) async fn pause(
    State(app): State<AppState>,
    known: Known<Use>,
    body: Result<OptionalJson<PauseSandbox>, ApiError>,
) -> Result<StatusCode, ApiError> {
    known.is(SandboxState::Running)?;
    let OptionalJson(request) = body?;
    if request.memory == Some(false) {
        return Err(ApiError::invalid(
            "memory: false is not supported; omit memory",
        ));
    }
    if request.require_healthy_guest == Some(true) {
        return Err(ApiError::invalid(
            "requireHealthyGuest is not supported; omit requireHealthyGuest",
        ));
    }
    let (caller, id) = (&known.caller.0, known.sandbox.id);
    app.sandboxes.pause_sandbox(caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Set the timeout of a sandbox
///
/// The sandbox times out the given number of seconds from now. 0 ends the sandbox at once.
#[utoipa::path(post, path = "/sandboxes/{id}/timeout", tag = "e2b", operation_id = "e2b_set_timeout", params(("id" = schema::BareSandboxId, Path)),
    request_body = SetTimeout,
    responses((status = 204)))]
pub(crate) async fn set_timeout(
    State(app): State<AppState>,
    known: Known<Use>,
    body: Result<ApiJson<SetTimeout>, ApiError>,
) -> Result<StatusCode, ApiError> {
    known.is(SandboxState::Running)?;
    let ApiJson(request) = body?;
    if request.timeout < 0 {
        return Err(ApiError::invalid("timeout must be 0 or more"));
    }
    let seconds = representable(request.timeout)?;
    let (caller, id) = (&known.caller.0, known.sandbox.id);
    app.sandboxes.set_timeout(caller, id, seconds).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Extend the timeout of a sandbox
///
/// The sandbox times out no earlier than the given number of seconds from now.
#[utoipa::path(post, path = "/sandboxes/{id}/refreshes", tag = "e2b", operation_id = "e2b_refresh_sandbox", params(("id" = schema::BareSandboxId, Path)),
    request_body = Option<Refresh>,
    responses((status = 204)))]
pub(crate) async fn refresh(
    State(app): State<AppState>,
    known: Known<Use>,
    body: Result<OptionalJson<Refresh>, ApiError>,
) -> Result<StatusCode, ApiError> {
    let OptionalJson(request) = body?;
    let seconds = match request.duration.unwrap_or(REFRESH_DEFAULT_SEC) {
        seconds @ 0..=REFRESH_MAX_SEC => u32::try_from(seconds).unwrap_or_default(),
        _ => return Err(ApiError::invalid("duration must be between 0 and 3600")),
    };
    let Known { caller, sandbox } = known;
    let earliest_end = app.clock.now() + chrono::TimeDelta::seconds(seconds.into());
    // A sandbox without an expiry outlasts any refresh.
    if sandbox
        .timeouts
        .expires_at
        .is_some_and(|end| end < earliest_end)
    {
        app.sandboxes
            .set_timeout(&caller.0, sandbox.id, seconds)
            .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
