//! How bytes reach a sandbox: commands, files and its ports.
//!
//! ```text
//! client ───► [`Forwarding`] ┐                                         ┌─► guest agent :49983
//!                            ├─► [`AgentTransport`] ─► host agent ─────┤
//! API call ─► [`GuestClient`]┘   /proxy/{sandbox}/{port}/…             └─► any port of the sandbox
//! ```
//!
//! This crate uses no database and decides nothing about teams: a [`Target`] says where a sandbox is and until when its caller
//! may use it, [`access`] says which credential a port requires. Bodies are streamed, never buffered whole. A stream that breaks is reset, never closed in
//! order: a client tells a lost sandbox from a finished command by that difference.

pub mod access;
mod address;
mod control_path;
mod cut;
mod guest;
mod headers;
mod pass;
mod proxy;
mod query;
mod refusal;
pub mod responses;
mod retained;
mod transport;

pub use address::{Address, AddressError};
pub use cut::{CutBody, CutError};
pub use guest::{
    Entry, EntryKind, GuestClient, GuestError, ListedProcess, Listener, ProcessEvent,
    ProcessEvents, ProcessExit, Selector, Signal, StartProcess, WindowSize,
    retry_while_agent_restarts,
};
/// Headers of one head on the way between clients and programs.
pub use locule_agent_api::http1::HEADERS_MAX;
/// The version that the guest agent reports to SDKs, which enable features by it.
pub use locule_guest_api::ENVD_VERSION;
pub use locule_guest_api::{ACCESS_TOKEN_HEADER, GUEST_PORT};
pub use pass::Pass;
pub use proxy::{Forwarding, NotForwarded};
pub use refusal::{Refusal, guest_preflight, guest_refusal};
pub use transport::{AgentTransport, Target, TransportError};
