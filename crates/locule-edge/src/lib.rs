//! How bytes reach a sandbox: commands, files and its ports.
//!
//! ```text
//! client ──► [`proxy`] ──┐                              ┌─► guest agent :49983
//!                        ├─ [`AgentTransport`] ─► host agent /proxy/{sandbox}/{port}… ─┤
//! use case ► [`Guest`] ──┘   (a byte stream per request) └─► any port inside
//! ```
//!
//! Knows no database and decides nothing about teams: a [`Target`] says where to go, [`access`] says what a caller must
//! show. Bodies are never held whole, and a stream that breaks is cut, never ended politely: clients tell a dead sandbox
//! from a finished command by exactly that.

pub mod access;
mod address;
mod control_path;
mod guest;
mod headers;
mod proxy;
mod refusal;
mod transport;

pub use address::{Address, AddressError};
pub use guest::{
    Ended, Entry, EntryKind, Event, Events, Guest, GuestError, ListedProcess, Selector, Signal,
    Start, patiently,
};
/// What the guest agent claims to be, for clients that gate features on it.
pub use locule_guest_api::ENVD_VERSION;
pub use proxy::proxy;
pub use refusal::Refusal;
pub use transport::{AgentTransport, Target, TransportError};
