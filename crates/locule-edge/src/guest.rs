//! The platform's own calls to the guest agent of one sandbox: processes, terminals and files.

mod attached;
mod files;
mod ports;
mod processes;
mod purpose;
mod terminal;
mod window;

pub use attached::retry_while_agent_restarts;
pub use files::{Entry, EntryKind};
pub use locule_guest_api::ports::Listener;
pub use processes::{
    ListedProcess, ProcessEvent, ProcessEvents, ProcessExit, Selector, Signal, StartProcess,
};
pub use window::WindowSize;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, StatusCode, Uri, header};
use locule_agent_api::{PROXY_USE_HEADER, Purpose};
use locule_guest_api::proto::filesystem::FilesystemClient;
use locule_guest_api::proto::process::ProcessClient;
use locule_guest_api::rpc::client::{CallOptions, ClientConfig};
use locule_guest_api::rpc::{ConnectError, ErrorCode};
use locule_guest_api::{COMMAND_NOT_EXECUTABLE, COMMAND_NOT_FOUND};

use crate::{AgentTransport, CutError, Target, TransportError};

/// A unary call that takes longer than this has failed.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A larger list is refused: programs in a sandbox may send any length.
const LIST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Limit of any other answer, and of one event of a process: the guest agent sends output in chunks of 32 KiB.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// A call that the guest agent refused or that did not reach it. The texts come from the guest: they may be shown to its own
/// team and are not trusted otherwise.
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
    /// A limit of the guest is reached: processes, watchers, file descriptors.
    #[error("{0}")]
    Exhausted(String),
    #[error("the disk of the sandbox is full")]
    DiskFull,
    #[error("the command took too long and was killed")]
    TimedOut,
    /// The sandbox stopped, or is being paused or destroyed.
    #[error("the sandbox is no longer running")]
    Gone,
    /// The caller lost its right while the call was under way.
    #[error("the credential of this request is no longer valid")]
    Revoked,
    #[error("the host of the sandbox is not reachable")]
    HostUnavailable(#[source] TransportError),
    #[error("the guest agent failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl GuestError {
    /// Whether the connection to the guest agent failed, as opposed to a refusal by the guest agent.
    pub fn is_connection_failure(&self) -> bool {
        matches!(self, Self::HostUnavailable(_) | Self::Failed(_))
    }
}

impl From<TransportError> for GuestError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NotRunning | TransportError::Changing => Self::Gone,
            TransportError::Revoked => Self::Revoked,
            TransportError::Host(_) => Self::HostUnavailable(error),
            TransportError::PortClosed
            | TransportError::Broken
            | TransportError::Busy
            | TransportError::NoAnswer
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
            ErrorCode::InvalidArgument if has_detail(&error, COMMAND_NOT_FOUND) => {
                Self::CommandNotFound(text)
            }
            ErrorCode::InvalidArgument if has_detail(&error, COMMAND_NOT_EXECUTABLE) => {
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

fn has_detail(error: &ConnectError, type_url: &str) -> bool {
    error
        .details
        .iter()
        .any(|detail| detail.type_url == type_url)
}

/// The refusal by the host agent or by the edge, if the error has one as a source.
fn refused_by_host(error: &ConnectError) -> Option<GuestError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(CutError::Revoked) = current.downcast_ref::<CutError>() {
            return Some(GuestError::Revoked);
        }
        match current.downcast_ref::<TransportError>() {
            Some(TransportError::NotRunning | TransportError::Changing) => {
                return Some(GuestError::Gone);
            }
            Some(TransportError::Revoked) => return Some(GuestError::Revoked),
            Some(TransportError::Host(error)) => {
                let error = TransportError::Host(error.clone());
                return Some(GuestError::HostUnavailable(error));
            }
            _ => cause = current.source(),
        }
    }
    None
}

/// A client of the guest agent of one running sandbox.
#[derive(Clone)]
pub struct GuestClient {
    transport: AgentTransport,
    processes: ProcessClient<AgentTransport>,
    filesystem: FilesystemClient<AgentTransport>,
}

impl std::fmt::Debug for GuestClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestClient")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl GuestClient {
    pub fn new(target: Target) -> Self {
        // The name is never resolved: the transport connects to the host agent.
        let config = ClientConfig::new(Uri::from_static("http://guest"))
            .with_default_max_message_size(MESSAGE_BYTES_MAX);
        let transport = AgentTransport::new(target);
        Self {
            processes: ProcessClient::new(transport.clone(), config.clone()),
            filesystem: FilesystemClient::new(transport.clone(), config),
            transport,
        }
    }

    /// The same guest agent, for the clean-up after a caller: the calls go on when the caller loses its right.
    #[must_use]
    pub fn for_cleanup(&self) -> Self {
        let target = self.transport.target().clone();
        Self::new(Target {
            cut: Arc::default(),
            ..target
        })
    }
}

/// Options of a unary call whose answer is a list.
fn unary_list() -> CallOptions {
    unary().with_max_message_size(LIST_BYTES_MAX)
}

/// Options of a unary call.
fn unary() -> CallOptions {
    CallOptions::default().with_timeout(CALL_TIMEOUT)
}

/// Makes the guest agent run the call as this user of the sandbox.
fn as_user(options: CallOptions, user: Option<&str>) -> CallOptions {
    match user {
        Some(user) => options.with_header(header::AUTHORIZATION, basic(user)),
        None => options,
    }
}

fn basic(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:")))
}

/// The error of a plain HTTP call to `/files`.
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

/// Tells the host what the call is for.
fn noted(options: CallOptions, purpose: &Purpose) -> CallOptions {
    options.with_header(header_name(PROXY_USE_HEADER), purpose.header())
}
