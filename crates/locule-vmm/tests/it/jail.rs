//! The limits of a VMM that a guest has compromised: a test program runs as the VMM's user in the VMM's jail.

mod attempts;
mod view;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use locule_base::command::Command;
use locule_vmm::{AcceleratorKind, MemorySource, Qemu, Vmm as _};
use tempfile::TempDir;

use crate::guest::{self, Guest, UID};

/// The probing program and its jail.
struct Prober {
    vmm: Qemu,
    program: PathBuf,
    _folder: TempDir,
}

impl Prober {
    async fn make(options: &[&str]) -> Self {
        let folder = open_folder();
        let program = crate::compile_with("prober", folder.path(), options).await;
        let vmm = Qemu::find(AcceleratorKind::Tcg, Some(&program))
            .await
            .unwrap();
        assert_eq!(vmm.identity().driver, "probe");
        Self {
            vmm,
            program,
            _folder: folder,
        }
    }

    /// Starts the program as a VMM with sealed guest memory and the given kernel, and runs the commands in the jail.
    async fn jailed(&self, kernel: File, commands: &[String]) -> (Guest, HashMap<String, String>) {
        let memory = MemorySource::Sealed(Arc::new(sealed_memory()));
        let cmdline = format!("\n{}", commands.join("\n"));
        let kernel = Arc::new(kernel);
        let guest = Guest::start_on(&self.vmm, kernel, &cmdline, memory, true).await;
        let guest = guest.unwrap();
        let log = std::fs::read_to_string(guest.folder.path().join("log")).unwrap();
        (guest, results(&log))
    }

    /// Runs the commands as the same user without a jail.
    async fn unjailed(&self, commands: &[String]) -> HashMap<String, String> {
        let output = Command::new("setpriv")
            .args([format!("--reuid={UID}"), format!("--regid={UID}")])
            .arg("--clear-groups")
            .arg(&self.program)
            .arg("--try")
            .arg(format!("\n{}", commands.join("\n")))
            .run();
        results(&String::from_utf8(output.await.unwrap().stdout).unwrap())
    }

    async fn jailed_once(&self, commands: &[&str]) -> Vec<String> {
        let commands: Vec<_> = commands
            .iter()
            .map(|command| (*command).to_owned())
            .collect();
        let kernel = tempfile::tempfile().unwrap();
        let (mut guest, mut answers) = self.jailed(kernel, &commands).await;
        guest.machine.end().await.unwrap();
        let results = commands
            .iter()
            .map(|command| answers.remove(command).unwrap());
        results.collect()
    }
}

fn results(log: &str) -> HashMap<String, String> {
    let lines = log.lines().filter_map(|line| line.split_once('\t'));
    lines
        .map(|(command, result)| (command.to_owned(), result.to_owned()))
        .collect()
}

fn sealed_memory() -> OwnedFd {
    let image = tempfile::tempfile().unwrap();
    image.set_len(128 << 20).unwrap();
    locule_vmm::seal_memory(&image).unwrap()
}

/// A folder that any user may enter, so that only the jail can refuse access to its files.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path(), 0o777);
    folder
}

fn open_to_all(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, mode).unwrap();
}

/// A QEMU that was started and waits for device state.
async fn waiting_qemu() -> Guest {
    let memory = MemorySource::Sealed(Arc::new(sealed_memory()));
    let kernel = File::open(guest::images().join("kernel")).unwrap();
    let guest = Guest::start_with(Arc::new(kernel), "", memory, true).await;
    guest.unwrap()
}
