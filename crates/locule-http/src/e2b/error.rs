//! Refusals in this dialect: `{code, message, error_code}`.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use locule_api::e2b::E2bError;

use crate::error::{Refused, SHOULD_RETRY};

/// The native refusal in the words of this dialect; anything else as it is.
pub(crate) fn reworded(response: Response) -> Response {
    let Some(refused) = response.extensions().get::<Refused>().cloned() else {
        return response;
    };
    let status = response.status();
    let body = E2bError {
        code: status.as_u16(),
        message: refused.message,
        error_code: Some(refused.code.as_str().to_owned()),
    };
    let mut reworded = (status, Json(body)).into_response();
    for name in [SHOULD_RETRY, header::RETRY_AFTER] {
        if let Some(value) = response.headers().get(&name) {
            reworded.headers_mut().insert(name, value.clone());
        }
    }
    reworded
}

pub(crate) async fn reword(response: Response) -> Response {
    reworded(response)
}

/// The SDKs repeat a POST that failed with 429 or 5xx unless told not to.
pub(crate) async fn never_again(mut response: Response) -> Response {
    let status = response.status();
    if status.is_server_error() || status.is_client_error() {
        let never = HeaderValue::from_static("false");
        response.headers_mut().insert(SHOULD_RETRY, never);
    }
    response
}
