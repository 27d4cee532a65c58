//! A host agent on a Unix socket: `/proxy/{sandbox}/{port}/…` for one sandbox.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use locule_agent_api::{Connector, PROXY_ERROR_HEADER};
use locule_base::tasks::Tasks;
use locule_edge::Target;
use locule_ids::SandboxId;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::exec::guest;

pub(crate) const TOKEN: &str = "token-of-the-guest";
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Seen {
    /// Of requests to port 8080.
    pub(crate) headers: Mutex<HeaderMap>,
    pub(crate) killed: CancellationToken,
    /// The host does not know the sandbox any more.
    pub(crate) gone: AtomicBool,
    /// Breaks off the body of `/dies`, and the stream of `printer`.
    pub(crate) dies: tokio::sync::Notify,
    /// What `printer` has printed and the guest still keeps: from this offset on.
    pub(crate) kept: Mutex<(u64, &'static [u8])>,
    /// Offsets that were asked for.
    pub(crate) asked: Mutex<Vec<Option<u64>>>,
}

pub(crate) struct Host {
    pub(crate) target: Target,
    pub(crate) tasks: Tasks,
    pub(crate) seen: Arc<Seen>,
    socket: PathBuf,
    app: Router,
    /// Ends the listener, not what came through it.
    away: CancellationToken,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.tasks.token().cancel();
        std::fs::remove_file(&self.socket).ok();
    }
}

impl Host {
    pub(crate) fn start() -> Self {
        let sandbox = SandboxId::random();
        let socket = std::env::temp_dir().join(format!("locule-edge-{}.sock", sandbox.base36()));
        let seen = Arc::new(Seen::default());
        let prefix = format!("/proxy/{sandbox}");
        let app = Router::new()
            .nest(&format!("{prefix}/49983"), guest(seen.clone()))
            .route(&format!("{prefix}/8080/ws"), get(echo_socket))
            .route(
                &format!("{prefix}/8080/dies"),
                get(dies).with_state(seen.clone()),
            )
            .route(
                &format!("{prefix}/8080/echo/{{*rest}}"),
                any(echo).with_state(seen.clone()),
            )
            .fallback(refused);
        let target = Target {
            sandbox,
            connector: Connector::Unix(socket.clone()),
            access_token: TOKEN.to_owned(),
        };
        let mut host = Self {
            target,
            tasks: Tasks::new(),
            seen,
            socket,
            app,
            away: CancellationToken::new(),
        };
        host.come_back();
        host
    }

    /// The socket has no listener any more.
    pub(crate) fn go_away(&self) {
        std::fs::remove_file(&self.socket).unwrap();
        self.away.cancel();
    }

    pub(crate) fn come_back(&mut self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        self.away = self.tasks.token().child_token();
        let (app, away) = (self.app.clone(), self.away.clone());
        self.tasks.spawn("host", |_| async move {
            tokio::select! {
                served = async { axum::serve(listener, app).await } => served?,
                () = away.cancelled() => {}
            }
            Ok(())
        });
    }
}

/// What the real host agent says when it cannot forward; the port says which case.
async fn refused(request: Request) -> Response {
    let port = request
        .uri()
        .path()
        .split('/')
        .nth(3)
        .unwrap_or_default()
        .to_owned();
    let (status, why) = match port.as_str() {
        "1" => (StatusCode::NOT_FOUND, "not_found"),
        "2" => (StatusCode::CONFLICT, "not_running"),
        "3" => (StatusCode::CONFLICT, "draining"),
        _ => (StatusCode::BAD_GATEWAY, "port_closed"),
    };
    (status, [(PROXY_ERROR_HEADER, why)]).into_response()
}

async fn echo(State(seen): State<Arc<Seen>>, Path(_): Path<String>, request: Request) -> Response {
    *seen.headers.lock().unwrap() = request.headers().clone();
    let said = request.uri().path_and_query().unwrap().as_str().to_owned();
    ([(header::ETAG, said)], request.into_body()).into_response()
}

/// A body that breaks off when the test says so: the sandbox went away.
async fn dies(State(seen): State<Arc<Seen>>) -> Response {
    let begun = stream::iter([Ok("begun")]);
    let broken = stream::once(async move {
        seen.dies.notified().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(begun.chain(broken)).into_response()
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
