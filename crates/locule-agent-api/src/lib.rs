//! Control plane to host agent: messages, protocol version, the [`HostAgent`] trait, its client and its server.
//!
//! The interface has plain structures and typed ids only; the RPC library and its generated messages stay inside.
//! A host is reached through a [`Connector`], not a URL: a Unix socket on one machine, TLS to another one, later a connection that
//! the host dialled.

mod client;
mod connector;
mod dial_error;
mod error;
pub mod http1;
mod messages;
mod proto;
mod server;
pub mod tls;

pub use client::Client;
pub use connector::{ByteStream, Connector, HostStream};
pub use dial_error::DialError;
pub use error::AgentError;
pub use messages::{
    Holder, HolderKind, HostAgent, HostInfo, Order, PoolLevel, Purpose, ReportedState,
    ResumeSandbox, SandboxActivity, SandboxRecord, SandboxReport, SandboxSpec, UpdateSandbox,
    WatchEvent, WatchStream, WriteMark, inventory_hash,
};
pub use server::router;

/// Grows when a message changes its meaning. A control plane works with hosts of its own version and of the one before.
pub const PROTOCOL_VERSION: u32 = 1;
/// The header with the [`WriteMark`] of an order.
const WRITE_MARK_HEADER: &str = "locule-write-mark";
/// The header with the cause of a failed proxy request: `not_found`, `not_running`, `port_closed`, `draining`, `busy`, `no_answer`,
/// `broken`.
pub const PROXY_ERROR_HEADER: &str = "locule-proxy-error";
/// The header of a proxied request without a credential, which is not a use of the sandbox. Never forwarded into the sandbox.
pub const PROXY_PROBE_HEADER: &str = "locule-probe";
/// The header with the [`Purpose`] of a request of the control plane itself. Never forwarded into the sandbox.
pub const PROXY_USE_HEADER: &str = "locule-use";
/// The header with the address of a client that showed no credential: one address has a share of what all visitors may use. Never
/// forwarded into the sandbox.
pub const PROXY_VISITOR_HEADER: &str = "locule-visitor";
