//! Operations on sandboxes in the native dialect.

pub(crate) mod clock;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod update;
pub(crate) mod view;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{CreateSandboxRequest, OnTimeout, Sandbox, schema};
use locule_domain as domain;
use locule_domain::NewSandbox;

use crate::caller::{MayRead, MayUse};
use crate::error::ApiError;
use crate::extract::{ApiJson, Id, IdempotencyKey};
use crate::sandboxes::view::{action, answer, sandbox_view};
use crate::state::AppState;

const TEMPLATE_DEFAULT: &str = "minimal";

/// Create a sandbox
#[utoipa::path(post, path = "/v1/sandboxes", tag = "sandboxes",
    params(("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "A key that makes the request safe to retry: the same key with the same request returns the same sandbox")),
    request_body = CreateSandboxRequest,
    responses((status = 201, body = Sandbox), (status = 404), (status = 409), (status = 422), (status = 429), (status = 502)))]
pub(crate) async fn create_sandbox(
    State(app): State<AppState>,
    caller: MayUse,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<CreateSandboxRequest>,
) -> Result<(StatusCode, Json<Sandbox>), ApiError> {
    let new = new_sandbox(request)?;
    let sandbox = create_once(&app, &caller, key, new).await?;
    Ok((StatusCode::CREATED, answer(&app, sandbox).await?))
}

/// Creates a sandbox. The same idempotency key with the same request returns the same sandbox.
pub(crate) async fn create_once(
    app: &AppState,
    caller: &MayUse,
    key: IdempotencyKey,
    new: NewSandbox,
) -> Result<domain::Sandbox, ApiError> {
    Ok(match key.0 {
        Some(key) => {
            app.sandboxes
                .create_sandbox_once(&caller.0, new, &key)
                .await?
        }
        None => app.sandboxes.create_sandbox(&caller.0, new).await?,
    })
}

fn new_sandbox(request: CreateSandboxRequest) -> Result<NewSandbox, ApiError> {
    let expires_in = match request.expires_in_sec {
        None => None,
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds @ 1..) => Some(Duration::from_secs(seconds)),
            _ => return Err(ApiError::invalid("expires_in_sec must be 1 or more")),
        },
    };
    Ok(NewSandbox {
        template: request
            .template
            .unwrap_or_else(|| TEMPLATE_DEFAULT.to_owned()),
        vcpus: size(request.vcpus, "vcpus")?,
        memory_mib: size(request.memory_mb, "memory_mb")?,
        timeout_sec: idle_seconds(request.timeout_sec)?,
        expires_in,
        on_timeout: action(request.on_timeout.unwrap_or(OnTimeout::Kill)),
        auto_resume: request.auto_resume.unwrap_or_default(),
        env: request.envs,
        labels: request.labels,
        public_traffic: request.public_traffic.unwrap_or_default(),
    })
}

/// Zero or less stands for the default. The control plane checks the configured upper bound.
fn size(value: Option<i64>, name: &str) -> Result<Option<u32>, ApiError> {
    match value {
        None | Some(i64::MIN..=0) => Ok(None),
        Some(value) => u32::try_from(value)
            .map(Some)
            .map_err(|_| ApiError::invalid(format!("{name} must be at most 4294967295"))),
    }
}

fn idle_seconds(value: Option<i64>) -> Result<u32, ApiError> {
    u32::try_from(value.unwrap_or_default())
        .map_err(|_| ApiError::invalid("timeout_sec must be between 0 and 4294967295"))
}

/// Get a sandbox
///
/// Returns the sandbox in any state.
#[utoipa::path(get, path = "/v1/sandboxes/{id}", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    responses((status = 200, body = Sandbox)))]
pub(crate) async fn get_sandbox(
    State(app): State<AppState>,
    caller: MayRead,
    Id(id): Id,
) -> Result<Json<Sandbox>, ApiError> {
    let described = app.sandboxes.get_described(caller.team(), id).await?;
    Ok(Json(sandbox_view(described)))
}

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
    answer(&app, sandbox).await
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
    answer(&app, sandbox).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_defaults_and_negative_times_are_refused() {
        let request = |timeout_sec, vcpus| CreateSandboxRequest {
            timeout_sec,
            vcpus,
            ..CreateSandboxRequest::default()
        };
        let new = new_sandbox(request(None, Some(-1))).unwrap();
        assert_eq!(
            (new.template.as_str(), new.vcpus, new.timeout_sec),
            ("minimal", None, 0)
        );
        new_sandbox(request(Some(-1), None)).unwrap_err();
        new_sandbox(request(None, Some(i64::MAX))).unwrap_err();
    }
}
