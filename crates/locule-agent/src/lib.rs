//! What a host does: the life of every sandbox on it.
//!
//! ```text
//! server ─► registry ─► driver (one task, one sandbox) ─► lifecycle: create, pause, resume, destroy ─► net, disk, vmm
//!   └─► proxy ────────────────────────────► guest            └─► ledger (a manifest per sandbox, on disk)
//! ```
//!
//! A host has no database and no user's credential: what it knows is on its own disk. Whatever was acknowledged is in a
//! manifest there; whatever a crash left half done is finished or undone at the next start ([`adopt`](self)).

mod activity;
mod admission;
mod adopt;
mod config;
mod database;
mod driver;
mod golden;
mod guest;
mod host;
mod images;
mod ledger;
mod lifecycle;
mod manifest;
mod pressure;
mod proxy;
mod registry;
mod run;
mod server;
mod slots;
mod warm;
mod watch;

pub use config::{Config, Limits, OnStop};
pub use images::{BadBundle, Bundle};
pub use ledger::{Finding, Findings, examine};
pub use locule_vmm::{AcceleratorSetting, Shape};
pub use registry::Registry;
pub use run::{Agent, RunError, run};

// A guest configures the addresses of `locule-guest-api`; the host's packet rules expect those of `locule-net`.
const _: () = assert!(
    locule_net::GUEST_IP.to_bits() == locule_guest_api::GUEST_IP.to_bits()
        && locule_net::HOST_IP.to_bits() == locule_guest_api::HOST_IP.to_bits()
);
