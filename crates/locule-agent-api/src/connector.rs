//! Opening a byte stream to a host.

use std::io;
use std::path::PathBuf;

use tokio::net::UnixStream;

/// How to connect to one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connector {
    /// A Unix socket on this machine.
    Unix(PathBuf),
}

impl Connector {
    pub async fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await,
        }
    }
}
