//! The QEMU driver.
//!
//! The agent opens every file and passes the descriptors; QEMU opens only its firmware by path. Device state is saved with
//! `xen-save-devices-state`, which works under any accelerator and writes neither memory nor disk. It is loaded as an
//! ordinary incoming migration, which skips firmware and so does not touch guest memory.

mod arguments;
mod machine;
mod probe;
mod version;

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use locule_base::errors::chain;
use locule_base::tail::{TAIL_BYTES, tail};

use crate::accelerator::AcceleratorKind;
use crate::capture::MemoryFile;
use crate::cgroup::{Group, Groups};
use crate::holes;
use crate::jail::{Jail, contents_for};
use crate::launch::{Launch, THREADS_MAX};
use crate::machine::{Machine, MemorySource, VmSpec, Vmm, VmmError, VmmHandle, VmmIdentity};
use crate::process::{KillOnDrop, Process};
use crate::qmp::Qmp;
use machine::QemuMachine;
pub use probe::{KvmProbe, choose_accelerator};
use version::PROGRAM;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// The name in QEMU's version text. Another program with the same interface has another name.
const DRIVER: &str = "qemu";
/// The user of the program that only prints its version.
const NOBODY: u32 = 65_534;
/// The lower bound of the file size limit: device state, the log and the guest's console fit in it.
const FILE_BYTES_MIN: u64 = 64 << 20;

/// The QEMU that is installed on this host, or another program with the same command line and control channel.
#[derive(Debug, Clone)]
pub struct Qemu {
    program: PathBuf,
    identity: VmmIdentity,
    /// Machine types that the program supports, aliases included.
    machines: Vec<String>,
    accelerator: AcceleratorKind,
    jail: Jail,
    groups: Option<Groups>,
}

impl Qemu {
    /// Queries the program (by default the installed QEMU) for its version and needs, and sets up its jail.
    pub async fn find(
        accelerator: AcceleratorKind,
        program: Option<&Path>,
    ) -> Result<Self, VmmError> {
        let program = std::path::absolute(program.unwrap_or(PROGRAM.as_ref()))
            .map_err(|error| VmmError::Unusable(error.to_string()))?;
        let (driver, major, minor) = version::version_of(&program).await?;
        let machines = version::machines(&program).await;
        let cpu = match accelerator {
            AcceleratorKind::Kvm => "host",
            // The newest CPU model that TCG emulates completely.
            AcceleratorKind::Tcg => "Nehalem-v1",
        };
        let contents = contents_for(&program, driver == DRIVER, accelerator).await?;
        let groups = Groups::find();
        if let Err(reason) = &groups {
            tracing::info!(reason, "VMMs run without control groups of their own");
        }
        let jail = Jail::build(contents).map_err(|error| VmmError::NoJail(error.into()))?;
        let qemu = Self {
            program,
            identity: VmmIdentity {
                driver,
                machine: format!("pc-q35-{major}.{minor}"),
                cpu: cpu.to_owned(),
                accelerator: accelerator.to_string(),
                version: format!("{major}.{minor}"),
            },
            machines,
            accelerator,
            jail,
            groups: groups.ok(),
        };
        qemu.check_jail().await?;
        Ok(qemu)
    }

    /// Starts the program once in its jail: where that fails, every VM would fail with the same error.
    async fn check_jail(&self) -> Result<(), VmmError> {
        let launch = Launch {
            program: &self.program,
            args: vec!["--version".into()],
            uid: NOBODY,
            descriptors: Vec::new(),
            log: Path::new("/dev/null"),
            jail: &self.jail,
            group: None,
            file_bytes_max: FILE_BYTES_MIN,
        };
        let started = launch.start().and_then(|pid| Process::open(pid, None));
        let started = started.map_err(|error| VmmError::NoJail(VmmError::Start(error).into()))?;
        if let Some(process) = started {
            process.exited().await;
        }
        Ok(())
    }

    /// The control group for a new VMM, where this agent can make one.
    fn group_for(&self, spec: &VmSpec) -> std::io::Result<Option<Group>> {
        let groups = self.groups.as_ref();
        groups
            .map(|groups| groups.make(&spec.name, spec.shape, THREADS_MAX))
            .transpose()
    }

    /// Starts the process in its jail.
    fn launch(
        &self,
        spec: &VmSpec,
        listener: &UnixListener,
        group: Option<&Group>,
    ) -> std::io::Result<u32> {
        let control = listener.as_raw_fd();
        let image = match &spec.memory {
            MemorySource::Boot(file) | MemorySource::Private(file) => file.as_fd(),
            MemorySource::Sealed(memfd) => memfd.as_fd(),
        };
        let disk_bytes = rustix::fs::fstat(&spec.disk)?.st_size.cast_unsigned();
        let launch = Launch {
            program: &self.program,
            args: arguments::build(&self.identity, self.accelerator, spec, control),
            uid: spec.uid,
            descriptors: vec![
                spec.disk.as_fd(),
                spec.tap.as_fd(),
                spec.console.as_fd(),
                spec.kernel.as_fd(),
                spec.initramfs.as_fd(),
                image,
                listener.as_fd(),
            ],
            log: &spec.log,
            jail: &self.jail,
            group: group.map(Group::membership_file).transpose()?,
            file_bytes_max: disk_bytes.max(FILE_BYTES_MIN),
        };
        launch.start()
    }

