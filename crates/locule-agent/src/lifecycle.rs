//! The operations on a sandbox, each a sequence of steps with its undo.
//!
//! Operations change the host and the ledger, in an order that a crash may cut anywhere:
//!
//! ```text
//! claim    folder · cont · init · manifest(running)
//! create   manifest(creating) · disk · net · vmm · devices · cont · init · manifest(running)
//! pause    freeze · stop · devices · memory · fsync · manifest(paused) · end vmm · net
//! resume   disk · net · vmm · devices · cont · init · manifest(running)
//! destroy  tombstone · end vmm · net · files
//! ```
//!
//! [`VmSource`](crate::vm_source::VmSource) has claim and create.

mod pause;
mod remove;
mod resume;

pub(crate) use pause::pause;
pub(crate) use remove::{remove, remove_eventually, write_tombstone};
pub(crate) use resume::resume;
