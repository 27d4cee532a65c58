//! Connecting to a sandbox, which resumes a paused one and never shortens a life.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::e2b::{ConnectSandbox, E2bError, ResumeSandbox, Sandbox};
use locule_ids::SandboxId;

use super::create::positive;
use super::views::{Tokens, alive, created};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Id, OptionalJson};
use crate::state::AppState;

const TIMEOUT_V1_SEC: i64 = 15;
const TIMEOUT_V2_SEC: i64 = 300;

type Connected = Result<(StatusCode, Json<Sandbox>), ApiError>;

/// Connect to a sandbox: 200 when it was running, 201 when it had to be resumed.
#[utoipa::path(post, path = "/sandboxes/{id}/connect", tag = "e2b", operation_id = "e2b_connect_sandbox_v1", params(("id" = String, Path)),
    responses((status = 200, body = Sandbox), (status = 201, body = Sandbox), (status = "4XX", body = E2bError), (status = "5XX", body = E2bError)))]
pub(crate) async fn connect_v1(
    State(app): State<AppState>,
    caller: Caller,
    Id(id): Id,
    OptionalJson(request): OptionalJson<ConnectSandbox>,
) -> Connected {
    let seconds = positive(request.timeout.unwrap_or(TIMEOUT_V1_SEC))?;
    connect(&app, &caller, id, seconds).await
}

/// Connect to a sandbox: 200 when it was running, 201 when it had to be resumed.
#[utoipa::path(post, path = "/v2/sandboxes/{id}/connect", tag = "e2b", operation_id = "e2b_connect_sandbox", params(("id" = String, Path)),
    responses((status = 200, body = Sandbox), (status = 201, body = Sandbox), (status = "4XX", body = E2bError), (status = "5XX", body = E2bError)))]
pub(crate) async fn connect_v2(
    State(app): State<AppState>,
    caller: Caller,
    Id(id): Id,
    OptionalJson(request): OptionalJson<ConnectSandbox>,
) -> Connected {
    let seconds = positive(request.timeout.unwrap_or(TIMEOUT_V2_SEC))?;
    connect(&app, &caller, id, seconds).await
}

/// Resume a paused sandbox; 409 when it runs.
#[utoipa::path(post, path = "/sandboxes/{id}/resume", tag = "e2b", operation_id = "e2b_resume_sandbox", params(("id" = String, Path)),
    responses((status = 201, body = Sandbox), (status = "4XX", body = E2bError), (status = "5XX", body = E2bError)))]
pub(crate) async fn resume(
    State(app): State<AppState>,
    caller: Caller,
    Id(id): Id,
    OptionalJson(request): OptionalJson<ResumeSandbox>,
) -> Connected {
    let seconds = positive(request.timeout.unwrap_or(TIMEOUT_V1_SEC))?;
    let sandbox = app.control.get_sandbox(caller.team(), id).await?;
    alive(&sandbox)?;
    if !matches!(sandbox.state, locule_domain::SandboxState::Paused) {
        return Err(ApiError::invalid_state("the sandbox is not paused"));
    }
    let (_, connected) = connect(&app, &caller, id, seconds).await?;
    Ok((StatusCode::CREATED, connected))
}

async fn connect(app: &AppState, caller: &Caller, id: SandboxId, seconds: u32) -> Connected {
    alive(&app.control.get_sandbox(caller.team(), id).await?)?;
    let (sandbox, resumed) = app.control.connect_sandbox(&caller.0, id, seconds).await?;
    let status = if resumed {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let tokens = Tokens::of(app, id).await?;
    Ok((status, Json(created(&sandbox, tokens))))
}
