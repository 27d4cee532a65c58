//! Resume: the same restore as a create, from the sandbox's own image.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use locule_disk::clone_file;
use locule_vmm::{MemorySource, VmmIdentity};

use super::start::{Steps, awaken, prepare, settle};
use super::{LifecycleError, Start, Vm};
use crate::golden::blocking;
use crate::host::Host;
use crate::manifest::Manifest;
use crate::slots::Slot;

/// Brings a paused sandbox back from its image. The image stays as it was until the next pause is committed.
pub(crate) async fn resume(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    image: u32,
    slot: Slot,
) -> Result<Vm, LifecycleError> {
    let steps = Steps::begin(host, "resume");
    let saved_by = manifest.saved_by();
    let start = start_of(host, saved_by.as_ref())?;
    let folder = host.ledger.folder(manifest.sandbox);
    let memory = own_memory(host, &folder, image, &slot).await?;
    steps.done("disk cloned, memory handed over");
    let (shape, devices) = (manifest.shape(), folder.join(format!("devices.{image}")));
    let mut vm = prepare(host, slot, shape, memory, &folder, start, &devices, steps).await?;
    vm.image = Some(image);
    let mut runs_on = host.vmm.identity();
    runs_on.machine = saved_by.map_or(runs_on.machine, |saved_by| saved_by.machine);
    let key = manifest.control_key.clone();
    let alive = awaken(host, manifest, &mut vm, &key, steps).await;
    settle(host, manifest, vm, alive, runs_on, steps).await
}

/// An image is loaded by the VMM that saved it, or by a newer one as the machine that it was, or not at all.
fn start_of(host: &Host, saved_by: Option<&VmmIdentity>) -> Result<Start, LifecycleError> {
    let installed = host.vmm.identity();
    match saved_by {
        Some(saved_by) if !host.vmm.can_load(saved_by) => Err(LifecycleError::OtherVmm {
            needed: saved_by.to_string(),
            installed: installed.to_string(),
        }),
        Some(saved_by) if saved_by.machine != installed.machine => {
            Ok(Start::RestoreAs(saved_by.machine.clone()))
        }
        _ => Ok(Start::Restore),
    }
}

/// The sandbox's own image, its memory in the hands of the VMM that will map it.
async fn own_memory(
    host: &Host,
    folder: &Path,
    image: u32,
    slot: &Slot,
) -> Result<MemorySource, LifecycleError> {
    let (folder, uid) = (folder.to_owned(), host.vmm_uid(slot.number()));
    blocking(move || {
        clone_file(&folder.join(format!("disk.{image}")), &folder.join("disk"))?;
        let memory = File::options()
            .read(true)
            .write(true)
            .open(folder.join(format!("memory.{image}")));
        let memory = memory.map_err(LifecycleError::io("open the memory image"))?;
        rustix::fs::fchown(&memory, Some(rustix::fs::Uid::from_raw(uid)), None)
            .map_err(|error| LifecycleError::io("hand over the memory image")(error.into()))?;
        Ok(MemorySource::Private(Arc::new(memory)))
    })
    .await
}
