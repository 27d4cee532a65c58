//! `/proxy/{sandbox}/{port}/…`: bytes to and from a guest, streamed both ways, `WebSockets` and other upgrades included.
//!
//! Each request counts as activity as long as it is open. When the sandbox goes away, open connections are cut: a polite
//! end would be taken for the end of the work.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _};
use hyper_util::rt::TokioIo;
use locule_agent_api::PROXY_ERROR_HEADER;
use locule_agent_api::http1::exchange;
use locule_guest_api::{CONTROL_KEY_HEADER, CONTROL_PATHS, GUEST_PORT};
use locule_ids::SandboxId;

use crate::activity::Use;
use crate::registry::Registry;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

fn failed(status: StatusCode, error: &'static str) -> Response {
    (
        status,
        [(
            HeaderName::from_static(PROXY_ERROR_HEADER),
            HeaderValue::from_static(error),
        )],
    )
        .into_response()
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Target {
    sandbox: String,
    port: u16,
    #[serde(default)]
    path: String,
}

pub(crate) async fn proxy(
    State(registry): State<Arc<Registry>>,
    Path(target): Path<Target>,
    request: Request,
) -> Response {
    let Target {
        sandbox,
        port,
        path,
    } = target;
    let Ok(sandbox) = sandbox.parse::<SandboxId>() else {
        return failed(StatusCode::NOT_FOUND, "not_found");
    };
    let path = format!("/{path}");
    if port == GUEST_PORT && CONTROL_PATHS.contains(&path.as_str()) {
        return failed(StatusCode::NOT_FOUND, "not_found");
    }
    let Some(handle) = registry.handle(sandbox) else {
        return failed(StatusCode::NOT_FOUND, "not_found");
    };
    let net = handle.net();
    let Some(net) = net else {
        return failed(StatusCode::CONFLICT, "not_running");
    };
    let Some(held) = handle.activity.begin() else {
        return failed(StatusCode::CONFLICT, "draining");
    };
    let Ok(stream) = net.connect(port, CONNECT_TIMEOUT).await else {
        return failed(StatusCode::BAD_GATEWAY, "port_closed");
    };
    match forward(stream, request, path, held).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(sandbox.id = %sandbox, port, %error, "a proxied request failed");
            failed(StatusCode::BAD_GATEWAY, "broken")
        }
    }
}

async fn forward(
    stream: tokio::net::TcpStream,
    mut request: Request,
    path: String,
    held: Use,
) -> Result<Response, hyper::Error> {
    let query = request
        .uri()
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    // A path that came in a request line goes out in one.
    let raw = request.uri().path();
    let rest = raw
        .splitn(5, '/')
        .nth(4)
        .map_or(path, |rest| format!("/{rest}"));
    *request.uri_mut() = Uri::try_from(format!("{rest}{query}")).unwrap_or_default();
    request.headers_mut().remove(CONTROL_KEY_HEADER);
    let upgrade = request
        .headers()
        .contains_key(header::UPGRADE)
        .then(|| hyper::upgrade::on(&mut request));
    let exchanged = tokio::select! {
        exchanged = exchange(stream, request) => exchanged?,
        () = held.cut.cancelled() => return Ok(failed(StatusCode::BAD_GATEWAY, "not_running")),
    };
    let mut response = exchanged;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(ours) = upgrade
    {
        let theirs = hyper::upgrade::on(&mut response);
        tunnel(ours, theirs, held);
        return Ok(response.map(|_| Body::empty()));
    }
    Ok(response.map(|body| Body::from_stream(cut_off(Body::new(body).into_data_stream(), held))))
}

/// The body as it comes; broken off, not ended, when the sandbox goes away.
fn cut_off(
    body: impl Stream<Item = Result<axum::body::Bytes, axum::Error>> + Send + 'static,
    held: Use,
) -> impl Stream<Item = Result<axum::body::Bytes, io::Error>> + Send + 'static {
    let state = Some((Box::pin(body), held));
    futures::stream::unfold(state, |state| async move {
        let (mut body, held) = state?;
        tokio::select! {
            biased;
            () = held.cut.cancelled() => Some((Err(io::ErrorKind::ConnectionAborted.into()), None)),
            chunk = body.next() => match chunk? {
                Ok(bytes) => Some((Ok(bytes), Some((body, held)))),
                Err(error) => Some((Err(io::Error::other(error)), None)),
            },
        }
    })
}

fn tunnel(ours: hyper::upgrade::OnUpgrade, theirs: hyper::upgrade::OnUpgrade, held: Use) {
    #[expect(
        clippy::disallowed_methods,
        reason = "lives and dies with its two connections; cut with the sandbox"
    )]
    tokio::spawn(async move {
        let both = async {
            if let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) {
                // Either side may break off at any time.
                let _ = tokio::io::copy_bidirectional(
                    &mut TokioIo::new(ours),
                    &mut TokioIo::new(theirs),
                )
                .await;
            }
        };
        tokio::select! {
            () = both => {}
            () = held.cut.cancelled() => {}
        }
    });
}
