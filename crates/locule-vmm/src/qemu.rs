//! The QEMU driver.
//!
//! Every descriptor is opened by the agent and handed over; QEMU opens nothing by a path of its own but its firmware.
//! Device state is saved by `xen-save-devices-state`, which any accelerator has and which writes no memory and no disk,
//! and is loaded through the ordinary incoming path, which skips firmware and so leaves guest memory alone.

mod arguments;
mod machine;
mod version;

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;

use crate::accelerator::Accelerator;
use crate::cgroup::{Group, Groups};
use crate::jail::{Jail, contents_for};
use crate::launch::{Launch, THREADS_MAX};
use crate::machine::{
    Identity, Machine, MemoryFile, MemorySource, VmSpec, Vmm, VmmError, VmmHandle,
};
use crate::process::{Process, Unclaimed};
use crate::qmp::Qmp;
use machine::QemuMachine;

pub(crate) const PROGRAM: &str = "/usr/bin/qemu-system-x86_64";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// What a program calls itself when it is QEMU, and not another that speaks like it.
const DRIVER: &str = "qemu";
/// A VMM may always write this much into a file: device state, its log, the guest's console.
const FILE_BYTES_MIN: u64 = 64 << 20;

/// QEMU as installed on this host, or another program with the same command line and control channel.
#[derive(Debug, Clone)]
pub struct Qemu {
    program: PathBuf,
    identity: Identity,
    /// Types of machines that it can be, aliases among them.
    machines: Vec<String>,
    accelerator: Accelerator,
    jail: Jail,
    groups: Option<Groups>,
}

impl Qemu {
    /// Asks the program (the installed QEMU unless said) what it is and what it needs, and makes the jail for it.
    pub async fn find(accelerator: Accelerator, program: Option<&Path>) -> Result<Self, VmmError> {
        let program = std::path::absolute(program.unwrap_or(PROGRAM.as_ref()))
            .map_err(|error| VmmError::Unusable(error.to_string()))?;
        let (driver, major, minor) = version::version_of(&program).await?;
        let machines = version::machines(&program).await;
        let cpu = match accelerator {
            Accelerator::Kvm => "host",
            // The newest baseline that TCG emulates whole.
            Accelerator::Tcg => "Nehalem-v1",
        };
        let contents = contents_for(&program, driver == DRIVER, accelerator).await?;
        let groups = Groups::find();
        if let Err(why) = &groups {
            tracing::info!(why, "VMMs run without a control group of their own");
        }
        Ok(Self {
            program,
            identity: Identity {
                driver,
                machine: format!("pc-q35-{major}.{minor}"),
                cpu: cpu.to_owned(),
                accelerator: accelerator.to_string(),
                version: format!("{major}.{minor}"),
            },
            machines,
            accelerator,
            jail: Jail::build(contents)?,
            groups: groups.ok(),
        })
    }

    /// The group a new VMM is to run in, when there is a place for one.
    fn group_for(&self, spec: &VmSpec) -> std::io::Result<Option<Group>> {
        let groups = self.groups.as_ref();
        groups
            .map(|groups| groups.make(&spec.name, spec.shape, THREADS_MAX))
            .transpose()
    }

    /// Starts the process, in its jail.
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
            group: group.map(Group::entrance).transpose()?,
            file_bytes_max: disk_bytes.max(FILE_BYTES_MIN),
        };
        launch.start()
    }

    /// Starts the process and speaks with it; one that fails leaves none behind.
    async fn connect(
        &self,
        spec: &VmSpec,
        group: Option<&Group>,
    ) -> Result<(VmmHandle, Process, Qmp), VmmError> {
        // A leftover socket of an earlier life of this slot.
        let _ = std::fs::remove_file(&spec.control);
        let listener = UnixListener::bind(&spec.control).map_err(VmmError::Start)?;
        std::fs::set_permissions(&spec.control, std::fs::Permissions::from_mode(0o600))
            .map_err(VmmError::Start)?;
        let memory = memory_file(&spec.memory).map_err(VmmError::Start)?;
        let pid = self
            .launch(spec, &listener, group)
            .map_err(VmmError::Start)?;
        let ended_early = || VmmError::EndedEarly {
            output: last_line(&spec.log),
        };
        let process = Process::open(pid, None)
            .map_err(VmmError::Start)?
            .ok_or_else(ended_early)?;
        let handle = VmmHandle {
            pid,
            start_ticks: process.start_ticks,
            control: spec.control.clone(),
            memory,
        };
        drop(listener);
        let process = Unclaimed::new(process);
        let connected = tokio::select! {
            connected = Qmp::connect(&spec.control, CONNECT_TIMEOUT) => connected,
            () = process.exited() => Err(VmmError::Gone),
        };
        let mut qmp = match connected {
            Ok(qmp) => qmp,
            Err(error) => {
                process.end().await;
                let early = matches!(error, VmmError::Gone);
                return Err(if early { ended_early() } else { error });
            }
        };
        // A machine that boots becomes an image: looked at once, then, and not on the hot path of a restore.
        if !spec.restore
            && let Err(error) = machine::check_memory_blocks(&mut qmp).await
        {
            process.end().await;
            return Err(error);
        }
        let process = process.claim().ok_or(VmmError::Gone)?;
        Ok((handle, process, qmp))
    }
}

#[async_trait]
impl Vmm for Qemu {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn loads(&self, saved: &Identity) -> bool {
        version::loads(&self.identity, &self.machines, saved)
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
        let process = opened.ok_or(VmmError::Gone)?;
        let qmp = tokio::select! {
            connected = Qmp::connect(&handle.control, CONNECT_TIMEOUT) => connected?,
            () = process.exited() => return Err(VmmError::Gone),
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

/// What the VMM said last, for an error message.
fn last_line(log: &PathBuf) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned();
    let line = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing");
    line.chars().take(400).collect()
}
