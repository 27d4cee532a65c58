//! Both creates.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::e2b::{Network, Sandbox};
use locule_api::schema;
use serde_json::{Map, Value};

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
    params(("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "The same key with the same request gives the same sandbox")),
    request_body = locule_api::e2b::NewSandbox,
    responses((status = 201, body = Sandbox), (status = 404), (status = 409), (status = 422), (status = 429), (status = 502)))]
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
    params(("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "The same key with the same request gives the same sandbox")),
    request_body = locule_api::e2b::NewSandbox,
    responses((status = 201, body = Sandbox), (status = 404), (status = 409), (status = 422), (status = 429), (status = 502)))]
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
    let tokens = Tokens::of(app, &sandbox);
    Ok((StatusCode::CREATED, Json(created(&sandbox, tokens))))
}

fn new_sandbox(
    request: locule_api::e2b::NewSandbox,
    timeout_default: i64,
) -> Result<locule_domain::NewSandbox, ApiError> {
    refuse_what_is_not_enforced(&request)?;
    let network = request.network.unwrap_or_default();
    let on_timeout = match request.auto_pause {
        Some(true) => locule_domain::OnTimeout::Pause,
        Some(false) | None => locule_domain::OnTimeout::Kill,
    };
    Ok(locule_domain::NewSandbox {
        template: template_name(&request.template_id).to_owned(),
        vcpus: None,
        memory_mib: None,
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
fn refuse_what_is_not_enforced(request: &locule_api::e2b::NewSandbox) -> Result<(), ApiError> {
    let nothing = Network::default();
    let network = request.network.as_ref().unwrap_or(&nothing);
    let asked = [
        (
            "autoPauseMemory: false",
            request.auto_pause_memory == Some(false),
        ),
        (
            "allow_internet_access: false",
            request.allow_internet_access == Some(false),
        ),
        ("iam", any_said(request.iam.as_ref())),
        ("volumeMounts", has_items(request.volume_mounts.as_ref())),
        ("network.allowOut", has_items(network.allow_out.as_ref())),
        ("network.denyOut", has_items(network.deny_out.as_ref())),
        ("network.rules", any_said(network.rules.as_ref())),
        (
            "network.maskRequestHost",
            network
                .mask_request_host
                .as_ref()
                .is_some_and(|text| !text.is_empty()),
        ),
        (
            "network.httpsPorts",
            has_items(network.https_ports.as_ref()),
        ),
        (
            "network.dnsServers",
            has_items(network.dns_servers.as_ref()),
        ),
        (
            "network.egressProxy",
            any_said(network.egress_proxy.as_ref()),
        ),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(ApiError::invalid(format!("{what} is not supported"))),
        None => Ok(()),
    }
}

fn has_items(list: Option<&Vec<Value>>) -> bool {
    list.is_some_and(|items| !items.is_empty())
}

fn any_said(object: Option<&Map<String, Value>>) -> bool {
    object.is_some_and(|fields| fields.values().any(is_said))
}

/// Whether it says anything: an empty list or object does not.
fn is_said(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(is_said),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
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
    fn what_says_nothing_is_no_rule() {
        let body = r#"{"templateID":"base","iam":{"tokens":{}},"volumeMounts":[],"mcp":null,
            "network":{"denyOut":[],"allowOut":null,"rules":{},"maskRequestHost":null}}"#;
        new_sandbox(request(body), TIMEOUT_V2_SEC).unwrap();
    }

    #[test]
    fn what_would_not_be_enforced_is_refused() {
        for body in [
            r#"{"templateID":"base","timeout":0}"#,
            r#"{"templateID":"base","timeout":-1}"#,
            r#"{"templateID":"base","allow_internet_access":false}"#,
            r#"{"templateID":"base","network":{"denyOut":["0.0.0.0/0"]}}"#,
            r#"{"templateID":"base","autoPauseMemory":false}"#,
            r#"{"templateID":"base","volumeMounts":[{"name":"v","path":"/v"}]}"#,
            r#"{"templateID":"base","iam":{"tokens":{"a":{"audience":"b"}}}}"#,
            r#"{"templateID":"base","network":{"allowOut":["example.org"]}}"#,
            r#"{"templateID":"base","network":{"rules":{"example.org":[{}]}}}"#,
            r#"{"templateID":"base","network":{"maskRequestHost":"x:${PORT}"}}"#,
            r#"{"templateID":"base","network":{"httpsPorts":[443]}}"#,
            r#"{"templateID":"base","network":{"dnsServers":["8.8.8.8"]}}"#,
            r#"{"templateID":"base","network":{"egressProxy":{"address":"x:1"}}}"#,
        ] {
            assert!(
                new_sandbox(request(body), TIMEOUT_V2_SEC).is_err(),
                "{body}"
            );
        }
    }
}
