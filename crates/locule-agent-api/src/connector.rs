//! Opening a byte stream to a host.
//!
//! Each request to a host has a connection of its own, which a connector opens. What runs over the connection is the same for
//! every connector: HTTP/1.1, with the RPC of the host and the bytes of its sandboxes.
//!
//! | connector | the host is | how the two sides know each other |
//! |---|---|---|
//! | [`Connector::Unix`] | this machine | the kernel tells the user of the other side |
//! | [`Connector::Tls`] | another machine, at an address that the control plane can reach | certificates ([`crate::tls`]) |
//!
//! A host that the control plane cannot reach, behind a NAT for example, can dial the control plane instead. Such a host becomes a
//! third variant, `Dialled`: the control plane keeps the connection that the host opened, and [`Connector::connect`] opens a stream
//! within that connection. Callers get a [`HostStream`] in any case, so no caller changes.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::dial_error::DialError;
use crate::tls::TlsHost;

/// Bytes in both directions.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// An open connection to a host.
pub type HostStream = Box<dyn ByteStream>;

/// How to connect to one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connector {
    /// A Unix socket on this machine.
    Unix(PathBuf),
    /// TLS over TCP.
    Tls(TlsHost),
}

impl Connector {
    pub async fn connect(&self) -> Result<HostStream, DialError> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Tls(host) => Ok(Box::new(host.connect().await?)),
        }
    }
}
