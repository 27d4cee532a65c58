//! The OpenAPI document, generated from the handlers' annotations.

mod error_responses;
#[cfg(test)]
mod language;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::response::IntoResponse;
use http::header;
use locule_api::e2b::E2bError;
use locule_api::{
    ClientMessage, ErrorBody, PtyClientMessage, PtyServerMessage, ServerMessage, schema,
};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

use crate::need::{self, Need};
use crate::router;
use crate::state::HttpConfig;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Locule", description = "Sandboxes in microVMs. `/v1/capsules…` is an alias of `/v1/sandboxes…`."),
    components(schemas(
        ClientMessage, ServerMessage, PtyClientMessage, PtyServerMessage, ErrorBody, E2bError, schema::SandboxId, schema::UserId, schema::TeamId, schema::ApiKeyId,
        schema::HostId, schema::BareSandboxId, schema::EmailPrefix, schema::TemplateName, schema::PageToken, schema::IdempotencyKey,
        schema::CreatorId, schema::LabelFilter, schema::SearchText, schema::Port
    )),
    security(("api_key" = []), ("token" = [])),
    modifiers(&Credentials)
)]
pub(crate) struct Base;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let key = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key")));
        components.add_security_scheme("api_key", key);
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let host = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Host-Token")));
        components.add_security_scheme("host_token", host);
    }
}

/// The OpenAPI document of the whole public API.
pub fn document() -> OpenApi {
    let mut document = router::api(&HttpConfig::default()).into_openapi();
    need::take_needs(&mut document);
    error_responses::complete(&mut document);
    document
}

/// What every operation needs of its caller, by the id of the operation. `None` when its route records no need.
pub fn needs() -> BTreeMap<String, Option<Need>> {
    need::take_needs(&mut router::api(&HttpConfig::default()).into_openapi())
}

pub(crate) fn base() -> OpenApi {
    Base::openapi()
}

// Serialized once: the routes need no credential, so a client may request them at any rate. Maps, lists and text always serialize.
static JSON: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string(&document()).unwrap_or_default());
static YAML: LazyLock<String> =
    LazyLock::new(|| serde_yaml_ng::to_string(&document()).unwrap_or_default());

pub(crate) async fn as_json() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], JSON.as_str())
}

pub(crate) async fn as_yaml() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/yaml")], YAML.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// `make golden` rewrites the file.
    #[test]
    fn the_openapi_document_is_written_down() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/public.json");
        let text = document().to_pretty_json().unwrap() + "\n";
        #[expect(
            clippy::disallowed_methods,
            reason = "how a developer accepts a change"
        )]
        if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
            std::fs::write(path, &text).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == text,
            "openapi/public.json is out of date: run `make golden` and read the difference"
        );
    }

    #[test]
    fn every_operation_states_what_it_needs_of_its_caller() {
        let needs = needs();
        let without: Vec<&String> = needs
            .iter()
            .filter_map(|(id, need)| need.is_none().then_some(id))
            .collect();
        assert!(without.is_empty(), "{without:?}");
        assert!(needs.len() > 50, "{}", needs.len());
        for (id, need) in [
            ("get_health", Need::Public),
            ("list_sandboxes", Need::Read),
            ("exec", Need::Use),
            ("exec_stream", Need::Use),
            ("pty", Need::Use),
            ("process_stream", Need::Use),
            ("list_files", Need::Read),
            ("write_file", Need::Use),
            ("e2b_list_sandboxes", Need::Read),
            ("e2b_kill_sandbox", Need::Use),
            ("get_me", Need::Person),
            ("get_team", Need::Member),
            ("delete_any_team", Need::PlatformAdmin),
            ("send_heartbeat", Need::Host),
        ] {
            assert_eq!(needs[id], Some(need), "{id}");
        }
    }

    #[test]
    fn the_documented_credentials_are_those_that_the_operation_needs() {
        let document = serde_json::to_value(document()).unwrap();
        let needs = needs();
        for item in document["paths"].as_object().unwrap().values() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                let credentials = match needs[id].unwrap() {
                    Need::Public => json!([{}]),
                    // The document's own: an API key or a token.
                    Need::Read | Need::Use => Value::Null,
                    Need::Person | Need::Member | Need::PlatformAdmin => json!([{"token": []}]),
                    Need::Host => json!([{"host_token": []}]),
                };
                assert_eq!(operation["security"], credentials, "{id}");
            }
        }
    }

    #[test]
    fn every_operation_has_a_unique_id_and_documents_its_error_responses() {
        let mut seen = std::collections::BTreeSet::new();
        let document = serde_json::to_value(document()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(seen.insert(id.to_owned()), "{id} twice");
                let responses = operation["responses"].as_object().unwrap();
                // Each is a number: a client cannot rely on a range such as `4XX`.
                let statuses: Vec<u16> = responses
                    .keys()
                    .map(|status| status.parse().unwrap_or_else(|_| panic!("{id}: {status}")))
                    .collect();
                let errors = statuses.into_iter().filter(|status| *status >= 400);
                let envelope = errors.map(|status| &responses[&status.to_string()]["content"]);
                let envelopes: Vec<_> = envelope.collect();
                assert!(!envelopes.is_empty(), "{method} {path} documents no error");
                for envelope in envelopes {
                    assert!(envelope["application/json"].is_object(), "{method} {path}");
                }
            }
        }
        assert!(seen.len() > 25);
    }
}
