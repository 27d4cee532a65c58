//! The operations that connect to a sandbox or resume it. Connecting never shortens the timeout.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::e2b::{ConnectSandbox, ResumeSandbox, Sandbox};
use locule_api::schema;
use locule_domain::{OnTimeout, SandboxState};

use super::create::timeout_seconds;
use super::known::Known;
use super::views::{PortDomain, Tokens, created};
use crate::caller::Use;
use crate::error::ApiError;
use crate::extract::OptionalJson;
use crate::state::AppState;

const TIMEOUT_V1_SEC: i64 = 15;
const TIMEOUT_V2_SEC: i64 = 300;

type Connected = Result<(StatusCode, Json<Sandbox>), ApiError>;

/// Connect to a sandbox
///
/// Resumes a paused sandbox. Responds with 200 when the sandbox was running, with 201 when the sandbox was resumed.
#[utoipa::path(post, path = "/sandboxes/{id}/connect", tag = "e2b", operation_id = "e2b_connect_sandbox_v1", params(("id" = schema::BareSandboxId, Path)),
    request_body = Option<ConnectSandbox>,
    responses((status = 200, body = Sandbox), (status = 201, body = Sandbox), (status = 429)))]
pub(crate) async fn connect_v1(
    State(app): State<AppState>,
    known: Known<Use>,
    domain: PortDomain,
    body: Result<OptionalJson<ConnectSandbox>, ApiError>,
) -> Connected {
    connect(&app, &known, domain, body, TIMEOUT_V1_SEC).await
}

/// Connect to a sandbox
///
/// Resumes a paused sandbox. Responds with 200 when the sandbox was running, with 201 when the sandbox was resumed.
#[utoipa::path(post, path = "/v2/sandboxes/{id}/connect", tag = "e2b", operation_id = "e2b_connect_sandbox", params(("id" = schema::BareSandboxId, Path)),
    request_body = Option<ConnectSandbox>,
    responses((status = 200, body = Sandbox), (status = 201, body = Sandbox), (status = 429)))]
pub(crate) async fn connect_v2(
    State(app): State<AppState>,
    known: Known<Use>,
    domain: PortDomain,
    body: Result<OptionalJson<ConnectSandbox>, ApiError>,
) -> Connected {
    connect(&app, &known, domain, body, TIMEOUT_V2_SEC).await
}

/// Resume a sandbox
///
/// Responds with 409 when the sandbox is running.
#[utoipa::path(post, path = "/sandboxes/{id}/resume", tag = "e2b", operation_id = "e2b_resume_sandbox", params(("id" = schema::BareSandboxId, Path)),
    request_body = Option<ResumeSandbox>,
    responses((status = 201, body = Sandbox), (status = 429)))]
pub(crate) async fn resume(
    State(app): State<AppState>,
    known: Known<Use>,
    domain: PortDomain,
    body: Result<OptionalJson<ResumeSandbox>, ApiError>,
) -> Connected {
    known.is(SandboxState::Paused)?;
    let OptionalJson(request) = body?;
    require_memory(request.memory)?;
    if request.auto_pause == Some(true) && known.sandbox.timeouts.on_timeout != OnTimeout::Pause {
        return Err(ApiError::invalid(
            "autoPause of a sandbox cannot be changed; set autoPause in the create request",
        ));
    }
    let seconds = timeout_seconds(request.timeout.unwrap_or(TIMEOUT_V1_SEC))?;
    let (_, connected) = extend(&app, &known, domain, seconds).await?;
    Ok((StatusCode::CREATED, connected))
}

async fn connect(
    app: &AppState,
    known: &Known<Use>,
    domain: PortDomain,
    body: Result<OptionalJson<ConnectSandbox>, ApiError>,
    timeout_default: i64,
) -> Connected {
    if known.sandbox.state != SandboxState::Paused {
        known.is(SandboxState::Running)?;
    }
    let OptionalJson(request) = body?;
    require_memory(request.memory)?;
    let seconds = timeout_seconds(request.timeout.unwrap_or(timeout_default))?;
    extend(app, known, domain, seconds).await
}

/// Refuses a resume without the memory: a boot from the disk would end the processes in the sandbox.
fn require_memory(memory: Option<bool>) -> Result<(), ApiError> {
    if memory == Some(false) {
        return Err(ApiError::invalid(
            "memory: false is not supported; omit memory",
        ));
    }
    Ok(())
}

async fn extend(app: &AppState, known: &Known<Use>, domain: PortDomain, seconds: u32) -> Connected {
    let (caller, id) = (&known.caller.0, known.sandbox.id);
    let (sandbox, resumed) = app.sandboxes.connect_sandbox(caller, id, seconds).await?;
    let status = if resumed {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let tokens = Tokens::of(app, caller, &sandbox, domain).await?;
    Ok((status, Json(created(&sandbox, tokens))))
}
