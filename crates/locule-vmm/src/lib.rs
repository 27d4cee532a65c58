//! Start, restore, stop and capture one VMM process.
//!
//! Owns what a virtual machine monitor is to the rest of the house: the [`Vmm`] driver that starts one and the
//! [`Machine`] that is one. A driver exists for QEMU; Firecracker and a stub for tests fit the same two traits. Never
//! decides *when* anything happens, and knows no sandbox, network or disk pool: memory, disk, tap and console arrive as
//! descriptors.
//!
//! Two seams are kept apart on purpose: where memory comes from ([`MemorySource`]) and how changed pages are found
//! ([`capture`]). Neither needs the VMM's help.

mod accelerator;
pub mod capture;
mod cgroup;
mod jail;
mod launch;
mod machine;
mod process;
mod qemu;
mod qmp;
mod seal;

pub use accelerator::{Accelerator, AcceleratorChoice, AcceleratorWish, choose};
pub use capture::CaptureStats;
pub use machine::{
    Identity, Machine, MemoryFile, MemorySource, ParseIdentityError, Shape, VmSpec, Vmm, VmmError,
    VmmHandle,
};
pub use process::find_by_name;
pub use qemu::Qemu;
pub use seal::seal_image;
