//! What can go wrong between a client and a server.

use std::error::Error;
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0:?} is not the address of a server: it looks like http://HOST:PORT")]
    Address(String),
    #[error("the API key holds characters that no key has")]
    Key,
    /// No connection came about; nothing was sent.
    #[error("cannot reach the server at {url}")]
    Unreachable {
        url: String,
        /// The machine is there, nobody listens.
        nobody_listens: bool,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("the server at {url} did not answer in time")]
    TimedOut { url: String },
    /// The server said no, and why.
    #[error("{message}")]
    Refused {
        /// `None`: said over a WebSocket, where there is no status any more.
        status: Option<u16>,
        /// One of the documented codes; empty when the server gave none.
        code: String,
        message: String,
    },
    #[error("the server answered {status} without a reason; is it a Locule server?")]
    Strange { status: u16 },
    /// It may have been carried out, or not.
    #[error("the connection broke off")]
    BrokenOff,
}

impl ClientError {
    /// The server's code, when it said one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Address(_)
            | Self::Key
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Strange { .. }
            | Self::BrokenOff => None,
        }
    }

    /// Whether the same request may do better in a moment. It must be one that may be sent twice.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::BrokenOff | Self::Strange { status: 502..=504 } => true,
            Self::Refused { code, .. } => code == "not_ready",
            Self::Address(_)
            | Self::Key
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Strange { .. } => false,
        }
    }
}

/// What a failed exchange means.
pub(crate) fn exchange(url: &str, source: &reqwest::Error) -> ClientError {
    if source.is_builder() {
        return ClientError::Address(url.to_owned());
    }
    if source.is_connect() {
        return ClientError::Unreachable {
            url: url.to_owned(),
            nobody_listens: io_kind(source) == Some(io::ErrorKind::ConnectionRefused),
            source: root(source).to_string().into(),
        };
    }
    if source.is_timeout() {
        return ClientError::TimedOut {
            url: url.to_owned(),
        };
    }
    ClientError::BrokenOff
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .map(io::Error::kind)
        .last()
}

/// The innermost cause: the layers above it only say where it passed through.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}
