//! The agent's Unix socket, for root and one other user.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use axum::Router;
use locule_base::tasks::Tasks;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use super::connection;

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
    router: Router,
    peer: Option<(u32, u32)>,
    tasks: Tasks,
    stop: CancellationToken,
) -> anyhow::Result<()> {
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
        let serving = connection::serve(stream, router.clone(), stop.clone());
        tasks.spawn_detached("agent connection", serving);
    }
}
