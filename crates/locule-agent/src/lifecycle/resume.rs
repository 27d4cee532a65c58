//! Resume: the same restore as a create, from the sandbox's own snapshot.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use locule_disk::clone_file;
use locule_vmm::{MemorySource, VmmIdentity};

use crate::blocking::blocking;
use crate::error::HostError;
use crate::host::Host;
use crate::manifest::Manifest;
use crate::operation::Operation;
use crate::promises::Promise;
use crate::slots::Slot;
use crate::undo::Undo;
use crate::vm::{Start, Vm, VmParts};
use crate::vm_source::{record_working_disk, start};

/// Brings a paused sandbox back from its snapshot. The snapshot stays as it was until the next pause is committed.
pub(crate) async fn resume(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    snapshot: u32,
    promise: Promise,
    slot: Slot,
) -> Result<Vm, HostError> {
    let operation = Operation::start(&host.clock, "resume");
    let saved_by = manifest.saved_by();
    let machine = machine_of(host, saved_by.as_ref())?;
    let folder = host.ledger.folder(manifest.sandbox);
    let mut undo = Undo::new(&host.tasks);
    record_working_disk(&mut undo, &folder);
    let restored = async {
        let memory = own_memory(host, &folder, snapshot, &slot).await?;
        operation.step("the disk is cloned and the memory is the VMM's")?;
        let parts = VmParts {
            slot,
            promise: Some(promise),
            shape: manifest.shape(),
            memory,
            start: Start::Restore {
                devices: folder.join(format!("devices.{snapshot}")),
                machine,
            },
            folder: folder.clone(),
        };
        Vm::assemble(host, parts, operation).await
    };
    let restored = restored.await;
    let mut vm = undo.finish(restored).await?;
    vm.snapshot = Some(snapshot);
    let mut runs_on = host.vmm.identity();
    runs_on.machine = saved_by.map_or(runs_on.machine, |saved_by| saved_by.machine);
    let key = manifest.control_key.clone();
    start(host, manifest, vm, &key, runs_on, operation).await
}

/// The machine type to restore as, where the installed VMM has another. A snapshot is loaded by the VMM that saved it, or by a
/// newer one as the machine type that was saved, or not at all.
fn machine_of(host: &Host, saved_by: Option<&VmmIdentity>) -> Result<Option<String>, HostError> {
    let installed = host.vmm.identity();
    match saved_by {
        Some(saved_by) if !host.vmm.can_load(saved_by) => Err(HostError::OtherVmm {
            needed: saved_by.to_string(),
            installed: installed.to_string(),
        }),
        Some(saved_by) if saved_by.machine != installed.machine => {
            Ok(Some(saved_by.machine.clone()))
        }
        _ => Ok(None),
    }
}

/// The memory of the snapshot, owned by the user of the VMM that will map it, and a clone of the disk to work on.
async fn own_memory(
    host: &Host,
    folder: &Path,
    snapshot: u32,
    slot: &Slot,
) -> Result<MemorySource, HostError> {
    let (folder, uid) = (folder.to_owned(), host.vmm_uid(slot.number()));
    blocking(move || {
        clone_file(
            &folder.join(format!("disk.{snapshot}")),
            &folder.join("disk"),
        )?;
        let memory = File::options()
            .read(true)
            .write(true)
            .open(folder.join(format!("memory.{snapshot}")));
        let memory = memory.map_err(HostError::io("open the memory of the snapshot"))?;
        rustix::fs::fchown(&memory, Some(rustix::fs::Uid::from_raw(uid)), None).map_err(
            |error| HostError::io("hand the memory of the snapshot to the VMM")(error.into()),
        )?;
        Ok(MemorySource::Private(Arc::new(memory)))
    })
    .await
}
