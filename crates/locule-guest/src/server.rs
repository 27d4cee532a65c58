//! The one HTTP server: authorization, routes and connection limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use locule_guest_api::{
    ACCESS_TOKEN_HEADER, CONTROL_KEY_HEADER, CONTROL_PATHS, HOST_IP, PORTS_PATH, TUNNEL_PATH,
};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::answer::{Peer, refuse};
use crate::identity::Proof;
use crate::state::GuestState;
use crate::tasks::spawn;
use crate::{control, files, filesystem, metrics, ports, processes, tunnel};

/// Limit of the body of a unary RPC or a control call. Files are streamed and have no such limit.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Time limit for a request's head, and so also for a connection that is idle between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Limit of open connections from the host: every stream that a client follows takes one.
const HOST_CONNECTIONS_MAX: usize = 8192;
/// Limit of open connections from the guest's own processes, counted apart so that they cannot shut out the host.
const OWN_CONNECTIONS_MAX: usize = 256;

fn router(state: GuestState) -> Router {
    let rpc = locule_guest_api::rpc::Router::new();
    let rpc = processes::service::register(state.identity.clone(), state.processes.clone(), rpc);
    let rpc = filesystem::service::register(state.identity.clone(), state.watchers.clone(), rpc);
    Router::new()
        .route("/health", get(|| async { StatusCode::NO_CONTENT }))
        .route("/init", post(control::init))
        .route("/freeze", post(control::freeze))
        .route("/thaw", post(control::thaw))
        .route("/sync", post(control::sync))
        .route(TUNNEL_PATH, post(tunnel::open))
        .route("/metrics", get(metrics::metrics))
        .route("/envs", get(control::envs))
        .route(PORTS_PATH, get(ports::list))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route(
            "/files",
            get(files::download)
                .post(files::upload)
                .layer(DefaultBodyLimit::disable()),
        )
        .fallback_service(rpc.into_axum_service())
        .layer(middleware::from_fn_with_state(state.clone(), authorize))
        .layer(middleware::from_fn(cross_origin))
        .with_state(state)
}

async fn authorize(
    State(state): State<GuestState>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(&state, peer.ip(), request.uri().path(), request.headers()) {
        Some(message) => refuse(StatusCode::UNAUTHORIZED, message),
        None => next.run(request).await,
    }
}

/// Why a request is refused, if it is. Control calls need the host's address and its control key. `/health` is open. `/files`
/// checks a token or a signature itself. All other paths need the access token.
fn refusal(
    state: &GuestState,
    peer: IpAddr,
    path: &str,
    headers: &HeaderMap,
) -> Option<&'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if CONTROL_PATHS.contains(&path) {
        let from_host = !state.in_microvm || peer == IpAddr::V4(HOST_IP);
        let proof = state.identity.prove_control_key(text(CONTROL_KEY_HEADER));
        let first_init = path == "/init" && proof == Proof::Unset;
        let may = from_host && (proof == Proof::Valid || first_init);
        return (!may).then_some("only the host may make control calls");
    }
    let open = path == "/health" || path == "/files";
    let may = open || state.identity.prove_access_token(text(ACCESS_TOKEN_HEADER)) == Proof::Valid;
    (!may).then_some("the access token is missing or wrong")
}

/// Allows calls from any web page: the token protects a sandbox, not the origin of the page.
async fn cross_origin(request: Request, next: Next) -> Response {
    let requested = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .cloned();
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    let headers: &mut HeaderMap = response.headers_mut();
    let mut set = |name: HeaderName, value| headers.insert(name, value);
    set(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    set(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("*"),
    );
    if preflight {
        set(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, HEAD"),
        );
        set(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            requested.unwrap_or(HeaderValue::from_static("*")),
        );
        set(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("7200"),
        );
    }
    response
}

/// Accepts connections for ever. A connection is closed by its peer, by a timeout, or by a session reset.
pub(crate) async fn run(listener: TcpListener, state: GuestState) -> anyhow::Result<()> {
    let router = router(state.clone());
    let host_slots = Arc::new(Semaphore::new(HOST_CONNECTIONS_MAX));
    let own_slots = Arc::new(Semaphore::new(OWN_CONNECTIONS_MAX));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, or the peer has disconnected: both are temporary.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let slots = if peer.ip() == IpAddr::V4(HOST_IP) {
            &host_slots
        } else {
            &own_slots
        };
        // A connection over the limit is closed at once.
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            continue;
        };
        // Streamed frames are small, and delaying them delays every exec.
        stream.set_nodelay(true).ok();
        let service = TowerToHyperService::new(router.clone().layer(Extension(Peer(peer))));
        let mut resets = state.session_reset.subscribe();
        spawn(async move {
            let _slot = slot;
            let connection = http1::Builder::new()
                .timer(hyper_util::rt::TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // The connection that caused the reset belongs to the new session and stays open.
            let reset = async { while resets.recv().await.is_ok_and(|cause| cause == peer) {} };
            tokio::select! {
                _ = connection => {}
                () = reset => {}
            }
        });
    }
}
