//! The web server on ports 8080 and 49999: `/hang` sends `begun` and never ends, `/ws` echoes messages, any other path answers as the test
//! says, or else echoes the body.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use futures::{StreamExt as _, stream};

use super::{FakeGuest, WebRequest, lock};

pub(super) fn router(guest: Arc<FakeGuest>) -> Router {
    Router::new()
        .route("/hang", get(hang))
        .route("/ws", get(echo_socket))
        .fallback(any(echo))
        .with_state(guest)
}

async fn hang() -> Response {
    let begun = stream::iter([Ok::<_, std::io::Error>("begun")]);
    Body::from_stream(begun.chain(stream::pending())).into_response()
}

async fn echo_socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

async fn echo(State(guest): State<Arc<FakeGuest>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    *lock(&guest.web_request) = Some(WebRequest {
        headers: parts.headers,
        path: path.to_owned(),
        body: body.to_vec(),
    });
    if let Some(answer) = lock(&guest.web_answer).clone() {
        return answer.into_response();
    }
    ([("x-theirs", "1"), ("keep-alive", "timeout=5")], body).into_response()
}
