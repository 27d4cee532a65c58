//! The error responses of every operation. Most statuses follow from an operation's parameters, body and path, and are added
//! here. A handler's annotation names only the statuses that do not follow, without a body: `(status = 409)`.

use std::collections::BTreeSet;

use locule_api::ErrorBody;
use locule_api::e2b::E2bError;
use utoipa::ToSchema as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response, SecurityRequirement};

use crate::dialect::is_native;
use crate::need::operations;

const JSON: &str = "application/json";

/// Every status of an error response, and its description. The error codes are in `docs/ERRORS.md`.
const STATUSES: &[(u16, &str)] = &[
    (
        400,
        "The request cannot be read, or a value is out of its bounds.",
    ),
    (
        401,
        "The credential is missing, unknown, expired or revoked.",
    ),
    (403, "The credential does not allow the operation."),
    (
        404,
        "The resource does not exist, or belongs to another team.",
    ),
    (408, "The body took too long to arrive."),
    (
        409,
        "The state of the resource does not allow the operation, or another request changed the resource first.",
    ),
    (413, "The body is larger than the operation accepts."),
    (
        415,
        "The operation does not accept the media type of the body.",
    ),
    (416, "The range begins after the end of the resource."),
    (
        422,
        "The idempotency key was used with a different request.",
    ),
    (
        429,
        "Too many requests were sent, or a limit of the team is reached.",
    ),
    (500, "An internal error occurred."),
    (
        502,
        "The host or the sandbox failed, or sent an invalid response.",
    ),
    (
        503,
        "The operation is not possible at the moment. The same request may succeed later.",
    ),
    (507, "The disk of the sandbox is full."),
];

/// Adds the error responses that the handlers' annotations leave out.
pub(super) fn complete(document: &mut OpenApi) {
    // The document's security applies to an operation that does not declare its own.
    let needs_credential = document.security.is_some();
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            complete_operation(path, operation, needs_credential);
        }
    }
}

fn complete_operation(path: &str, operation: &mut Operation, needs_credential: bool) {
    let implied = implied(path, operation, needs_credential);
    let responses = &mut operation.responses.responses;
    for (status, description) in STATUSES {
        let missing = match responses.get(&status.to_string()) {
            // A response with a body is complete.
            Some(RefOr::T(own)) => own.content.is_empty(),
            Some(RefOr::Ref(_)) => false,
            None => implied.contains(status),
        };
        if missing {
            let response = error_response(path, *status, description);
            responses.insert(status.to_string(), response.into());
        }
    }
}

/// The error statuses that follow from the operation's parts.
fn implied(path: &str, operation: &Operation, needs_credential: bool) -> BTreeSet<u16> {
    let has = |status: &str| operation.responses.responses.contains_key(status);
    if has("101") {
        // Other errors are sent over the socket.
        return BTreeSet::from([400, 401, 403, 429, 500, 503]);
    }
    if path == "/health" {
        return BTreeSet::new();
    }
    let mut statuses = BTreeSet::from([429, 500, 503]);
    if operation
        .parameters
        .as_ref()
        .is_some_and(|all| !all.is_empty())
    {
        statuses.insert(400);
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        statuses.extend(body_statuses(body));
    }
    let open = |all: &Vec<_>| {
        all.iter()
            .all(|requirement| *requirement == SecurityRequirement::default())
    };
    if !operation.security.as_ref().map_or(!needs_credential, open) {
        statuses.extend([401, 403]);
    }
    if path.contains("/sandboxes/{id}") {
        statuses.insert(404);
        // Getting a sandbox reads the database alone: no state is required and no host is called.
        let is_get = path.ends_with("{id}") && !has("204");
        if !is_get {
            statuses.extend([409, 502]);
        }
    }
    statuses
}

/// A JSON body has a time limit and a size limit; an optional body needs no `Content-Type`.
fn body_statuses(body: &RequestBody) -> &'static [u16] {
    match (body.content.contains_key(JSON), &body.required) {
        (true, Some(Required::True)) => &[400, 408, 413, 415],
        (true, _) => &[400, 408, 413],
        (false, _) => &[400, 408],
    }
}

fn error_response(path: &str, status: u16, description: &str) -> Response {
    let name = if is_native(path) {
        ErrorBody::name()
    } else {
        E2bError::name()
    };
    let mut response = Response::new(description);
    let content = Content::new(Some(Ref::from_schema_name(name)));
    response.content.insert(JSON.to_owned(), content.into());
    if status == 429 {
        let headers = [
            (
                "Retry-After",
                Type::Integer,
                "Seconds to wait before the next request. Absent when waiting does not help.",
            ),
            (
                "should-retry",
                Type::String,
                "`false` when repeating the request does not help.",
            ),
        ];
        for (name, kind, description) in headers {
            let header = HeaderBuilder::new()
                .schema(Some(Object::with_type(kind)))
                .description(Some(description))
                .build();
            response.headers.insert(name.to_owned(), header.into());
        }
    }
    response
}
