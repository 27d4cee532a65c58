//! Our own calls to the guest agent of one sandbox: processes and files.

mod attached;
mod files;
mod processes;

pub use attached::patiently;
pub use files::{Entry, EntryKind};
pub use processes::{Ended, Event, Events, ListedProcess, Selector, Signal, Start};

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, StatusCode, Uri, header};
use locule_guest_api::proto::filesystem::FilesystemClient;
use locule_guest_api::proto::process::ProcessClient;
use locule_guest_api::rpc::client::{CallOptions, ClientConfig};
use locule_guest_api::rpc::{ConnectError, ErrorCode};
use locule_guest_api::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND};

use crate::{AgentTransport, Target, TransportError};

/// A unary call that takes longer than this is taken for lost.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A message of a guest that is larger than this is not read: whatever runs inside may lie.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the guest agent answers instead of what was asked. Texts are the guest's: fit for its own team, not to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Invalid(String),
    /// The program to start is not in the sandbox.
    #[error("{0}")]
    CommandNotFound(String),
    #[error("{0}")]
    CommandNotExecutable(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Forbidden(String),
    /// Something that the guest has only so much of.
    #[error("{0}")]
    Exhausted(String),
    #[error("the disk of the sandbox is full")]
    DiskFull,
    #[error("the command took too long and was killed")]
    TimedOut,
    /// The sandbox went away, or is just doing so.
    #[error("the sandbox is not running any more")]
    Gone,
    #[error("the host of the sandbox is not reachable")]
    HostUnavailable(#[source] TransportError),
    #[error("the guest agent failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl GuestError {
    /// Whether the way to the guest agent broke rather than the guest agent refused.
    pub fn broke_off(&self) -> bool {
        matches!(self, Self::HostUnavailable(_) | Self::Failed(_))
    }
}

impl From<TransportError> for GuestError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NotRunning | TransportError::Changing => Self::Gone,
            TransportError::Host(_) => Self::HostUnavailable(error),
            TransportError::PortClosed
            | TransportError::Broken
            | TransportError::Exchange(_)
            | TransportError::Request(_) => Self::Failed(Box::new(error)),
        }
    }
}

impl From<ConnectError> for GuestError {
    fn from(error: ConnectError) -> Self {
        if let Some(refused) = refused_by_host(&error) {
            return refused;
        }
        let text = error.message.clone().unwrap_or_default();
        match error.code {
            ErrorCode::NotFound => Self::NotFound(text),
            ErrorCode::InvalidArgument if says(&error, COMMAND_NOT_FOUND) => {
                Self::CommandNotFound(text)
            }
            ErrorCode::InvalidArgument if says(&error, COMMAND_NOT_EXECUTABLE) => {
                Self::CommandNotExecutable(text)
            }
            ErrorCode::InvalidArgument | ErrorCode::OutOfRange | ErrorCode::Unauthenticated => {
                Self::Invalid(text)
            }
            ErrorCode::AlreadyExists | ErrorCode::FailedPrecondition => Self::Conflict(text),
            ErrorCode::PermissionDenied => Self::Forbidden(text),
            ErrorCode::ResourceExhausted => Self::Exhausted(text),
            ErrorCode::DeadlineExceeded => Self::TimedOut,
            ErrorCode::Canceled
            | ErrorCode::Unknown
            | ErrorCode::Aborted
            | ErrorCode::Unimplemented
            | ErrorCode::Internal
            | ErrorCode::Unavailable
            | ErrorCode::DataLoss
            | _ => Self::Failed(Box::new(error)),
        }
    }
}

fn says(error: &ConnectError, why: &str) -> bool {
    error.details.iter().any(|detail| detail.type_url == why)
}

/// The transport's own refusal, if one lies beneath.
fn refused_by_host(error: &ConnectError) -> Option<GuestError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref::<TransportError>() {
            Some(TransportError::NotRunning | TransportError::Changing) => {
                return Some(GuestError::Gone);
            }
            Some(TransportError::Host(io)) => {
                let io = std::io::Error::from(io.kind());
                return Some(GuestError::HostUnavailable(TransportError::Host(io)));
            }
            _ => cause = current.source(),
        }
    }
    None
}

/// The guest agent of one running sandbox.
#[derive(Clone)]
pub struct Guest {
    transport: AgentTransport,
    processes: ProcessClient<AgentTransport>,
    filesystem: FilesystemClient<AgentTransport>,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl Guest {
    pub fn new(target: Target) -> Self {
        // The name is never looked up: the transport decides where it goes.
        let config = ClientConfig::new(Uri::from_static("http://guest"))
            .with_default_max_message_size(MESSAGE_BYTES_MAX);
        let transport = AgentTransport::new(target);
        Self {
            processes: ProcessClient::new(transport.clone(), config.clone()),
            filesystem: FilesystemClient::new(transport.clone(), config),
            transport,
        }
    }
}

/// A short call.
fn unary() -> CallOptions {
    CallOptions::default().with_timeout(CALL_TIMEOUT)
}

/// A call on behalf of a user of the sandbox.
fn as_user(options: CallOptions, user: Option<&str>) -> CallOptions {
    match user {
        Some(user) => options.with_header(header::AUTHORIZATION, basic(user)),
        None => options,
    }
}

fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:")))
}

/// The error of a plain HTTP call (files).
fn http_error(status: StatusCode, text: String) -> GuestError {
    match status {
        StatusCode::NOT_FOUND => GuestError::NotFound(text),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => GuestError::Invalid(text),
        StatusCode::INSUFFICIENT_STORAGE => GuestError::DiskFull,
        StatusCode::TOO_MANY_REQUESTS => GuestError::Exhausted(text),
        StatusCode::FORBIDDEN => GuestError::Forbidden(text),
        StatusCode::CONFLICT => GuestError::Conflict(text),
        _ => GuestError::Failed(text.into()),
    }
}

/// Header names of the contract are lower-case constants.
const fn header_name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}
