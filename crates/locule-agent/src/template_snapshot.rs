//! Template snapshots: a template, booted once for a shape, frozen, and kept as memory, devices and disk.
//!
//! Every new sandbox of the shape is restored from the snapshot. Its memory is held as one write-sealed memfd per host. The
//! folder is named after everything that the snapshot depends on, so that a changed kernel, template or VMM leads to a new
//! snapshot.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use locule_disk::{clone_file, import_sparse, sync_dir, sync_file, write_durably};
use locule_vmm::{MemorySource, Shape, seal_memory};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::blocking::blocking;
use crate::error::HostError;
use crate::guest::{self, GuestClient};
use crate::host::Host;
use crate::operation::Operation;
use crate::slots::Slot;
use crate::undo::Undo;
use crate::vm::{Start, Vm, VmParts};

const BOOT_TIMEOUT: Duration = Duration::from_mins(2);

/// A snapshot that VMs can be restored from.
#[derive(Debug)]
pub(crate) struct TemplateSnapshot {
    pub(crate) key: String,
    folder: PathBuf,
    memory: Arc<OwnedFd>,
    /// The control key that a restored guest accepts until its first `/init`.
    pub(crate) control_key: String,
}

impl TemplateSnapshot {
    /// A stopped VM in the state of the snapshot; its files are in `folder`.
    pub(crate) async fn restore(
        &self,
        host: &Arc<Host>,
        shape: Shape,
        slot: Slot,
        folder: PathBuf,
        operation: Operation,
    ) -> Result<Vm, HostError> {
        let (source, target) = (self.folder.join("disk"), folder.join("disk"));
        blocking(move || Ok(drop(clone_file(&source, &target)?))).await?;
        operation.step("the disk is cloned")?;
        let parts = VmParts {
            slot,
            shape,
            memory: MemorySource::Sealed(self.memory.clone()),
            folder,
            start: Start::Restore {
                devices: self.folder.join("devices"),
                machine: None,
            },
        };
        Vm::assemble(host, parts, operation).await
    }
}

#[derive(Serialize, Deserialize)]
struct SnapshotManifest {
    control_key: String,
    identity: String,
    template: String,
    shape: Shape,
}

type Shared = Arc<tokio::sync::OnceCell<Arc<TemplateSnapshot>>>;

/// All template snapshots of a host. Each is taken once, however many creates need it at the same time.
#[derive(Debug)]
pub(crate) struct TemplateSnapshots {
    host: Arc<Host>,
    snapshots: Mutex<HashMap<String, Shared>>,
}

impl TemplateSnapshots {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        Self {
            host,
            snapshots: Mutex::default(),
        }
    }

    /// The snapshot of a template and shape: from memory, from disk, or taken now.
    pub(crate) async fn get(
        &self,
        template: &str,
        shape: Shape,
    ) -> Result<Arc<TemplateSnapshot>, HostError> {
        let host = &self.host;
        let (rootfs, content) = host
            .bundle
            .template(template)
            .ok_or_else(|| HostError::UnknownTemplate(template.to_owned()))?;
        let key = key(host, content, shape);
        let cell = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.clone())
            .or_default()
            .clone();
        let snapshot = cell.get_or_try_init(|| async {
            let folder = host.template_snapshot_dir().join(&key);
            if !folder.join("manifest.json").exists() {
                tracing::info!(
                    template,
                    vcpus = shape.vcpus,
                    memory_mib = shape.memory_mib,
                    "taking a template snapshot"
                );
                let mut undo = Undo::new(&host.tasks);
                let taken = take(host, &folder, template, &rootfs, content, shape, &mut undo).await;
                undo.finish(taken).await?;
            }
            load(key, folder).await.map(Arc::new)
        });
        snapshot.await.cloned()
    }

    /// The memory that the loaded snapshots occupy.
    pub(crate) fn bytes(&self) -> u64 {
        let snapshots = self
            .snapshots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let loaded = snapshots.values().filter_map(|cell| cell.get());
        loaded
            .filter_map(|snapshot| rustix::fs::fstat(&snapshot.memory).ok())
            .map(|stat| stat.st_blocks.unsigned_abs() * 512)
            .sum()
    }
}

