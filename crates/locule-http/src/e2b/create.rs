//! The create operations of both versions.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::e2b::{Network, Sandbox};
use locule_api::schema;
use serde_json::{Map, Value};

use super::views::{PortDomain, Tokens, created, template_name};
use crate::caller::MayUse;
use crate::error::ApiError;
use crate::extract::{ApiJson, IdempotencyKey};
use crate::sandboxes::create_once;
use crate::state::AppState;

const TIMEOUT_V1_SEC: i64 = 15;
const TIMEOUT_V2_SEC: i64 = 300;

/// Create a sandbox
///
/// The sandbox times out after 15 seconds when `timeout` is absent.
#[utoipa::path(post, path = "/sandboxes", tag = "e2b", operation_id = "e2b_create_sandbox_v1",
    params(("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "A key that makes the request safe to retry: the same key with the same request returns the same sandbox")),
    request_body = locule_api::e2b::NewSandbox,
    responses((status = 201, body = Sandbox), (status = 404), (status = 409), (status = 422), (status = 429), (status = 502)))]
pub(crate) async fn create_v1(
    State(app): State<AppState>,
    caller: MayUse,
    key: IdempotencyKey,
    domain: PortDomain,
    ApiJson(request): ApiJson<locule_api::e2b::NewSandbox>,
) -> Result<(StatusCode, Json<Sandbox>), ApiError> {
    create(&app, &caller, (key, domain), request, TIMEOUT_V1_SEC).await
}

/// Create a sandbox
///
/// The sandbox times out after 300 seconds when `timeout` is absent.
#[utoipa::path(post, path = "/v2/sandboxes", tag = "e2b", operation_id = "e2b_create_sandbox",
    params(("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "A key that makes the request safe to retry: the same key with the same request returns the same sandbox")),
    request_body = locule_api::e2b::NewSandbox,
    responses((status = 201, body = Sandbox), (status = 404), (status = 409), (status = 422), (status = 429), (status = 502)))]
pub(crate) async fn create_v2(
    State(app): State<AppState>,
    caller: MayUse,
    key: IdempotencyKey,
    domain: PortDomain,
    ApiJson(request): ApiJson<locule_api::e2b::NewSandbox>,
) -> Result<(StatusCode, Json<Sandbox>), ApiError> {
    create(&app, &caller, (key, domain), request, TIMEOUT_V2_SEC).await
}

async fn create(
    app: &AppState,
    caller: &MayUse,
    (key, domain): (IdempotencyKey, PortDomain),
    request: locule_api::e2b::NewSandbox,
    timeout_default: i64,
) -> Result<(StatusCode, Json<Sandbox>), ApiError> {
    let new = new_sandbox(request, timeout_default)?;
    let sandbox = create_once(app, caller, key, new).await?;
    let tokens = Tokens::of(app, &caller.0, &sandbox, domain).await?;
    Ok((StatusCode::CREATED, Json(created(&sandbox, tokens))))
}

fn new_sandbox(
    request: locule_api::e2b::NewSandbox,
    timeout_default: i64,
) -> Result<locule_domain::NewSandbox, ApiError> {
    refuse_unsupported(&request)?;
    let network = request.network.unwrap_or_default();
    let on_timeout = match request.auto_pause {
        Some(true) => locule_domain::OnTimeout::Pause,
        Some(false) | None => locule_domain::OnTimeout::Kill,
    };
    Ok(locule_domain::NewSandbox {
        template: template_name(&request.template_id).to_owned(),
        vcpus: None,
        memory_mib: request.memory_mb.map(memory_mib).transpose()?,
        timeout_sec: 0,
        expires_in: Some(Duration::from_secs(
            timeout_seconds(request.timeout.unwrap_or(timeout_default))?.into(),
        )),
        on_timeout,
        auto_resume: request.auto_resume.is_some_and(|resume| resume.enabled),
        env: request.env_vars.unwrap_or_default(),
        labels: request.metadata.unwrap_or_default(),
        public_traffic: network.allow_public_traffic.unwrap_or(true),
    })
}

/// Refuses every setting that the platform does not enforce, so that a client does not rely on it.
fn refuse_unsupported(request: &locule_api::e2b::NewSandbox) -> Result<(), ApiError> {
    let default = Network::default();
    let network = request.network.as_ref().unwrap_or(&default);
    let unsupported = [
        (
            "autoPauseMemory: false",
            request.auto_pause_memory == Some(false),
        ),
        (
            "allow_internet_access: false",
            request.allow_internet_access == Some(false),
        ),
        ("iam", has_values(request.iam.as_ref())),
        ("volumeMounts", has_items(request.volume_mounts.as_ref())),
        ("network.allowOut", has_items(network.allow_out.as_ref())),
        ("network.denyOut", has_items(network.deny_out.as_ref())),
        ("network.rules", has_values(network.rules.as_ref())),
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
            has_values(network.egress_proxy.as_ref()),
        ),
    ];
    match unsupported.into_iter().find(|(_, is_set)| *is_set) {
        Some((setting, _)) => Err(ApiError::invalid(format!("{setting} is not supported"))),
        None => Ok(()),
    }
}

fn has_items(list: Option<&Vec<Value>>) -> bool {
    list.is_some_and(|items| !items.is_empty())
}

fn has_values(object: Option<&Map<String, Value>>) -> bool {
    object.is_some_and(|fields| fields.values().any(is_value))
}

/// Whether a value sets anything. Null and empty values do not.
fn is_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => fields.values().any(is_value),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A size of any mebibyte, rounded up to one that a sandbox can have.
fn memory_mib(mib: i64) -> Result<u32, ApiError> {
    match u32::try_from(mib) {
        Ok(mib @ 1..) => Ok(locule_domain::round_up_memory(mib)),
        _ => Err(ApiError::invalid("memoryMB must be 1 or more")),
    }
}

/// A timeout in whole seconds, 1 or more.
pub(super) fn timeout_seconds(seconds: i64) -> Result<u32, ApiError> {
    if seconds < 1 {
        return Err(ApiError::invalid("timeout must be 1 or more"));
    }
    representable(seconds)
}

/// The use case compares the timeout with the platform's maximum.
pub(super) fn representable(seconds: i64) -> Result<u32, ApiError> {
    u32::try_from(seconds).map_err(|_| ApiError::invalid("the timeout is too long"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> locule_api::e2b::NewSandbox {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn absent_settings_have_the_defaults_of_the_dialect() {
        let new = new_sandbox(
            request(r#"{"templateID":"base","surprise":1}"#),
            TIMEOUT_V1_SEC,
        )
        .unwrap();
        assert_eq!(new.template, "minimal");
        assert_eq!(new.expires_in, Some(Duration::from_secs(15)));
        assert!(new.public_traffic && !new.auto_resume && new.timeout_sec == 0);
    }

    #[test]
    fn empty_settings_are_accepted() {
        let body = r#"{"templateID":"base","iam":{"tokens":{}},"volumeMounts":[],"mcp":null,
            "network":{"denyOut":[],"allowOut":null,"rules":{},"maskRequestHost":null}}"#;
        new_sandbox(request(body), TIMEOUT_V2_SEC).unwrap();
    }

    #[test]
    fn settings_that_are_not_enforced_are_refused() {
        for body in [
            r#"{"templateID":"base","timeout":0}"#,
            r#"{"templateID":"base","timeout":-1}"#,
            r#"{"templateID":"base","memoryMB":0}"#,
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
