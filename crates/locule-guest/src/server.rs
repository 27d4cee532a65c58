//! One port for everything: who may call what, then the handlers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use locule_guest_api::{ACCESS_TOKEN_HEADER, CONTROL_KEY_HEADER, CONTROL_PATHS, HOST_IP};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::agent::Guest;
use crate::identity::Proof;
use crate::{control, files, filesystem, processes};

/// Bodies of unary RPCs and control calls. Files are streamed and have no such bound.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Of a request's head; also how long a connection may lie idle between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Open at once from the host: every stream that a client follows holds one.
const HOST_CONNECTIONS_MAX: usize = 8192;
/// Open at once from the guest's own processes, counted apart: they cannot take the host's way in.
const OWN_CONNECTIONS_MAX: usize = 256;

/// The address a request came from; names its connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// An error in the form that file and control clients read.
pub(crate) fn refuse(status: StatusCode, message: impl Into<String>) -> Response {
    (
        status,
        Json(json!({ "code": status.as_u16(), "message": message.into() })),
    )
        .into_response()
}

fn router(guest: Arc<Guest>) -> Router {
    let rpc = processes::service::register(guest.clone(), locule_guest_api::rpc::Router::new());
    let rpc = filesystem::register(guest.clone(), rpc);
    Router::new()
        .route("/health", get(|| async { StatusCode::NO_CONTENT }))
        .route("/init", post(control::init))
        .route("/freeze", post(control::freeze))
        .route("/thaw", post(control::thaw))
        .route("/sync", post(control::sync))
        .route("/metrics", get(control::metrics))
        .route("/envs", get(control::envs))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .route(
            "/files",
            get(files::download)
                .post(files::upload)
                .layer(DefaultBodyLimit::disable()),
        )
        .fallback_service(rpc.into_axum_service())
        .layer(middleware::from_fn_with_state(guest.clone(), authorize))
        .layer(middleware::from_fn(cross_origin))
        .with_state(guest)
}

async fn authorize(
    State(guest): State<Arc<Guest>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(&guest, peer.ip(), request.uri().path(), request.headers()) {
        Some(message) => refuse(StatusCode::UNAUTHORIZED, message),
        None => next.run(request).await,
    }
}

/// Who may call what. Control calls: the host's address and its key. `/health`: anybody. `/files`: a token or a signature,
/// checked there. All the rest: the access token.
fn refusal(guest: &Guest, peer: IpAddr, path: &str, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if CONTROL_PATHS.contains(&path) {
        let from_host = !guest.in_microvm || peer == IpAddr::V4(HOST_IP);
        let proof = guest.identity.prove_control_key(text(CONTROL_KEY_HEADER));
        let first_init = path == "/init" && proof == Proof::Unset;
        let may = from_host && (proof == Proof::Valid || first_init);
        return (!may).then_some("control calls are the host's");
    }
    let open = path == "/health" || path == "/files";
    let may = open || guest.identity.prove_access_token(text(ACCESS_TOKEN_HEADER)) == Proof::Valid;
    (!may).then_some("access token is missing or wrong")
}

/// Browsers may call from anywhere: what protects a sandbox is its token, not the page's origin.
async fn cross_origin(request: Request, next: Next) -> Response {
    let asked = request
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
    let mut say = |name: HeaderName, value| headers.insert(name, value);
    say(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    say(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("*"),
    );
    if preflight {
        say(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, HEAD"),
        );
        say(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            asked.unwrap_or(HeaderValue::from_static("*")),
        );
        say(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("7200"),
        );
    }
    response
}

/// The guest agent's tasks live as long as the process does: PID 1 ends them all by starting it anew.
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    #[expect(
        clippy::disallowed_methods,
        reason = "this function is where the guest's tasks are spawned"
    )]
    tokio::spawn(task);
}

/// Accepts for ever. A connection ends by itself, or when a new life of the sandbox begins: its peer belongs to the old one.
pub(crate) async fn run(listener: TcpListener, guest: Arc<Guest>) -> anyhow::Result<()> {
    let router = router(guest.clone());
    let host_room = Arc::new(Semaphore::new(HOST_CONNECTIONS_MAX));
    let own_room = Arc::new(Semaphore::new(OWN_CONNECTIONS_MAX));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, or the peer left already: both pass.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let room = if peer.ip() == IpAddr::V4(HOST_IP) {
            &host_room
        } else {
            &own_room
        };
        // One too many is closed at once.
        let Ok(room) = room.clone().try_acquire_owned() else {
            continue;
        };
        // Streamed frames are small and wanted at once.
        stream.set_nodelay(true).ok();
        let service = TowerToHyperService::new(router.clone().layer(Extension(Peer(peer))));
        let mut life = guest.new_life.subscribe();
        spawn(async move {
            let _room = room;
            let connection = http1::Builder::new()
                .timer(hyper_util::rt::TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // The connection that brings the new life is of the new life.
            let outlived =
                async { while life.recv().await.is_ok_and(|begun_by| begun_by == peer) {} };
            tokio::select! {
                _ = connection => {}
                () = outlived => {}
            }
        });
    }
}
