//! The HTTP/1.1 listener: head and idle timeouts, limits on request heads, and a limit on idle connections (ADR 0021).
//!
//! ```text
//! accepted ──► reading ──► busy ──► answering ──► idle ──► reading …
//!              10 s, from   ▲ │                   620 s
//!              the first    │ ▼
//!              byte        awaiting body
//! ```
//! A connection is quiet while it is reading, idle or awaiting the body of a request. When the number of quiet connections
//! exceeds the idle limit, one of the address with the most of them is closed, so that a client that opens connections and
//! sends nothing occupies a bounded number of them. All connections of one address are limited too. A connection that continues
//! with another protocol counts until it is closed.

mod connection;
mod idle_limit;
mod lingering_close;
mod phase;
mod stream;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use locule_base::address::address_key;
use locule_base::counts::{Counted, Counts};
use locule_base::errors::client_closed;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::idle_limit::IdleLimit;
use crate::address::{PeerAddress, forwarded_for};
use crate::connection::Connection;
use crate::error::ApiError;

/// Pause after a failed accept, such as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// File descriptors that are not for connections: of the database, the log, the runtime.
const OTHER_DESCRIPTORS: u64 = 128;
const DESCRIPTORS_PER_CONNECTION: u64 = 2;

/// Timeouts and limits of one listener.
#[derive(Debug, Clone)]
pub struct ListenerLimits {
    /// For the head of a request, from its first byte. For the first request, from the accept of the connection.
    pub head_timeout: Duration,
    /// For the time between two requests.
    pub idle_timeout: Duration,
    /// Maximum size of a request head, which may also have [`HEADERS_MAX`](locule_edge::HEADERS_MAX) headers at most.
    pub head_bytes_max: usize,
    /// For the client to read an answer that occupies memory of its team.
    pub held_answer_timeout: Duration,
    /// Maximum number of connections that are quiet.
    pub idle_max: usize,
    pub connections_max: usize,
    /// Maximum number of connections of one address; behind a proxy, of requests of one forwarded address.
    pub address_connections_max: usize,
    /// Whether the last address in `X-Forwarded-For` is the client's address.
    pub trust_forwarded_for: bool,
}

impl ListenerLimits {
    /// The same limits, as far as so many file descriptors allow. A connection takes two: its own, and the one to a host agent.
    #[must_use]
    pub fn within_descriptors(self, descriptors: u64) -> Self {
        let most = descriptors.saturating_sub(OTHER_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION;
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let connections_max = self.connections_max.min(most);
        Self {
            connections_max,
            idle_max: self.idle_max.min(connections_max.div_ceil(2)),
            address_connections_max: self.address_connections_max.min(connections_max),
            ..self
        }
    }
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(620),
            head_bytes_max: 64 * 1024,
            held_answer_timeout: Duration::from_mins(2),
            idle_max: 512,
            connections_max: 8192,
            address_connections_max: 1024,
            trust_forwarded_for: false,
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
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let shared = Arc::new(Listener {
        limits,
        addresses: Counts::default(),
    });
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = next => match accepted {
                (Ok(slot), Ok((stream, peer))) => {
                    let address = address_key(peer.ip());
                    let Some(counted) = shared.count(slot, address) else {
                        refuse(&stream);
                        continue;
                    };
                    let (app, entry, shared) = (app.clone(), idle_limit.enter(address), shared.clone());
                    connections.spawn(connection::serve(stream, app, (entry, counted), shared, stop.clone()));
                }
                // The semaphore is never closed.
                (Err(_), _) => break,
                (_, Err(error)) if client_closed(&error) => {}
                (_, Err(error)) => {
                    tracing::warn!(%error, "accepting an HTTP connection failed; retrying after a pause");
                    idle_limit.evict();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// What all connections of a listener share.
#[derive(Debug)]
struct Listener {
    limits: ListenerLimits,
    addresses: Counts<IpAddr>,
}

/// What a connection counts as. Dropping the value ends the count.
#[derive(Debug)]
#[expect(dead_code, reason = "dropping the value ends the count")]
struct ConnectionCount {
    slot: OwnedSemaphorePermit,
    /// `None` behind a proxy, whose requests are counted instead.
    address: Option<Counted<IpAddr>>,
}

impl Listener {
    /// Counts a connection. `None` when its address has too many.
    fn count(&self, slot: OwnedSemaphorePermit, address: IpAddr) -> Option<ConnectionCount> {
        let max = self.limits.address_connections_max;
        let address = if self.limits.trust_forwarded_for {
            None
        } else {
            Some(self.addresses.begin(address, max)?)
        };
        Some(ConnectionCount { slot, address })
    }

    /// Counts a request that a proxy has forwarded, by the forwarded address.
    fn admit<B>(
        &self,
        request: &Request<B>,
        peer: Option<PeerAddress>,
        connection: &Connection,
    ) -> Result<(), ApiError> {
        if !self.limits.trust_forwarded_for {
            return Ok(());
        }
        let address = forwarded_for(request.headers()).or(peer.map(|peer| peer.0));
        if let Some(address) = address.map(address_key) {
            let max = self.limits.address_connections_max;
            let counted = self.addresses.begin(address, max);
            connection.count_for_address(counted.ok_or_else(ApiError::too_many_requests)?);
        }
        Ok(())
    }
}

/// Tells the client of an address with too many connections why the connection is closed.
fn refuse(stream: &TcpStream) {
    const BODY: &str = r#"{"error":{"code":"rate_limited","message":"the address has too many connections; close some of them"}}"#;
    let answer = format!(
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    // A client that is gone already needs no answer.
    stream.try_write(answer.as_bytes()).ok();
}
