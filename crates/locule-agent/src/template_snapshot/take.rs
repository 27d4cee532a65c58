//! Takes the snapshot of a template.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use locule_disk::{clone_file, import_sparse, sync_dir, sync_file, write_durably};
use locule_vmm::{MemorySource, Shape};

use super::SnapshotManifest;
use crate::blocking::blocking;
use crate::error::HostError;
use crate::guest::{self, GuestClient};
use crate::host::Host;
use crate::operation::Operation;
use crate::undo::Undo;
use crate::vm::{Start, Vm, VmParts};

const BOOT_TIMEOUT: Duration = Duration::from_mins(2);

/// Boots the template, freezes the guest, and keeps its state. The folder is renamed into place at the end: an unfinished
/// snapshot is never used.
pub(super) async fn take(
    host: &Arc<Host>,
    folder: &Path,
    template: &str,
    rootfs: &Path,
    content: &str,
    shape: Shape,
    undo: &mut Undo,
) -> Result<(), HostError> {
    let operation = Operation::start(&host.clock, "template");
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
        // What needs the snapshot has a promise for a VM of the same size, which it makes afterwards.
        promise: None,
        shape,
        memory: MemorySource::Boot(Arc::new(memory)),
        folder: folder.to_owned(),
        start: Start::Boot,
    };
    let vm = Vm::assemble(host, parts, operation).await?;
    let mut undo = Undo::new(&host.tasks);
    let mut vm = vm.guard(host, &mut undo);
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
