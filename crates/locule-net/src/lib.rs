//! The network of one sandbox: a namespace, a tap, an uplink, and packet rules.
//!
//! ```text
//! guest eth0 169.254.0.21 ── tap0 169.254.0.22 │ namespace │ eth0 198.18.x.y ── veth ── host ── masquerade ── internet
//! ```
//!
//! Every namespace looks the same from inside, so that a snapshot can be restored in any of them. The agent reaches a guest
//! through sockets that it opens inside the namespace; the host has no route to a guest. This crate knows slots, not sandboxes.

mod claim;
pub mod dns;
mod firewall;
mod forwarding;
mod host;
mod names;
mod namespace;
mod options;
mod sandbox;

pub use forwarding::Forwarding;
pub use host::HostNet;
pub use names::Names;
pub use options::NetOptions;
pub use sandbox::SandboxNet;

use std::io;
use std::net::Ipv4Addr;

use locule_base::errors::FileError;

/// The address of every guest, and of the host's end of its link (the tap).
pub const GUEST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 21);
pub const HOST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 22);
/// The MAC address of every guest.
pub const GUEST_MAC: &str = "02:fc:00:00:00:05";
/// Slots of one instance: as many as its address block has pairs.
pub const SLOTS: u16 = 1024;

#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("configure the network")]
    Command(#[from] locule_base::command::CommandError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("enter the network namespace {name}")]
    Namespace { name: String, source: io::Error },
    #[error("create the network namespace {name}")]
    CreateNamespace { name: String, source: io::Error },
    #[error("open the tap device of slot {slot}")]
    Tap { slot: u16, source: io::Error },
    #[error(
        "other instances claim all 64 address blocks of this host; remove the claims of deleted instances in /run/locule/claims"
    )]
    NoFreeBlock,
}
