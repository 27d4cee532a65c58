//! How operations refuse. What one can be refused with follows from what it takes and what it is about: that is said here,
//! once. A handler's own annotation names only what is its own, by the bare status: `(status = 409)`.

use std::collections::BTreeSet;

use locule_api::ErrorBody;
use locule_api::e2b::E2bError;
use utoipa::ToSchema as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{
    Content, OpenApi, PathItem, Ref, RefOr, Required, Response, SecurityRequirement,
};

use crate::router::is_native;

const JSON: &str = "application/json";

/// Every status of a refusal, and what it is for in a few words. The codes are in `docs/ERRORS.md`.
const STATUSES: &[(u16, &str)] = &[
    (
        400,
        "The request cannot be read, or a value is out of its bounds.",
    ),
    (
        401,
        "No credential, or one that is unknown, expired or revoked.",
    ),
    (403, "The credential does not allow this."),
    (
        404,
        "There is no such thing, or it belongs to another team.",
    ),
    (408, "The body took too long to arrive."),
    (
        409,
        "It is in a state in which this cannot be done, or somebody else was faster.",
    ),
    (413, "The body is larger than this operation takes."),
    (
        415,
        "The body is not of a media type that this operation reads.",
    ),
    (422, "The idempotency key was used with another request."),
    (429, "Too many requests, or a limit of the team is used up."),
    (500, "Something broke on our side."),
    (502, "The host or the sandbox failed, or answered nonsense."),
    (
        503,
        "Not possible right now; the same request may work later.",
    ),
    (507, "The disk of the sandbox is full."),
];

/// Completes what the handlers' annotations leave out.
pub(super) fn complete(document: &mut OpenApi) {
    // Global: what an operation asks for where it does not say.
    let asks = document.security.is_some();
    for (path, item) in &mut document.paths.paths {
        for operation in operations(item) {
            complete_one(path, operation, asks);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ];
    all.into_iter().filter_map(Option::as_mut)
}

fn complete_one(path: &str, operation: &mut Operation, asks: bool) {
    let implied = implied(path, operation, asks);
    let responses = &mut operation.responses.responses;
    for (status, description) in STATUSES {
        let missing = match responses.get(&status.to_string()) {
            // With a body it says all.
            Some(RefOr::T(own)) => own.content.is_empty(),
            Some(RefOr::Ref(_)) => false,
            None => implied.contains(status),
        };
        if missing {
            let refusal = refusal(path, *status, description);
            responses.insert(status.to_string(), refusal.into());
        }
    }
}

/// What follows from the operation's parts.
fn implied(path: &str, operation: &Operation, asks: bool) -> BTreeSet<u16> {
    let has = |status: &str| operation.responses.responses.contains_key(status);
    if has("101") {
        // Whatever else is wrong is told over the socket.
        return BTreeSet::from([400]);
    }
    if path == "/health" {
        return BTreeSet::new();
    }
    let mut statuses = BTreeSet::from([500, 503]);
    if operation
        .parameters
        .as_ref()
        .is_some_and(|all| !all.is_empty())
    {
        statuses.insert(400);
    }
    if let Some(RefOr::T(body)) = &operation.request_body {
        statuses.extend(of_body(body));
    }
    let open = |all: &Vec<_>| all.iter().all(|one| *one == SecurityRequirement::default());
    if !operation.security.as_ref().map_or(!asks, open) {
        statuses.extend([401, 403]);
    }
    if path.contains("/sandboxes/{id}") {
        statuses.insert(404);
        // To look at the sandbox itself asks nobody else.
        let looks = path.ends_with("{id}") && !has("204");
        if !looks {
            statuses.extend([409, 502]);
        }
    }
    statuses
}

/// A document is waited for so long, and no larger than so; what may be missing needs no media type.
fn of_body(body: &RequestBody) -> &'static [u16] {
    match (body.content.contains_key(JSON), &body.required) {
        (true, Some(Required::True)) => &[400, 408, 413, 415],
        (true, _) => &[400, 408, 413],
        (false, _) => &[400],
    }
}

fn refusal(path: &str, status: u16, description: &str) -> Response {
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
                "Seconds, where waiting helps.",
            ),
            ("should-retry", Type::String, "`false` where it does not."),
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
