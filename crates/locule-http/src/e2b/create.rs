//! Both creates.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::e2b::{E2bError, Network, Sandbox};

use super::views::{Tokens, created, template_name};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{ApiJson, IdempotencyKey};
use crate::sandboxes::create::once;
use crate::state::AppState;

const TIMEOUT_V1_SEC: i64 = 15;
const TIMEOUT_V2_SEC: i64 = 300;

/// Create a sandbox (15 seconds unless told otherwise).
#[utoipa::path(post, path = "/sandboxes", tag = "e2b", operation_id = "e2b_create_sandbox_v1",
    responses((status = 201, body = Sandbox), (status = "4XX", body = E2bError), (status = "5XX", body = E2bError)))]
pub(crate) async fn create_v1(
    State(app): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<locule_api::e2b::NewSandbox>,
) -> Result<(StatusCode, Json<Sandbox>), ApiError> {
    create(&app, &caller, key, request, TIMEOUT_V1_SEC).await
}

/// Create a sandbox (five minutes unless told otherwise).
#[utoipa::path(post, path = "/v2/sandboxes", tag = "e2b", operation_id = "e2b_create_sandbox",
    responses((status = 201, body = Sandbox), (status = "4XX", body = E2bError), (status = "5XX", body = E2bError)))]
pub(crate) async fn create_v2(
    State(app): State<AppState>,
    caller: Caller,
    key: IdempotencyKey,
    ApiJson(request): ApiJson<locule_api::e2b::NewSandbox>,
) -> Result<(StatusCode, Json<Sandbox>), ApiError> {
    create(&app, &caller, key, request, TIMEOUT_V2_SEC).await
}

async fn create(
    app: &AppState,
    caller: &Caller,
    key: IdempotencyKey,
    request: locule_api::e2b::NewSandbox,
    timeout_default: i64,
) -> Result<(StatusCode, Json<Sandbox>), ApiError> {
    let wanted = new_sandbox(request, timeout_default)?;
    let sandbox = once(app, caller, key, wanted).await?;
    let tokens = Tokens::of(app, sandbox.id).await?;
    Ok((StatusCode::CREATED, Json(created(&sandbox, tokens))))
}

fn new_sandbox(
    request: locule_api::e2b::NewSandbox,
    timeout_default: i64,
) -> Result<locule_domain::NewSandbox, ApiError> {
    let network = request.network.unwrap_or_default();
    refuse_egress_rules(&network, request.allow_internet_access)?;
    let on_timeout = match request.auto_pause {
        Some(true) => locule_domain::OnTimeout::Pause,
        Some(false) | None => locule_domain::OnTimeout::Kill,
    };
    if request.auto_pause_memory == Some(false) {
        return Err(ApiError::invalid("autoPauseMemory: false is not supported"));
    }
    Ok(locule_domain::NewSandbox {
        template: template_name(&request.template_id).to_owned(),
        vcpus: None,
        memory_mb: None,
        timeout_sec: 0,
        expires_in: Some(Duration::from_secs(
            positive(request.timeout.unwrap_or(timeout_default))?.into(),
        )),
        on_timeout,
        auto_resume: request.auto_resume.is_some_and(|resume| resume.enabled),
        env: request.env_vars.unwrap_or_default(),
        labels: request.metadata.unwrap_or_default(),
        public_traffic: network.allow_public_traffic.unwrap_or(true),
    })
}

/// A rule that would not be enforced must not look as if it were.
fn refuse_egress_rules(network: &Network, internet: Option<bool>) -> Result<(), ApiError> {
    let restricted =
        internet == Some(false) || !network.deny_out.is_empty() || !network.allow_out.is_empty();
    if restricted {
        return Err(ApiError::invalid("outbound rules are not supported"));
    }
    Ok(())
}

/// A length of life in whole seconds.
pub(super) fn positive(seconds: i64) -> Result<u32, ApiError> {
    match u32::try_from(seconds) {
        Ok(seconds @ 1..) => Ok(seconds),
        _ => Err(ApiError::invalid("timeout must be 1 or more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> locule_api::e2b::NewSandbox {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_dialect() {
        let wanted = new_sandbox(
            request(r#"{"templateID":"base","surprise":1}"#),
            TIMEOUT_V1_SEC,
        )
        .unwrap();
        assert_eq!(wanted.template, "minimal");
        assert_eq!(wanted.expires_in, Some(Duration::from_secs(15)));
        assert!(wanted.public_traffic && !wanted.auto_resume && wanted.timeout_sec == 0);
    }

    #[test]
    fn what_would_not_be_enforced_is_refused() {
        for body in [
            r#"{"templateID":"base","timeout":0}"#,
            r#"{"templateID":"base","timeout":-1}"#,
            r#"{"templateID":"base","allow_internet_access":false}"#,
            r#"{"templateID":"base","network":{"denyOut":["0.0.0.0/0"]}}"#,
            r#"{"templateID":"base","autoPauseMemory":false}"#,
        ] {
            assert!(
                new_sandbox(request(body), TIMEOUT_V2_SEC).is_err(),
                "{body}"
            );
        }
    }
}
