//! Start, restore, stop and capture one VMM process.
//!
//! This crate owns the interface to a virtual machine monitor: a [`Vmm`] is a driver that starts VMMs, and a [`Machine`]
//! is one running VMM process. The driver is QEMU's; Firecracker and the stub VMM of the tests fit the same two traits.
//! The crate does not decide *when* a VM starts or stops, and knows no sandbox, network or disk pool: its callers pass
//! memory, disk, tap and console as descriptors.
//!
//! The source of guest memory ([`MemorySource`]) and the search for changed pages ([`capture`]) are two separate parts.
//! Neither needs the help of the VMM.

mod accelerator;
pub mod capture;
mod cgroup;
mod holes;
mod jail;
mod launch;
mod machine;
mod process;
mod qemu;
mod qmp;
mod seal;

pub use accelerator::{Accelerator, AcceleratorKind, AcceleratorSetting};
pub use capture::{CaptureStats, MemoryFile};
pub use machine::{
    Machine, MemorySource, ParseVmmIdentityError, Shape, VmSpec, Vmm, VmmError, VmmHandle,
    VmmIdentity,
};
pub use qemu::{KvmProbe, Qemu, choose_accelerator};
pub use seal::seal_memory;
