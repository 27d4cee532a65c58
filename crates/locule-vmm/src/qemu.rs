//! The QEMU driver.
//!
//! Every descriptor is opened by the agent and handed over; QEMU opens nothing by a path of its own but its firmware.
//! Device state is saved by `xen-save-devices-state`, which any accelerator has and which writes no memory and no disk,
//! and is loaded through the ordinary incoming path, which skips firmware and so leaves guest memory alone.

mod arguments;
mod machine;

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use locule_base::command::{Command, CommandError};

use crate::accelerator::Accelerator;
use crate::launch::Launch;
use crate::machine::{
    Identity, Machine, MemoryFile, MemorySource, VmSpec, Vmm, VmmError, VmmHandle,
};
use crate::process::{Process, Unclaimed};
use crate::qmp::Qmp;
use machine::QemuMachine;

pub(crate) const PROGRAM: &str = "/usr/bin/qemu-system-x86_64";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// QEMU as installed on this host.
#[derive(Debug, Clone)]
pub struct Qemu {
    program: PathBuf,
    identity: Identity,
    accelerator: Accelerator,
}

impl Qemu {
    /// Asks the installed QEMU, or the program that is named instead, what it is.
    pub async fn find(
        program: Option<PathBuf>,
        accelerator: Accelerator,
    ) -> Result<Self, VmmError> {
        let program = program.unwrap_or_else(|| PROGRAM.into());
        let (driver, major, minor) = installed_version(&program).await?;
        let cpu = match accelerator {
            Accelerator::Kvm => "host",
            // The newest baseline that TCG emulates whole.
            Accelerator::Tcg => "Nehalem-v1",
        };
        let identity = Identity {
            driver,
            machine: format!("pc-q35-{major}.{minor}"),
            cpu: cpu.to_owned(),
            accelerator: accelerator.to_string(),
            version: format!("{major}.{minor}"),
        };
        Ok(Self {
            program,
            identity,
            accelerator,
        })
    }
}

async fn installed_version(program: &Path) -> Result<(String, u32, u32), VmmError> {
    let output = Command::new(program)
        .arg("--version")
        .timeout(Duration::from_secs(20))
        .run()
        .await;
    let output = output.map_err(|error| match error {
        CommandError::NotInstalled { program } => VmmError::NotInstalled { program },
        other @ (CommandError::Spawn { .. }
        | CommandError::TimedOut { .. }
        | CommandError::Failed { .. }) => VmmError::Unusable(other.to_string()),
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).ok_or_else(|| {
        VmmError::Unusable(format!("{} does not say its version", program.display()))
    })
}

/// The first word says which program it is.
fn parse_version(text: &str) -> Option<(String, u32, u32)> {
    let driver = text.split_whitespace().next()?.to_lowercase();
    let mut numbers = text
        .split("version ")
        .nth(1)?
        .split(|c: char| !c.is_ascii_digit());
    let (major, minor) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some((driver, major, minor))
}

#[async_trait]
impl Vmm for Qemu {
    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    async fn start(&self, spec: VmSpec) -> Result<Box<dyn Machine>, VmmError> {
        // A leftover socket of an earlier life of this slot.
        let _ = std::fs::remove_file(&spec.control);
        let listener = UnixListener::bind(&spec.control).map_err(VmmError::Start)?;
        std::fs::set_permissions(&spec.control, std::fs::Permissions::from_mode(0o600))
            .map_err(VmmError::Start)?;
        let memory = memory_file(&spec.memory).map_err(VmmError::Start)?;
        let args = arguments::build(
            &self.identity,
            self.accelerator,
            &spec,
            listener.as_raw_fd(),
        );
        let image = match &spec.memory {
            MemorySource::Boot(file) | MemorySource::Private(file) => file.as_fd(),
            MemorySource::Sealed(memfd) => memfd.as_fd(),
        };
        let launch = Launch {
            program: &self.program,
            args,
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
            kvm: self.accelerator == Accelerator::Kvm,
        };
        let pid = launch.start().map_err(VmmError::Start)?;
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
        Ok(Box::new(QemuMachine::new(handle, process, qmp)))
    }

    async fn adopt(&self, handle: &VmmHandle) -> Result<Box<dyn Machine>, VmmError> {
        let opened =
            Process::open(handle.pid, Some(handle.start_ticks)).map_err(VmmError::Control)?;
        let process = opened.ok_or(VmmError::Gone)?;
        let qmp = tokio::select! {
            connected = Qmp::connect(&handle.control, CONNECT_TIMEOUT) => connected?,
            () = process.exited() => return Err(VmmError::Gone),
        };
        Ok(Box::new(QemuMachine::new(handle.clone(), process, qmp)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_qemu_prints() {
        let debian = "QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7+deb12u16)\nCopyright (c)";
        assert_eq!(parse_version(debian), Some(("qemu".to_owned(), 7, 2)));
        assert_eq!(
            parse_version("stub emulator version 1.0"),
            Some(("stub".to_owned(), 1, 0))
        );
        assert_eq!(parse_version("no such thing"), None);
    }
}
