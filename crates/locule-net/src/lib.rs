//! The network of one sandbox: a namespace, a tap, a way out, and the rules for it.
//!
//! ```text
//! guest eth0 169.254.0.21 ── tap0 169.254.0.22 │ namespace │ eth0 198.18.x.y ── veth ── host ── masquerade ── internet
//! ```
//!
//! Every namespace looks the same from inside, so that a memory image restores anywhere. The agent reaches a guest by
//! sockets that are opened inside the namespace; no host route to a guest exists. Knows no sandbox: a network has a slot.

mod claim;
pub mod dns;
mod firewall;
mod host;
mod namespace;
mod options;
mod sandbox;

pub use host::{HostNet, Names};
pub use options::NetOptions;
pub use sandbox::SandboxNet;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// The address of every guest, and of the host's side of its wire.
pub const GUEST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 21);
pub const HOST_IP: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 22);
/// The MAC address of every guest.
pub const GUEST_MAC: &str = "02:fc:00:00:00:05";
/// Slots of one instance: as many as its address block has pairs.
pub const SLOTS: u16 = 1024;

#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("set up the network")]
    Command(#[from] locule_base::command::CommandError),
    #[error("{action} {path}")]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("enter the network namespace {name}")]
    Namespace { name: String, source: io::Error },
    #[error("make the network namespace {name}")]
    MakeNamespace { name: String, source: io::Error },
    #[error("open the tap device of slot {slot}")]
    Tap { slot: u16, source: io::Error },
    #[error(
        "all 64 address blocks of this host are claimed by other instances; see /run/locule/claims"
    )]
    NoFreeBlock,
}

impl NetError {
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
