//! The OpenAPI document, made from the handlers.

use std::sync::LazyLock;

use axum::response::IntoResponse;
use http::header;
use locule_api::{ClientMessage, ServerMessage};
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

use crate::router;
use crate::state::HttpConfig;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Locule", description = "Sandboxes in microVMs. `/v1/capsules…` is another name for `/v1/sandboxes…`."),
    components(schemas(ClientMessage, ServerMessage)),
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
    }
}

/// The whole public API.
pub fn document() -> OpenApi {
    router::api(&HttpConfig::default()).into_openapi()
}

pub(crate) fn base() -> OpenApi {
    Base::openapi()
}

// Made once: anybody may ask for them, as often as they like. Maps, lists and text: nothing that could not be written.
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
    use super::*;

    /// `make golden` writes the file anew.
    #[test]
    fn the_document_is_written_down() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/public.json");
        let text = document().to_pretty_json().unwrap() + "\n";
        #[expect(
            clippy::disallowed_methods,
            reason = "how a developer accepts a change"
        )]
        if std::env::var("UPDATE_GOLDEN").is_ok_and(|wanted| wanted == "1") {
            std::fs::write(path, &text).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(
            written == text,
            "openapi/public.json is out of date: run `make golden` and read the difference"
        );
    }

    #[test]
    fn every_operation_has_an_id_of_its_own_and_says_how_it_refuses() {
        let mut seen = std::collections::BTreeSet::new();
        let document = serde_json::to_value(document()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(seen.insert(id.to_owned()), "{id} twice");
                let refuses = operation["responses"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .any(|status| status.starts_with(['4', '5']));
                assert!(refuses, "{method} {path} never fails");
            }
        }
        assert!(seen.len() > 25);
    }
}
