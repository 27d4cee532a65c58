//! The HTTP/1.1 listener: head and idle timeouts, limits on request heads, and a limit on idle connections (ADR 0021).
//!
//! ```text
//! accepted ──► reading ──► busy ──► idle ──► reading …
//!              10 s, from           620 s
//!              the first byte
//! ```
//! Reading and idle connections have no request in progress. When their number exceeds the idle limit, the one that has been
//! idle for longest is closed, so that a client that opens connections and sends nothing occupies a bounded number of them.

mod connection;
mod idle_limit;
mod lingering_close;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::idle_limit::IdleLimit;

/// Pause after a failed accept, such as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Timeouts and limits of one listener.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// For the head of a request, from its first byte. For the first request, from the accept of the connection.
    pub head_timeout: Duration,
    /// For the time between two requests.
    pub idle_timeout: Duration,
    /// Maximum size of a request head, which may also have 100 headers at most.
    pub head_bytes_max: usize,
    /// Maximum number of connections without a request in progress.
    pub idle_max: usize,
    pub connections_max: usize,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(620),
            head_bytes_max: 64 * 1024,
            idle_max: 512,
            connections_max: 8192,
        }
    }
}

/// Serves until `stop`, then finishes the requests that are in progress.
pub async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) -> io::Result<()> {
    serve_within(listener, app, stop, ListenerLimits::default()).await
}

/// Serves as [`serve`] does, with other limits.
pub async fn serve_within(
    listener: TcpListener,
    app: Router,
    stop: CancellationToken,
    limits: ListenerLimits,
) -> io::Result<()> {
    let idle_limit = IdleLimit::new(limits.idle_max);
    let limits = Arc::new(limits);
    let mut connections = JoinSet::new();
    loop {
        let below_limit = connections.len() < limits.connections_max;
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if below_limit => match accepted {
                Ok((stream, _)) => {
                    let (app, entry, limits) = (app.clone(), idle_limit.enter(), limits.clone());
                    connections.spawn(connection::serve(stream, app, entry, limits, stop.clone()));
                }
                Err(error) if client_closed(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "accepting an HTTP connection failed; retrying after a pause");
                    idle_limit.evict_oldest();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Whether the client closed the connection before the listener accepted it.
fn client_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