    /// Starts the process and connects to its control channel. Leaves no process behind on failure.
    async fn connect(
        &self,
        spec: &VmSpec,
        group: Option<&Group>,
    ) -> Result<(VmmHandle, Process, Qmp), VmmError> {
        // An earlier VMM of this slot may have left its socket.
        let _ = std::fs::remove_file(&spec.control);
        let listener = UnixListener::bind(&spec.control).map_err(VmmError::Start)?;
        std::fs::set_permissions(&spec.control, std::fs::Permissions::from_mode(0o600))
            .map_err(VmmError::Start)?;
        let memory = memory_file(&spec.memory).map_err(VmmError::Start)?;
        let pid = self
            .launch(spec, &listener, group)
            .map_err(VmmError::Start)?;
        let exited_early = || VmmError::ExitedEarly {
            output: last_line(&spec.log),
        };
        let process = Process::open(pid, None)
            .map_err(VmmError::Start)?
            .ok_or_else(exited_early)?;
        let handle = VmmHandle {
            pid,
            start_ticks: process.start_ticks,
            control: spec.control.clone(),
            memory,
        };
        drop(listener);
        let process = KillOnDrop::new(process);
        let connected = tokio::select! {
            connected = Qmp::connect(&spec.control, CONNECT_TIMEOUT) => connected,
            () = process.exited() => Err(VmmError::Exited),
        };
        let mut qmp = match connected {
            Ok(qmp) => qmp,
            Err(error) => {
                process.end().await;
                let early = matches!(error, VmmError::Exited);
                return Err(if early { exited_early() } else { error });
            }
        };
        // A VM that boots becomes a template snapshot: one check here covers every restore, and stays off its hot path.
        if !spec.restore
            && let Err(error) = machine::check_memory_blocks(&mut qmp).await
        {
            process.end().await;
            return Err(error);
        }
        if let MemorySource::Sealed(memfd) = &spec.memory {
            cover_holes(pid, memory, memfd.clone()).await;
        }
        let process = process.disarm().ok_or(VmmError::Exited)?;
        Ok((handle, process, qmp))
    }
}

#[async_trait]
impl Vmm for Qemu {
    fn identity(&self) -> VmmIdentity {
        self.identity.clone()
    }

    fn can_load(&self, saved: &VmmIdentity) -> bool {
        version::can_load(&self.identity, &self.machines, saved)
    }

    async fn start(&self, spec: VmSpec) -> Result<Box<dyn Machine>, VmmError> {
        let group = self.group_for(&spec).map_err(VmmError::Start)?;
        match self.connect(&spec, group.as_ref()).await {
            Ok((handle, process, qmp)) => {
                Ok(Box::new(QemuMachine::new(handle, process, qmp, group)))
            }
            Err(error) => {
                group.iter().for_each(Group::remove);
                Err(error)
            }
        }
    }

    async fn adopt(&self, handle: &VmmHandle) -> Result<Box<dyn Machine>, VmmError> {
        let opened =
            Process::open(handle.pid, Some(handle.start_ticks)).map_err(VmmError::Control)?;
        let process = opened.ok_or(VmmError::Exited)?;
        let qmp = tokio::select! {
            connected = Qmp::connect(&handle.control, CONNECT_TIMEOUT) => connected?,
            () = process.exited() => return Err(VmmError::Exited),
        };
        let group = self.groups.as_ref();
        let group = group.and_then(|groups| groups.of(handle.pid));
        let handle = handle.clone();
        Ok(Box::new(QemuMachine::new(handle, process, qmp, group)))
    }
}

fn memory_file(source: &MemorySource) -> std::io::Result<MemoryFile> {
    match source {
        MemorySource::Boot(file) | MemorySource::Private(file) => {
            let meta = file.metadata()?;
            Ok(MemoryFile {
                device: meta.dev(),
                inode: meta.ino(),
                bytes: meta.len(),
            })
        }
        MemorySource::Sealed(memfd) => {
            let stat = rustix::fs::fstat(memfd)?;
            Ok(MemoryFile {
                device: stat.st_dev,
                inode: stat.st_ino,
                bytes: stat.st_size.cast_unsigned(),
            })
        }
    }
}

/// A VMM whose holes cannot be covered works the same. What its guest writes into them costs twice, until the memory ends.
async fn cover_holes(pid: u32, memory: MemoryFile, memfd: Arc<OwnedFd>) {
    let covered = tokio::task::spawn_blocking(move || holes::cover(pid, memory, &memfd)).await;
    match covered {
        Ok(Ok(bytes)) => tracing::debug!(pid, bytes, "the holes of guest memory are covered"),
        Ok(Err(error)) => tracing::warn!(
            pid,
            error = chain(&error),
            "the holes of guest memory cannot be covered; what the guest writes there costs twice"
        ),
        Err(error) => tracing::warn!(pid, %error, "the holes of guest memory cannot be covered"),
    }
}

/// The last line of the VMM's output, for an error message.
fn last_line(log: &Path) -> String {
    let text = tail(log, TAIL_BYTES).unwrap_or_default();
    let line = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("the VMM printed nothing");
    line.chars().take(400).collect()
}
