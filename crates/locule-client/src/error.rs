//! The errors of a call to a server.

use std::error::Error;
use std::io;

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0:?} is not the address of a server: an address looks like http://HOST:PORT")]
    Address(String),
    #[error("the API key contains a character that no API key has")]
    Key,
    /// No connection was established, and no request was sent.
    #[error("cannot reach the server at {url}")]
    Unreachable {
        url: String,
        /// The machine answered that no program listens on the port.
        connection_refused: bool,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("the server at {url} did not answer in time")]
    TimedOut { url: String },
    /// The server refused the request.
    #[error("{message}")]
    Refusal {
        /// `None` for a refusal over a WebSocket, which has no status.
        status: Option<u16>,
        /// One of the documented codes; empty when the server sent none.
        code: String,
        message: String,
    },
    #[error(
        "the server answered with status {status} and no error message: check that the address is that of a Locule server"
    )]
    UnexpectedStatus { status: u16 },
    /// The request may or may not have been carried out.
    #[error("the connection to the server was lost")]
    Disconnected,
}

impl ClientError {
    /// The error code of the server, if it sent one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refusal { code, .. } => Some(code),
            Self::Address(_)
            | Self::Key
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::UnexpectedStatus { .. }
            | Self::Disconnected => None,
        }
    }

    /// Whether the same request may succeed a moment later. Only for requests that are safe to repeat.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Disconnected | Self::UnexpectedStatus { status: 502..=504 } => true,
            Self::Refusal { code, .. } => code == "not_ready",
            Self::Address(_)
            | Self::Key
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::UnexpectedStatus { .. } => false,
        }
    }
}

/// Turns a failed exchange into an error.
pub(crate) fn exchange(url: &str, source: &reqwest::Error) -> ClientError {
    if source.is_builder() {
        return ClientError::Address(url.to_owned());
    }
    if source.is_connect() {
        return ClientError::Unreachable {
            url: url.to_owned(),
            connection_refused: io_kind(source) == Some(io::ErrorKind::ConnectionRefused),
            source: root(source).to_string().into(),
        };
    }
    if source.is_timeout() {
        return ClientError::TimedOut {
            url: url.to_owned(),
        };
    }
    ClientError::Disconnected
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

/// The innermost cause, which is the specific one.
fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    causes(error).last().unwrap_or(error)
}
