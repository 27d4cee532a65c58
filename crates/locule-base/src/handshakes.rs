//! A TCP listener whose connections begin with a handshake that proves who the client or the server is.
//!
//! ```text
//! accepted ──► handshake ──► served
//!              in a time;       bounded
//!              bounded, of one
//!              address and of all
//! ```
//! Any machine may connect. A connection takes memory and a place among the handshakes until the handshake has ended. The limit for one
//! address leaves places for the others.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::address::address_key;
use crate::counts::{Counted, Counts};
use crate::errors::client_closed;
use crate::tasks::Tasks;

/// Pause after a failed accept, such as when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of the listener.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeLimits {
    pub timeout: Duration,
    /// Handshakes in progress at most.
    pub handshakes_max: usize,
    /// Handshakes in progress with one address at most.
    pub address_handshakes_max: usize,
    /// Connections at most, those in their handshake included. Further ones wait in the kernel's accept queue.
    pub connections_max: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
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
    limits: HandshakeLimits,
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

/// Serves until the stop token is cancelled: `shake` makes a stream of each connection, `serve` serves the stream to its end. Each
/// connection belongs to `tasks`.
pub async fn serve<S, Shaking, Serving>(
    listener: TcpListener,
    limits: HandshakeLimits,
    (tasks, stop): (Tasks, CancellationToken),
    shake: impl Fn(TcpStream) -> Shaking,
    serve: impl Fn(S, IpAddr) -> Serving + Clone + Send + 'static,
) where
    S: Send + 'static,
    Shaking: Future<Output = io::Result<S>> + Send + 'static,
    Serving: Future<Output = ()> + Send + 'static,
{
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
            () = stop.cancelled() => return,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if client_closed(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed; retrying after a pause");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // A client that is refused sees a closed connection, and tries again.
        let Some(handshake) = handshakes.begin(peer.ip()) else {
            tracing::debug!("a connection was refused: too many handshakes are in progress");
            continue;
        };
        let shaking = tokio::time::timeout(limits.timeout, shake(stream));
        let (serve, stop) = (serve.clone(), stop.clone());
        tasks.spawn_detached("connection", async move {
            let _connection = connection;
            let shaken = tokio::select! {
                shaken = shaking => shaken,
                () = stop.cancelled() => return,
            };
            drop(handshake);
            match shaken {
                Ok(Ok(stream)) => tokio::select! {
                    () = serve(stream, peer.ip()) => {}
                    () = stop.cancelled() => {}
                },
                // Any machine can cause these lines, so they are no warnings.
                Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        });
    }
}
