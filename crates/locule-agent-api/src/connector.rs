//! How a byte stream to a host is opened.

use std::io;
use std::path::PathBuf;

use tokio::net::UnixStream;

/// A way to one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connector {
    /// On this machine.
    Unix(PathBuf),
}

impl Connector {
    pub async fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await,
        }
    }
}
