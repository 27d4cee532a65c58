//! `GET /health`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use locule_api::{ErrorBody, ErrorCode, Health};

use crate::need::Public;
use crate::state::AppState;

/// Get the health of the platform
///
/// Responds with 200 when sandboxes can be created.
#[utoipa::path(get, path = "/health", tag = "service", security(()),
    responses((status = 200, body = Health), (status = 503, body = ErrorBody)))]
pub(crate) async fn get_health(State(app): State<AppState>, _: Public) -> Response {
    match app.sandboxes.ready().await {
        Ok(()) => Json(Health {
            status: "ok".to_owned(),
            version: app.config.version,
        })
        .into_response(),
        Err(not_ready) => {
            let body = ErrorBody::new(ErrorCode::NotReady, not_ready.to_string());
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
