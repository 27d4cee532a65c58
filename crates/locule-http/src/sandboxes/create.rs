//! `POST /v1/sandboxes`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{CreateSandboxRequest, OnTimeout, Sandbox, schema};
use locule_domain::NewSandbox;

use crate::caller::MayUse;
use crate::error::ApiError;
use crate::extract::{ApiJson, IdempotencyKey};
use crate::state::AppState;
use crate::views::sandbox_view;

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
    Ok((StatusCode::CREATED, Json(sandbox_view(&sandbox))))
}

/// Creates a sandbox. The same idempotency key with the same request returns the same sandbox.
pub(crate) async fn create_once(
    app: &AppState,
    caller: &MayUse,
    key: IdempotencyKey,
    new: NewSandbox,
) -> Result<locule_domain::Sandbox, ApiError> {
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
        Some(seconds) => match u32::try_from(seconds) {
            Ok(seconds @ 1..) => Some(Duration::from_secs(seconds.into())),
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
        on_timeout: match request.on_timeout {
            None | Some(OnTimeout::Kill) => locule_domain::OnTimeout::Kill,
            Some(OnTimeout::Pause) => locule_domain::OnTimeout::Pause,
        },
        auto_resume: request.auto_resume.unwrap_or_default(),
        env: request.envs,
        labels: request.labels,
        public_traffic: false,
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
