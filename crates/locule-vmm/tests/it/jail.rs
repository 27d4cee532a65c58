//! What a VMM that a guest has taken over can do: as that user, in that jail, through the launcher of the product.

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

/// The probing program, and a jail made for it.
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

    /// Starts it as a VMM and lets it try. Its guest memory is a sealed image, its kernel whatever `kernel` is.
    async fn jailed(&self, kernel: File, orders: &[String]) -> (Guest, HashMap<String, String>) {
        let memory = MemorySource::Sealed(Arc::new(sealed_image()));
        let words = format!("\n{}", orders.join("\n"));
        let kernel = Arc::new(kernel);
        let guest = Guest::start_on(&self.vmm, kernel, &words, memory, true).await;
        let guest = guest.unwrap();
        let log = std::fs::read_to_string(guest.folder.path().join("log")).unwrap();
        (guest, results(&log))
    }

    /// The same attempts by the same user with nothing around it.
    async fn free(&self, orders: &[String]) -> HashMap<String, String> {
        let output = Command::new("setpriv")
            .args([format!("--reuid={UID}"), format!("--regid={UID}")])
            .arg("--clear-groups")
            .arg(&self.program)
            .arg("--try")
            .arg(format!("\n{}", orders.join("\n")))
            .run();
        results(&String::from_utf8(output.await.unwrap().stdout).unwrap())
    }

    async fn jailed_once(&self, orders: &[&str]) -> Vec<String> {
        let orders: Vec<_> = orders.iter().map(|order| (*order).to_owned()).collect();
        let kernel = tempfile::tempfile().unwrap();
        let (mut guest, mut said) = self.jailed(kernel, &orders).await;
        guest.machine.end().await.unwrap();
        let results = orders.iter().map(|order| said.remove(order).unwrap());
        results.collect()
    }
}

fn results(log: &str) -> HashMap<String, String> {
    let lines = log.lines().filter_map(|line| line.split_once('\t'));
    lines
        .map(|(order, result)| (order.to_owned(), result.to_owned()))
        .collect()
}

fn sealed_image() -> OwnedFd {
    let image = tempfile::tempfile().unwrap();
    image.set_len(128 << 20).unwrap();
    locule_vmm::seal_memory(&image).unwrap()
}

/// A folder that any user may look into: what is refused below is refused by the jail.
fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path(), 0o777);
    folder
}

fn open_to_all(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, mode).unwrap();
}

/// One VMM with the installed QEMU, started and waiting.
async fn waiting_qemu() -> Guest {
    let memory = MemorySource::Sealed(Arc::new(sealed_image()));
    let kernel = File::open(guest::images().join("kernel")).unwrap();
    let guest = Guest::start_with(Arc::new(kernel), "", memory, true).await;
    guest.unwrap()
}
