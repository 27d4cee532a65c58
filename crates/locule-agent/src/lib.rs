//! What a host does: create, pause, resume and destroy every sandbox on it.
//!
//! ```text
//! server ─► registry ─► driver (one task, one sandbox) ─► vm_source: create · lifecycle: pause, resume, destroy
//!   └─► proxy ─► guest agent        │                        └─► vm: net + disk + vmm, with undo
//!                                   └─► ledger (a manifest per sandbox, on disk)
//! ```
//!
//! A host has no database and no user's credential: everything that it knows is on its own disk. Every acknowledged order is in
//! a manifest there; the next start completes or undoes each operation that a crash cut (`adopt`).

mod activity;
mod adopt;
mod blocking;
mod config;
mod driver;
mod error;
mod events;
mod guest;
mod host;
mod host_key;
mod ledger;
mod lifecycle;
mod manifest;
mod memory;
mod operation;
mod pressure;
mod promises;
mod proxy;
mod purge;
mod registration;
mod registry;
mod run;
mod server;
mod slots;
mod template_snapshot;
mod template_use;
mod tls_time;
mod undo;
mod vm;
mod vm_source;
mod warm;
mod write_mark;

pub use config::{Config, ImageSource, Limits, OnStop, RegistrationConfig};
pub use host_key::{HostKey, HostKeyError};
pub use ledger::{Finding, Findings, examine};
pub use locule_images::{BadBundle, Bundle};
pub use locule_net::Forwarding;
pub use locule_vmm::{AcceleratorSetting, Shape};
pub use purge::{PurgeError, purge};
pub use registration::client::{BadServer, Server};
pub use registration::credentials::Credentials;
pub use registry::Registry;
pub use run::{Agent, RunError, run};

// A guest configures the addresses of `locule-guest-api`; the host's packet rules expect those of `locule-net`.
const _: () = assert!(
    locule_net::GUEST_IP.to_bits() == locule_guest_api::GUEST_IP.to_bits()
        && locule_net::HOST_IP.to_bits() == locule_guest_api::HOST_IP.to_bits()
);
