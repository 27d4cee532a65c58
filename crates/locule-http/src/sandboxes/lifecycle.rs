//! Operations that destroy, pause or resume a sandbox, or reset its idle timeout.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{Sandbox, schema};

use crate::caller::MayUse;
use crate::error::ApiError;
use crate::extract::Id;
use crate::state::AppState;
use crate::views::sandbox_view;

/// Destroy a sandbox
///
/// Destroying a sandbox that has ended succeeds.
#[utoipa::path(delete, path = "/v1/sandboxes/{id}", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    responses((status = 204)))]
pub(crate) async fn destroy_sandbox(
    State(app): State<AppState>,
    caller: MayUse,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    app.sandboxes.destroy_sandbox(&caller.0, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reset the idle timeout of a sandbox
#[utoipa::path(post, path = "/v1/sandboxes/{id}/ping", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    responses((status = 204)))]
pub(crate) async fn ping_sandbox(
    State(app): State<AppState>,
    caller: MayUse,
    Id(id): Id,
) -> Result<StatusCode, ApiError> {
    app.sandboxes.ping_sandbox(&caller.0, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a sandbox
///
/// Saves the memory of a running sandbox, which then holds no CPU and no memory.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/pause", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    responses((status = 200, body = Sandbox)))]
pub(crate) async fn pause_sandbox(
    State(app): State<AppState>,
    caller: MayUse,
    Id(id): Id,
) -> Result<Json<Sandbox>, ApiError> {
    let sandbox = app.sandboxes.pause_sandbox(&caller.0, id).await?;
    Ok(Json(sandbox_view(&sandbox)))
}

/// Resume a sandbox
///
/// Restores a paused sandbox with the memory that was saved.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/resume", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    responses((status = 200, body = Sandbox), (status = 429)))]
pub(crate) async fn resume_sandbox(
    State(app): State<AppState>,
    caller: MayUse,
    Id(id): Id,
) -> Result<Json<Sandbox>, ApiError> {
    let sandbox = app.sandboxes.resume_sandbox(&caller.0, id).await?;
    Ok(Json(sandbox_view(&sandbox)))
}
