//! The agent's Unix socket: RPC and proxy, for root and one other user.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use locule_agent_api::http1::{ADDED_HEADERS_MAX, HEADERS_MAX};
use locule_base::tasks::Tasks;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::proxy;
use crate::registry::Registry;

/// Binds the socket with mode 0660 and the peer's group.
pub(crate) fn bind(path: &Path, peer: Option<(u32, u32)>) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    if let Some((_, group)) = peer {
        std::os::unix::fs::chown(path, None, Some(group))?;
    }
    Ok(listener)
}

/// Serves until the stop token is cancelled. Each connection belongs to the role's tasks.
pub(crate) async fn serve(
    listener: UnixListener,
    registry: Arc<Registry>,
    peer: Option<(u32, u32)>,
    tasks: Tasks,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/proxy/{sandbox}/{port}/", any(proxy::proxy))
        .route("/proxy/{sandbox}/{port}/{*path}", any(proxy::proxy))
        .with_state(registry.clone())
        .fallback_service(locule_agent_api::router(registry));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let allowed = stream.peer_cred().is_ok_and(|peer_cred| {
            peer_cred.uid() == 0 || peer.is_some_and(|(uid, _)| uid == peer_cred.uid())
        });
        if !allowed {
            tracing::warn!(
                "a connection to the agent's socket was refused: its user is neither root nor the configured peer"
            );
            continue;
        }
        let service = TowerToHyperService::new(router.clone());
        let stop = stop.clone();
        tasks.spawn_detached("agent connection", async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .max_headers(HEADERS_MAX + ADDED_HEADERS_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::select! {
                // The other side handles a connection that failed.
                _ = connection => {}
                () = stop.cancelled() => {}
            }
        });
    }
}
