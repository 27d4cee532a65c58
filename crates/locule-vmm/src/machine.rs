//! The traits of a VMM driver and of a running VMM, and the types in their signatures.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::capture::{CaptureError, CaptureStats, MemoryFile};

/// Identifies the VMMs that can load a snapshot: two VMMs with the same identity load each other's device state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmmIdentity {
    pub driver: String,
    /// The versioned machine type, never an alias.
    pub machine: String,
    pub cpu: String,
    pub accelerator: String,
    /// Major and minor version: patch releases of one minor version load each other's device state.
    pub version: String,
}

impl fmt::Display for VmmIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{} {} {} {}",
            self.driver, self.version, self.machine, self.cpu, self.accelerator
        )
    }
}

/// The text is not a printed [`VmmIdentity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a VMM identity (example: qemu-7.2 pc-q35-7.2 Nehalem-v1 tcg)")]
pub struct ParseVmmIdentityError;

impl std::str::FromStr for VmmIdentity {
    type Err = ParseVmmIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseVmmIdentityError> {
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        let [program, machine, cpu, accelerator] = words.as_slice() else {
            return Err(ParseVmmIdentityError);
        };
        let (driver, version) = program.rsplit_once('-').ok_or(ParseVmmIdentityError)?;
        Ok(Self {
            driver: driver.to_owned(),
            machine: machine.clone(),
            cpu: cpu.clone(),
            accelerator: accelerator.clone(),
            version: version.to_owned(),
        })
    }
}

/// The size of a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    pub vcpus: u32,
    pub memory_mib: u32,
}

/// The source of guest memory.
#[derive(Debug, Clone)]
pub enum MemorySource {
    /// Mapped shared, so that the file becomes the memory of a template snapshot. For the boot of a template.
    Boot(Arc<File>),
    /// A write-sealed memfd that many VMMs map privately.
    Sealed(Arc<OwnedFd>),
    /// The memory file of this VM alone, mapped privately.
    Private(Arc<File>),
}

/// Everything that a driver needs to start a VM.
#[derive(Debug)]
pub struct VmSpec {
    /// Shown in the process list. A sweep finds leftover VMMs by it.
    pub name: String,
    /// The machine type that saved the device state to restore, where it is not the driver's own.
    pub machine: Option<String>,
    pub shape: Shape,
    /// The user that the VMM runs as. This user can read every file that the VMM opens.
    pub uid: u32,
    pub memory: MemorySource,
    pub kernel: Arc<File>,
    pub initramfs: Arc<File>,
    /// The guest's kernel command line.
    pub cmdline: String,
    /// Open for reading and writing.
    pub disk: OwnedFd,
    pub tap: OwnedFd,
    pub mac: String,
    /// Open for writing only.
    pub console: OwnedFd,
    /// The path of the control socket. An existing file is removed first.
    pub control: PathBuf,
    /// The file for the output of the VMM itself.
    pub log: PathBuf,
    /// The VMM waits for device state instead of booting.
    pub restore: bool,
}

/// Identifies a running VMM across a restart of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmmHandle {
    pub pid: u32,
    /// The start time. Together with the pid it identifies one process for good: a reused pid has a later start time.
    pub start_ticks: u64,
    pub control: PathBuf,
    pub memory: MemoryFile,
}

#[derive(Debug, thiserror::Error)]
pub enum VmmError {
    #[error("{program} is not installed; run `apt-get install qemu-system-x86`")]
    NotInstalled { program: String },
    #[error("set up the jail of the VMM: {step}")]
    Jail { step: String, source: io::Error },
    #[error(
        "no VMM can be confined on this machine: run the host agent in the machine's own root, not in a chroot, and in a container only with the right to mount"
    )]
    NoJail(#[source] Box<VmmError>),
    #[error("start the VMM")]
    Start(#[source] io::Error),
    #[error("the VMM exited while it was starting: {output}")]
    ExitedEarly { output: String },
    #[error("the VMM process has exited")]
    Exited,
    #[error("the VMM did not answer `{command}` in time")]
    Timeout { command: &'static str },
    #[error("the VMM refused `{command}`: {reason}")]
    CommandRefused {
        command: &'static str,
        reason: String,
    },
    #[error("use the control channel of the VMM")]
    Control(#[source] io::Error),
    #[error("capture guest memory")]
    Capture(#[from] CaptureError),
    #[error("this host cannot run VMs: {0}")]
    Unusable(String),
}

/// A driver for one kind of VMM.
#[async_trait]
pub trait Vmm: Send + Sync + fmt::Debug {
    fn identity(&self) -> VmmIdentity;

    /// Whether the driver can load device state that `saved` wrote, as a VM of the same machine type.
    fn can_load(&self, saved: &VmmIdentity) -> bool;

    /// Starts a VMM. With `restore` it waits for device state; without, it boots at once.
    async fn start(&self, spec: VmSpec) -> Result<Box<dyn Machine>, VmmError>;

    /// Adopts a VMM that another agent process started. Fails with `Exited` when the process does not exist any more.
    async fn adopt(&self, handle: &VmmHandle) -> Result<Box<dyn Machine>, VmmError>;
}

/// One VMM process. It has one owner; dropping the value does not end the process.
#[async_trait]
pub trait Machine: Send + fmt::Debug {
    fn handle(&self) -> &VmmHandle;

    /// Loads device state into a VM that was started with `restore`. The VM stays stopped.
    async fn load_devices(&mut self, state: File) -> Result<(), VmmError>;

    /// Writes the state of every device, without memory and disk. The VM must be stopped.
    async fn save_devices(&mut self, out: File) -> Result<(), VmmError>;

    /// Starts or continues the vCPUs.
    async fn cont(&mut self) -> Result<(), VmmError>;

    /// Stops the vCPUs and flushes the disk.
    async fn stop(&mut self) -> Result<(), VmmError>;

    async fn is_running(&mut self) -> Result<bool, VmmError>;

    /// Whether the VMM stopped the guest because of a failed disk write since the last call. `cont` retries the write.
    /// Cheap enough to call often.
    fn disk_failed(&mut self) -> Result<bool, VmmError>;

    /// Copies every private page of guest memory into `image`, a clone of the memory file that the VM was started from.
    /// The VM must be stopped. The caller makes the file durable.
    async fn capture_memory(&mut self, image: File) -> Result<CaptureStats, VmmError>;

    /// Completes when the process has exited. Safe to cancel and to call again.
    async fn exited(&mut self);

    /// Ends the process: asks it to quit, and kills it after two seconds. Returns when the process has exited.
    async fn end(&mut self) -> Result<(), VmmError>;
}
