//! How opening a connection to a host fails.

use std::io;
use std::time::Duration;

/// For the TCP connection to a host and the TLS handshake together.
pub(crate) const DIAL_LIMIT: Duration = Duration::from_secs(10);

/// Why no connection to a host was opened.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No program listens there.
    #[error("the host refused the connection")]
    Refused(#[source] io::Error),
    /// No route, an unknown name, a missing socket.
    #[error("the host cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("the connection to the host was not open within {} s", DIAL_LIMIT.as_secs())]
    TimedOut,
    /// Another machine answered, or the certificate of the host has expired.
    #[error("the certificate of the host is not accepted")]
    Certificate(#[source] rustls::Error),
    /// The other side does not speak TLS as a host agent does, or broke the connection off.
    #[error("the TLS handshake with the host failed")]
    Handshake(#[source] io::Error),
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            Self::Refused(error)
        } else {
            Self::Unreachable(error)
        }
    }
}
