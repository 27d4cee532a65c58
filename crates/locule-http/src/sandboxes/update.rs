//! Update a sandbox.

use axum::Json;
use axum::extract::State;
use locule_api::{NewExpiry, Sandbox, UpdateSandboxRequest, schema};
use locule_domain::{Expiry, SandboxUpdate};

use crate::caller::MayUse;
use crate::error::ApiError;
use crate::extract::{ApiJson, Id};
use crate::running::running_or_paused;
use crate::sandboxes::view::{action, answer};
use crate::state::AppState;

/// Change a sandbox
///
/// Changes the fields that the body names, of a running or paused sandbox. New timeouts count as activity: the idle time starts again.
#[utoipa::path(patch, path = "/v1/sandboxes/{id}", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    request_body = UpdateSandboxRequest,
    responses((status = 200, body = Sandbox), (status = 409), (status = 429), (status = 502)))]
pub(crate) async fn update_sandbox(
    State(app): State<AppState>,
    caller: MayUse,
    Id(id): Id,
    body: Result<ApiJson<UpdateSandboxRequest>, ApiError>,
) -> Result<Json<Sandbox>, ApiError> {
    running_or_paused(&app, &caller, id).await?;
    let ApiJson(request) = body?;
    let update = update(request)?;
    let sandbox = app.sandboxes.update_sandbox(&caller.0, id, &update).await?;
    answer(&app, sandbox).await
}

fn update(request: UpdateSandboxRequest) -> Result<SandboxUpdate, ApiError> {
    let idle = |seconds| {
        u32::try_from(seconds)
            .map_err(|_| ApiError::invalid("timeout_sec must be between 0 and 4294967295"))
    };
    let expiry = |expiry| match expiry {
        NewExpiry::Never => Ok(Expiry::Never),
        NewExpiry::InSeconds(seconds) => match u32::try_from(seconds) {
            Ok(seconds @ 1..) => Ok(Expiry::After(seconds)),
            _ => Err(ApiError::invalid(
                "expires_in_sec must be between 1 and 4294967295",
            )),
        },
    };
    Ok(SandboxUpdate {
        labels: request.labels.unwrap_or_default(),
        timeout_sec: request.timeout_sec.map(idle).transpose()?,
        expiry: request.expires_in_sec.map(expiry).transpose()?,
        on_timeout: request.on_timeout.map(action),
        auto_resume: request.auto_resume,
        public_traffic: request.public_traffic,
    })
}
