//! One connection of the control plane: RPC and proxy over HTTP/1.1.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use locule_agent_api::http1::{ADDED_HEADERS_MAX, HEADERS_MAX};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::proxy;
use crate::registry::Registry;

/// For the head of a request, from the end of the request before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What every connection serves.
pub(crate) fn router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/proxy/{sandbox}/{port}/", any(proxy::proxy))
        .route("/proxy/{sandbox}/{port}/{*path}", any(proxy::proxy))
        .with_state(registry.clone())
        .fallback_service(locule_agent_api::router(registry))
}

/// Serves a connection to its end, or until the stop token is cancelled.
pub(super) async fn serve<S>(stream: S, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX + ADDED_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::select! {
        // The other side handles a connection that failed.
        _ = connection => {}
        () = stop.cancelled() => {}
    }
}
