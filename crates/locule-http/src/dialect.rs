//! The dialect of an error response, which follows from the path of its request.

use axum::response::{IntoResponse as _, Response};

use crate::e2b;
use crate::error::ApiError;

/// Whether error responses of a path are in the native dialect. Any other path has the E2B dialect.
pub(crate) fn is_native(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/auth/")
}

pub(crate) fn in_dialect(path: &str, failure: ApiError) -> Response {
    let response = failure.into_response();
    if is_native(path) {
        response
    } else {
        e2b::error::translated(response)
    }
}
