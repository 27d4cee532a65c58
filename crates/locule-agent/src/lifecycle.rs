//! The operations on a sandbox, each a sequence of steps with its undo.
//!
//! They change the host and the ledger, in an order that a crash may cut anywhere:
//!
//! ```text
//! claim    folder · cont · init · manifest(running)
//! create   manifest(creating) · net · disk · vmm · devices · cont · init · manifest(running)
//! pause    freeze · stop · devices · memory · fsync · manifest(paused) · end vmm · net
//! resume   net · disk · vmm · devices · cont · init · manifest(running)
//! destroy  tombstone · end vmm · net · files
//! ```

mod pause;
mod remove;
mod resume;
mod start;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use locule_agent_api::AgentError;
use locule_disk::DiskError;
use locule_net::{NetError, SandboxNet};
use locule_vmm::capture::CaptureError;
use locule_vmm::{Machine, MemorySource, Shape, VmSpec, VmmError};

use crate::guest::GuestError;
use crate::host::Host;
use crate::slots::Slot;

pub(crate) use pause::pause;
pub(crate) use remove::{bury, clear, clear_by_and_by};
pub(crate) use resume::resume;
pub(crate) use start::{Steps, claim, create, from_golden};

#[derive(Debug, thiserror::Error)]
pub(crate) enum LifecycleError {
    #[error("there is no template {0:?} on this host")]
    UnknownTemplate(String),
    #[error("this host has no room for another sandbox: {0}")]
    Full(&'static str),
    #[error("all slots of this host are in use")]
    NoSlot,
    #[error("{action}")]
    Io {
        action: &'static str,
        source: io::Error,
    },
    #[error(
        "the sandbox stays paused: its image was saved by {needed}, and this host has {installed}; install that version again, or destroy the sandbox"
    )]
    OtherVmm { needed: String, installed: String },
    #[error("an internal step panicked")]
    Panicked,
    #[error("network")]
    Net(#[from] NetError),
    #[error("disk")]
    Disk(#[source] DiskError),
    #[error("virtual machine")]
    Vmm(#[from] VmmError),
    #[error("guest agent")]
    Guest(#[from] GuestError),
}

impl LifecycleError {
    /// Whether it failed for want of room on the disk.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::Vmm(VmmError::Capture(CaptureError::Write(source))) => {
                locule_disk::is_full(source)
            }
            Self::Disk(error) => error.is_full(),
            Self::UnknownTemplate(_)
            | Self::Full(_)
            | Self::NoSlot
            | Self::OtherVmm { .. }
            | Self::Panicked
            | Self::Net(_)
            | Self::Vmm(_)
            | Self::Guest(_) => false,
        }
    }

    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

impl From<LifecycleError> for AgentError {
    fn from(error: LifecycleError) -> Self {
        let text = locule_base::errors::chain(&error);
        match error {
            LifecycleError::UnknownTemplate(_) => Self::InvalidArgument(text),
            LifecycleError::OtherVmm { .. } => Self::FailedPrecondition(text),
            LifecycleError::Full(_) | LifecycleError::NoSlot => Self::ResourceExhausted(text),
            LifecycleError::Io { .. }
            | LifecycleError::Panicked
            | LifecycleError::Net(_)
            | LifecycleError::Disk(_)
            | LifecycleError::Vmm(_)
            | LifecycleError::Guest(_) => Self::Internal(text),
        }
    }
}

/// A running virtual machine with what it holds of the host.
#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) net: Arc<SandboxNet>,
    pub(crate) slot: Slot,
    /// The paused image it was resumed from.
    pub(crate) image: Option<u32>,
}

impl Vm {
    /// Ends the VMM and gives back the network and the slot. Goes on when a part fails: the sweep finds leftovers.
    pub(crate) async fn release(mut self, host: &Host) {
        if let Err(error) = self.machine.end().await {
            tracing::warn!(
                error = locule_base::errors::chain(&error),
                "ending a VMM failed"
            );
        }
        if let Err(error) = host.net.destroy(self.slot.number()).await {
            tracing::warn!(
                error = locule_base::errors::chain(&error),
                "removing a network failed"
            );
        }
    }
}

/// Files that are opened by the agent and handed to a VMM.
#[derive(Debug)]
pub(crate) struct VmFiles {
    disk: OwnedFd,
    console: OwnedFd,
}

pub(crate) fn open_files(folder: &Path, disk: &str) -> Result<VmFiles, LifecycleError> {
    let disk = File::options()
        .read(true)
        .write(true)
        .open(folder.join(disk));
    let console = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(folder.join("console.log"));
    Ok(VmFiles {
        disk: disk.map_err(LifecycleError::io("open the disk"))?.into(),
        console: console
            .map_err(LifecycleError::io("open the console"))?
            .into(),
    })
}

/// How a machine begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    Boot,
    Restore,
    /// As the type of machine that an earlier VMM saved.
    RestoreAs(String),
}

#[expect(
    clippy::too_many_arguments,
    reason = "one VM is made of exactly these parts"
)]
pub(crate) fn spec_for(
    host: &Host,
    slot: &Slot,
    net: &SandboxNet,
    shape: Shape,
    memory: MemorySource,
    files: VmFiles,
    folder: &Path,
    start: Start,
) -> Result<VmSpec, LifecycleError> {
    Ok(VmSpec {
        name: host.vmm_name(slot.number()),
        shape,
        uid: host.vmm_uid(slot.number()),
        memory,
        kernel: host.kernel.clone(),
        initramfs: host.initramfs.clone(),
        cmdline: host.kernel_command_line(),
        disk: files.disk,
        tap: net.open_tap()?,
        mac: locule_net::GUEST_MAC.to_owned(),
        console: files.console,
        control: host.control_socket(slot.number()),
        log: folder.join("vmm.log"),
        restore: start != Start::Boot,
        machine: match start {
            Start::Boot | Start::Restore => None,
            Start::RestoreAs(machine) => Some(machine),
        },
    })
}
