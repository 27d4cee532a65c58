//! The TLS listener for host agents on other machines (ADR 0043).
//!
//! It serves what agents call and nothing else. The handshake proves to the agent that this is its control plane; the agent proves
//! itself by its token, in each request.

use std::net::IpAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use locule_base::handshakes::{self, HandshakeLimits};
use locule_edge::HEADERS_MAX;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use utoipa_axum::router::OpenApiRouter;

use super::{agents, images};
use crate::address::{FORWARDED_FOR, PeerAddress};
use crate::connection::Connection;
use crate::error::ApiError;
use crate::need::operation;
use crate::state::AppState;

/// A first heartbeat is answered after a call to the agent, which may take 10 s.
const CONNECTION_LIMIT: Duration = Duration::from_mins(1);
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The operations of host agents. They are part of the API, too.
pub(crate) fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(operation!(agents::register_host))
        .routes(operation!(agents::refresh_host))
        .routes(operation!(agents::send_heartbeat))
        .routes(operation!(images::list_host_images))
        .routes(operation!(images::read_host_image))
}

fn router(app: AppState) -> Router {
    let (operations, _) = operations().split_for_parts();
    operations
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(app.config.account_json_bytes_max))
        .with_state(app)
}

async fn unknown() -> ApiError {
    ApiError::not_found("route")
}

/// Serves host agents until `stop`. A connection lasts a minute at most: an agent opens one for each request, and fetches the rest of an
/// image by further ones.
pub async fn serve_hosts(
    listener: TcpListener,
    app: AppState,
    limits: HandshakeLimits,
    stop: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(app.hosts.config().certificates.listener());
    let tasks = app.tasks.clone();
    let router = router(app);
    let shake = move |stream: TcpStream| {
        let acceptor = acceptor.clone();
        async move {
            stream.set_nodelay(true)?;
            acceptor.accept(stream).await
        }
    };
    let serve = move |stream, peer| {
        let serving = serve_connection(stream, peer, router.clone());
        async {
            // The agent handles a connection that failed or took too long.
            let _ = tokio::time::timeout(CONNECTION_LIMIT, serving).await;
        }
    };
    handshakes::serve(listener, limits, (tasks, stop), shake, serve).await;
}

async fn serve_connection<S>(stream: S, peer: IpAddr, router: Router)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let connection = Connection::default();
    let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
        // Agents come without a proxy: an address that a client forwards is the client's invention.
        request.headers_mut().remove(FORWARDED_FOR);
        request.extensions_mut().insert(PeerAddress(peer));
        request.extensions_mut().insert(connection.clone());
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = serving.await {
        tracing::debug!(%error, "a connection of a host agent ended with an error");
    }
}
