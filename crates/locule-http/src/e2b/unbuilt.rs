//! Operations of this dialect that the platform does not have yet. With 404 the SDKs would tell that the sandbox is gone.

use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{Method, StatusCode};
use locule_api::ErrorCode;

use super::error::translated;
use crate::caller::MayRead;
use crate::error::ApiError;
use crate::state::AppState;

/// Methods and paths; `*` stands for one segment.
const OPERATIONS: [(&str, &str); 24] = [
    ("POST", "/sandboxes/*/fork"),
    ("POST", "/sandboxes/*/snapshots"),
    ("GET", "/sandboxes/*/metrics"),
    ("PUT", "/sandboxes/*/network"),
    ("GET", "/sandboxes/*/logs"),
    ("GET", "/v2/sandboxes/*/logs"),
    ("GET", "/snapshots"),
    ("GET", "/templates"),
    ("POST", "/templates"),
    ("POST", "/v2/templates"),
    ("POST", "/v3/templates"),
    ("GET", "/templates/*"),
    ("DELETE", "/templates/*"),
    ("PATCH", "/templates/*"),
    ("PATCH", "/v2/templates/*"),
    ("GET", "/templates/aliases/*"),
    ("POST", "/templates/tags"),
    ("DELETE", "/templates/tags"),
    ("GET", "/templates/*/tags"),
    ("GET", "/templates/*/files/*"),
    ("POST", "/v2/templates/*/builds/*"),
    ("GET", "/templates/*/builds/*/*"),
    ("GET", "/volumes"),
    ("POST", "/volumes"),
];

/// The answer to a request for such an operation.
pub(crate) async fn refused(app: &AppState, request: &Parts) -> Option<Response> {
    if !is_listed(&request.method, request.uri.path()) {
        return None;
    }
    let refusal = match MayRead::of(&request.headers, app).await {
        Ok(Some(_)) => ApiError::Request {
            status: StatusCode::NOT_IMPLEMENTED,
            code: ErrorCode::NotImplemented,
            message: "the platform does not have this operation of the E2B API yet".to_owned(),
        },
        Ok(None) => ApiError::unauthorized(),
        Err(error) => error,
    };
    Some(translated(refusal.into_response()))
}

fn is_listed(method: &Method, path: &str) -> bool {
    let matches = |pattern: &str| {
        let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some("*"), Some(segment)) if !segment.is_empty() => {}
                (Some(wanted), Some(found)) if wanted == found => {}
                _ => return false,
            }
        }
    };
    OPERATIONS
        .iter()
        .any(|(known, pattern)| method == known && matches(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_operation_is_known_by_method_and_path() {
        for (method, path, listed) in [
            (Method::POST, "/sandboxes/x/fork", true),
            (Method::GET, "/templates/a%2Fb/builds/c/status", true),
            (Method::GET, "/templates/aliases/base", true),
            (Method::GET, "/sandboxes/x/fork", false),
            (Method::POST, "/sandboxes//fork", false),
            (Method::POST, "/sandboxes/x/fork/", false),
            (Method::POST, "/sandboxes/x", false),
        ] {
            assert_eq!(is_listed(&method, path), listed, "{method} {path}");
        }
    }
}
