//! The two traits and what passes through them.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::capture::{CaptureError, CaptureStats};

/// What a snapshot can be loaded by. Two VMMs with the same identity load each other's device state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub driver: String,
    /// Versioned machine type, never an alias.
    pub machine: String,
    pub cpu: String,
    pub accelerator: String,
    /// Major and minor; a patch release loads what another wrote.
    pub version: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{} {} {} {}",
            self.driver, self.version, self.machine, self.cpu, self.accelerator
        )
    }
}

/// Not what an identity prints as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the identity of a VMM")]
pub struct ParseIdentityError;

impl std::str::FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, ParseIdentityError> {
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        let [program, machine, cpu, accelerator] = words.as_slice() else {
            return Err(ParseIdentityError);
        };
        let (driver, version) = program.rsplit_once('-').ok_or(ParseIdentityError)?;
        Ok(Self {
            driver: driver.to_owned(),
            machine: machine.clone(),
            cpu: cpu.clone(),
            accelerator: accelerator.clone(),
            version: version.to_owned(),
        })
    }
}

/// The size of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    pub vcpus: u32,
    pub memory_mib: u32,
}

/// Where guest memory comes from.
#[derive(Debug, Clone)]
pub enum MemorySource {
    /// Mapped shared: the file becomes the image. For the boot of a template.
    Boot(Arc<File>),
    /// Mapped privately, shared by many: a write-sealed memfd.
    Sealed(Arc<OwnedFd>),
    /// Mapped privately, this machine's own image file.
    Private(Arc<File>),
}

/// One machine to start.
#[derive(Debug)]
pub struct VmSpec {
    /// Shown in the process list; a sweep finds leftovers by it.
    pub name: String,
    /// The type of the machine whose state is restored, where it is not the driver's own.
    pub machine: Option<String>,
    pub shape: Shape,
    /// The VMM's own user. Files it must open are readable by it.
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
    /// Where the control socket is bound; removed first if something is there.
    pub control: PathBuf,
    /// What the VMM itself prints.
    pub log: PathBuf,
    /// Wait for device state instead of booting.
    pub restore: bool,
}

/// Enough to find a running VMM again after a restart of its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmmHandle {
    pub pid: u32,
    /// With the pid this names one process for ever: a reused pid started later.
    pub start_ticks: u64,
    pub control: PathBuf,
    pub memory: MemoryFile,
}

/// Which mapping of the VMM is the guest's memory: the file behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryFile {
    pub device: u64,
    pub inode: u64,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum VmmError {
    #[error("{program} is not installed: apt-get install qemu-system-x86")]
    NotInstalled { program: String },
    #[error("make the VMM's jail: {what}")]
    Jail { what: String, source: io::Error },
    #[error("start the VMM")]
    Start(#[source] io::Error),
    #[error("the VMM ended while starting: {output}")]
    EndedEarly { output: String },
    #[error("the VMM is gone")]
    Gone,
    #[error("the VMM did not answer {command} in time")]
    Silent { command: &'static str },
    #[error("the VMM refused {command}: {reason}")]
    Refused {
        command: &'static str,
        reason: String,
    },
    #[error("talk to the VMM")]
    Control(#[source] io::Error),
    #[error("capture guest memory")]
    Capture(#[from] CaptureError),
    #[error("this host cannot run guests: {0}")]
    Unusable(String),
}

/// A driver: one way to run machines.
#[async_trait]
pub trait Vmm: Send + Sync + fmt::Debug {
    fn identity(&self) -> Identity;

    /// Whether it promises to load what the other saved, as a machine of the type that saved it.
    fn loads(&self, saved: &Identity) -> bool;

    /// Starts a VMM. One that boots runs at once; one that restores waits for its device state.
    async fn start(&self, spec: VmSpec) -> Result<Box<dyn Machine>, VmmError>;

    /// Takes over a VMM that another agent process started. `Gone` when it is not there any more.
    async fn adopt(&self, handle: &VmmHandle) -> Result<Box<dyn Machine>, VmmError>;
}

/// One VMM process. Has one owner; dropping it leaves the process alone.
#[async_trait]
pub trait Machine: Send + fmt::Debug {
    fn handle(&self) -> &VmmHandle;

    /// Loads device state into a machine started with `restore`; it stays stopped.
    async fn load_devices(&mut self, state: File) -> Result<(), VmmError>;

    /// Writes the state of every device, no memory and no disk. The machine must be stopped.
    async fn save_devices(&mut self, out: File) -> Result<(), VmmError>;

    /// Lets the vCPUs run.
    async fn cont(&mut self) -> Result<(), VmmError>;

    /// Stops the vCPUs and flushes the disk.
    async fn stop(&mut self) -> Result<(), VmmError>;

    async fn is_running(&mut self) -> Result<bool, VmmError>;

    /// Whether the VMM stopped the guest since this was asked last, because its disk could not be written. `cont` tries the
    /// same write again. Costs next to nothing.
    fn disk_failed(&mut self) -> Result<bool, VmmError>;

    /// Copies every private page of guest memory into `image`, a clone of the image the machine was started from.
    /// The machine must be stopped. The caller makes it durable.
    async fn capture_memory(&mut self, image: File) -> Result<CaptureStats, VmmError>;

    /// Ends when the process is gone. May be cancelled and asked again.
    async fn exited(&mut self);

    /// Ends the process: asked first, killed after two seconds. Returns when it is gone.
    async fn end(&mut self) -> Result<(), VmmError>;
}