fn key(host: &Host, content: &str, shape: Shape) -> String {
    let text = format!(
        "{content} {} {} {} {} {}",
        host.bundle.boot_key(),
        shape.vcpus,
        shape.memory_mib,
        host.vmm.identity(),
        host.kernel_command_line(),
    );
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

async fn load(key: String, folder: PathBuf) -> Result<TemplateSnapshot, HostError> {
    blocking(move || {
        let action = "read the manifest of a template snapshot";
        let text = fs::read(folder.join("manifest.json")).map_err(HostError::io(action))?;
        let manifest: SnapshotManifest =
            serde_json::from_slice(&text).map_err(|error| HostError::io(action)(error.into()))?;
        let memory = File::open(folder.join("memory"))
            .map_err(HostError::io("open the memory of a template snapshot"))?;
        let memory = seal_memory(&memory)
            .map_err(HostError::io("seal the memory of a template snapshot"))?;
        Ok(TemplateSnapshot {
            key,
            folder,
            memory: Arc::new(memory),
            control_key: manifest.control_key,
        })
    })
    .await
}

/// Boots the template, freezes the guest, and keeps its state. The folder is renamed into place at the end: an unfinished
/// snapshot is never used.
async fn take(
    host: &Arc<Host>,
    folder: &Path,
    template: &str,
    rootfs: &Path,
    content: &str,
    shape: Shape,
    undo: &mut Undo,
) -> Result<(), HostError> {
    let operation = Operation::begin(&host.clock, "template");
    let base = import(host, rootfs, content).await?;
    operation.step("the root filesystem is in the pool")?;
    let unfinished = folder.with_extension("new");
    let leftover = unfinished.clone();
    undo.record("unfinished template snapshot", async move {
        // An unfinished snapshot must not occupy the disk.
        let action = "remove an unfinished template snapshot";
        blocking(move || locule_disk::remove_tree(&leftover).map_err(HostError::io(action))).await
    });
    let memory = {
        let unfinished = unfinished.clone();
        blocking(move || prepare(&unfinished, &base, shape)).await?
    };
    operation.step("the files are created")?;
    let control_key = hex::encode(guest::random_bytes());
    boot(host, &unfinished, memory, &control_key, shape, operation).await?;
    let manifest = SnapshotManifest {
        control_key,
        identity: host.vmm.identity().to_string(),
        template: template.to_owned(),
        shape,
    };
    let folder = folder.to_owned();
    blocking(move || {
        let finish = || {
            for file in ["memory", "devices", "disk"] {
                sync_file(&unfinished.join(file))?;
            }
            write_durably(
                &unfinished.join("manifest.json"),
                &serde_json::to_vec(&manifest)?,
            )?;
            fs::rename(&unfinished, &folder)?;
            folder.parent().map_or(Ok(()), sync_dir)
        };
        finish().map_err(HostError::io("write a template snapshot"))
    })
    .await
}

/// An empty folder with a clone of the root filesystem and an empty memory file.
fn prepare(folder: &Path, base: &Path, shape: Shape) -> Result<File, HostError> {
    let action = "create the files of a template snapshot";
    locule_disk::remove_tree(folder).map_err(HostError::io(action))?;
    fs::create_dir_all(folder).map_err(HostError::io(action))?;
    clone_file(base, &folder.join("disk"))?;
    let memory = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(folder.join("memory"));
    let memory = memory.map_err(HostError::io(action))?;
    memory
        .set_len(u64::from(shape.memory_mib) << 20)
        .map_err(HostError::io(action))?;
    Ok(memory)
}

/// The template's root filesystem inside the pool, where it can be cloned.
async fn import(host: &Host, rootfs: &Path, content: &str) -> Result<PathBuf, HostError> {
    let images = host.pool.root().join("images");
    let (target, rootfs) = (images.join(content), rootfs.to_owned());
    blocking(move || {
        let action = "import the root filesystem of a template";
        fs::create_dir_all(&images).map_err(HostError::io(action))?;
        if !target.exists() {
            let unfinished = target.with_extension("new");
            if let Err(error) = import_sparse(&rootfs, &unfinished) {
                // An unfinished file must not occupy a full disk.
                let _ = fs::remove_file(&unfinished);
                return Err(error.into());
            }
            fs::rename(&unfinished, &target).map_err(HostError::io(action))?;
        }
        Ok(target)
    })
    .await
}

/// Boots a VM on the files of `folder` and captures it there. Nothing of the VM is left when this returns.
async fn boot(
    host: &Arc<Host>,
    folder: &Path,
    memory: File,
    key: &str,
    shape: Shape,
    operation: Operation,
) -> Result<(), HostError> {
    let slot = host.slots.take().ok_or(HostError::NoSlot)?;
    let uid = rustix::fs::Uid::from_raw(host.vmm_uid(slot.number()));
    rustix::fs::fchown(&memory, Some(uid), None).map_err(|error| {
        HostError::io("hand the memory of a template snapshot to the VMM")(error.into())
    })?;
    let parts = VmParts {
        slot,
        shape,
        memory: MemorySource::Boot(Arc::new(memory)),
        folder: folder.to_owned(),
        start: Start::Boot,
    };
    let vm = Vm::assemble(host, parts, operation).await?;
    let mut undo = Undo::new(&host.tasks);
    let mut vm = vm.hold(host, &mut undo);
    let captured = async {
        let guest = GuestClient::new(&vm.net, key, &host.clock);
        guest.init_template(BOOT_TIMEOUT).await?;
        operation.step("the guest agent answers")?;
        guest.freeze().await?;
        operation.step("the guest is frozen")?;
        vm.machine.stop().await?;
        operation.step("the VM is stopped")?;
        let devices = File::create(folder.join("devices")).map_err(HostError::io(
            "create the device state of a template snapshot",
        ))?;
        vm.machine.save_devices(devices).await?;
        operation.step("the devices are saved")
    };
    let captured = captured.await;
    // The VM served its purpose, whether it was captured or not.
    drop(vm);
    undo.run().await;
    captured
}
