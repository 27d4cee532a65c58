//! Error responses of this dialect: `{code, message, error_code}`.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use locule_api::e2b::E2bError;

use crate::error::{ErrorReply, SHOULD_RETRY};

/// Rewrites a native error response in this dialect. Any other response is returned unchanged.
pub(crate) fn translated(response: Response) -> Response {
    let Some(error) = response.extensions().get::<ErrorReply>().cloned() else {
        return response;
    };
    let status = response.status();
    let body = E2bError {
        code: status.as_u16(),
        message: error.message,
        error_code: Some(error.code.as_str().to_owned()),
    };
    let mut translated = (status, Json(body)).into_response();
    for name in [SHOULD_RETRY, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            translated.headers_mut().insert(name, value.clone());
        }
    }
    translated
}

pub(crate) async fn translate(response: Response) -> Response {
    translated(response)
}

/// Asks the SDKs not to repeat a request that failed: they repeat a POST after 429 or 5xx otherwise.
pub(crate) async fn forbid_retry(mut response: Response) -> Response {
    let status = response.status();
    if status.is_server_error() || status.is_client_error() {
        let never = HeaderValue::from_static("false");
        response.headers_mut().insert(SHOULD_RETRY, never);
    }
    response
}
