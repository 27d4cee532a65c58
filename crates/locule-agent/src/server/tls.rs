//! The agent's TLS listener, for a control plane on another machine.
//!
//! ```text
//! accepted ──► handshake ──► served
//!              10 s; bounded, of one    bounded; only the control plane
//!              address and of all       gets here
//! ```
//! Any machine may connect. A connection takes memory and a place among the handshakes until the handshake has ended; a client
//! without the certificate of the control plane gets no further. The limit for one address leaves places for the others.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use locule_agent_api::tls::{AgentTls, set_options};
use locule_base::address::address_key;
use locule_base::counts::{Counted, Counts};
use locule_base::errors::client_closed;
use locule_base::tasks::Tasks;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::connection;

/// Pause after a failed accept, such as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of the listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TlsLimits {
    pub(crate) handshake_timeout: Duration,
    /// Handshakes in progress at most.
    pub(crate) handshakes_max: usize,
    /// Handshakes in progress with one address at most.
    pub(crate) address_handshakes_max: usize,
    /// Connections at most, those in their handshake included. Further ones wait in the kernel's accept queue.
    pub(crate) connections_max: usize,
}

impl Default for TlsLimits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            handshakes_max: 1024,
            address_handshakes_max: 512,
            connections_max: 8192,
        }
    }
}

/// A place among the handshakes, until it is dropped.
#[expect(dead_code, reason = "dropping the value frees the place")]
struct Handshake {
    of_all: OwnedSemaphorePermit,
    of_address: Counted<IpAddr>,
}

/// The places among the handshakes.
struct Handshakes {
    all: Arc<Semaphore>,
    addresses: Counts<IpAddr>,
    limits: TlsLimits,
}

impl Handshakes {
    /// `None` when the address, or all addresses together, have no place left.
    fn begin(&self, address: IpAddr) -> Option<Handshake> {
        let max = self.limits.address_handshakes_max;
        Some(Handshake {
            of_address: self.addresses.begin(address_key(address), max)?,
            of_all: self.all.clone().try_acquire_owned().ok()?,
        })
    }
}

/// Serves until the stop token is cancelled. Each connection belongs to the role's tasks.
pub(crate) async fn serve_tls(
    listener: TcpListener,
    router: Router,
    tls: AgentTls,
    limits: TlsLimits,
    tasks: Tasks,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let handshakes = Handshakes {
        all: Arc::new(Semaphore::new(limits.handshakes_max)),
        addresses: Counts::default(),
        limits,
    };
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let next = async {
            let connection = connections.clone().acquire_owned().await;
            (connection, listener.accept().await)
        };
        let (connection, accepted) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if client_closed(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "accepting a TLS connection failed; retrying after a pause");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // A client that is refused sees a closed connection; the control plane tries again.
        let Some(handshake) = handshakes.begin(peer.ip()) else {
            tracing::debug!("a TLS connection was refused: too many handshakes are in progress");
            continue;
        };
        let (router, tls, stop) = (router.clone(), tls.clone(), stop.clone());
        tasks.spawn_detached("agent TLS connection", async move {
            let _connection = connection;
            let accepting = accept(stream, &tls, limits.handshake_timeout);
            let accepted = tokio::select! {
                accepted = accepting => accepted,
                () = stop.cancelled() => return,
            };
            drop(handshake);
            match accepted {
                Ok(stream) => connection::serve(stream, router, stop).await,
                // Any machine can cause this line, so it is not a warning.
                Err(error) => tracing::debug!(%error, "a TLS handshake with this agent failed"),
            }
        });
    }
}

async fn accept(
    stream: TcpStream,
    tls: &AgentTls,
    limit: Duration,
) -> io::Result<impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static> {
    set_options(&stream)?;
    let accepted = tokio::time::timeout(limit, tls.accept(stream)).await;
    accepted.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests;
