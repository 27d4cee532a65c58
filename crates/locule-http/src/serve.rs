//! The listener: HTTP/1.1, with bounds on how long a connection may be silent, on heads, and on how many wait at once.
//!
//! ```text
//! accepted ──► reading ──► busy ──► idle ──► reading …
//!              10 s, from           620 s
//!              the first byte
//! ```
//! A client that opens connections and says nothing costs a bounded number of them: when too many are quiet, the one that
//! has been so the longest goes.

mod connection;
mod farewell;
mod quiet;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::quiet::Quiet;

/// A listener that is out of descriptors waits this long before it accepts again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bounds of one listener.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// For the head of a request, from its first byte; for the first one from the connection's beginning.
    pub head_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// Of a head. It may have 100 headers.
    pub head_bytes_max: usize,
    /// Connections without a request under way.
    pub quiet_max: usize,
    pub connections_max: usize,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(620),
            head_bytes_max: 64 * 1024,
            quiet_max: 512,
            connections_max: 8192,
        }
    }
}

/// Serves until `stop`, then finishes the requests that are under way.
pub async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) -> io::Result<()> {
    serve_within(listener, app, stop, ListenerLimits::default()).await
}

/// As [`serve`], with other bounds.
pub async fn serve_within(
    listener: TcpListener,
    app: Router,
    stop: CancellationToken,
    limits: ListenerLimits,
) -> io::Result<()> {
    let quiet = Quiet::new(limits.quiet_max);
    let limits = Arc::new(limits);
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < limits.connections_max;
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((stream, _)) => {
                    let (app, place, limits) = (app.clone(), quiet.enter(), limits.clone());
                    connections.spawn(connection::serve(stream, app, place, limits, stop.clone()));
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection accepted");
                    quiet.drop_oldest();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// It was gone before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
