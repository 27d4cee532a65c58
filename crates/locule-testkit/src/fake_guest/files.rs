//! `/files`: whole files, held in memory. A write to `/full` finds the disk full, and a write to `/stuck` is never read.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::{FakeGuest, is_path, lock};

#[derive(Debug, serde::Deserialize)]
pub(super) struct FileQuery {
    path: String,
}

pub(super) fn refusal(status: StatusCode, message: &str) -> Response {
    let body = json!({ "code": status.as_u16(), "message": message });
    (status, Json(body)).into_response()
}

pub(super) async fn read(
    State(guest): State<Arc<FakeGuest>>,
    Query(query): Query<FileQuery>,
) -> Response {
    if let Some(bytes) = lock(&guest.files).get(&query.path) {
        return bytes.clone().into_response();
    }
    let message = format!("path '{}' does not exist", query.path);
    refusal(StatusCode::NOT_FOUND, &message)
}

pub(super) async fn write(
    State(guest): State<Arc<FakeGuest>>,
    Query(query): Query<FileQuery>,
    body: Body,
) -> Response {
    if !is_path(&query.path) {
        return refusal(StatusCode::BAD_REQUEST, "not a path");
    }
    if query.path == "/full" {
        return refusal(StatusCode::INSUFFICIENT_STORAGE, "not enough disk space");
    }
    if query.path == "/stuck" {
        std::future::pending::<()>().await;
    }
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            lock(&guest.files).insert(query.path, bytes.to_vec());
            Json(json!([])).into_response()
        }
        Err(_) => refusal(StatusCode::BAD_REQUEST, "the body of the request broke"),
    }
}
