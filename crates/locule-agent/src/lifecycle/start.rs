//! Create and resume: the same restore, from a golden image or from the sandbox's own.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use locule_base::failpoint::reached;
use locule_disk::clone_file;
use locule_vmm::{MemorySource, Shape, VmmError};

use super::{LifecycleError, Vm, open_files, spec_for};
use crate::golden::{Golden, blocking};
use crate::guest;
use crate::host::Host;
use crate::manifest::{Held, Manifest};
use crate::slots::Slot;

fn shape(manifest: &Manifest) -> Shape {
    Shape {
        vcpus: manifest.vcpus,
        memory_mib: manifest.memory_mb,
    }
}

/// Makes a sandbox from its golden image. The manifest says `creating` already; on success it says `running`. On failure
/// nothing is left but the manifest and the folder, which the caller removes.
pub(crate) async fn create(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    golden: &Golden,
    slot: Slot,
) -> Result<Vm, LifecycleError> {
    let started = host.clock.monotonic();
    let folder = host.ledger.folder(manifest.sandbox);
    let (source, target) = (golden.disk(), folder.join("disk"));
    blocking(move || clone_file(&source, &target).map(drop).map_err(Into::into)).await?;
    reached("create", "the disk is cloned");
    let memory = MemorySource::Sealed(golden.memory.clone());
    let vm = restore(
        host,
        manifest,
        slot,
        memory,
        &golden.devices(),
        &golden.control_key.clone(),
        None,
    )
    .await?;
    commit_running(host, manifest, vm, started).await
}

/// Brings a paused sandbox back from its image. The image stays as it was until the next pause is committed.
pub(crate) async fn resume(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    image: u32,
    slot: Slot,
) -> Result<Vm, LifecycleError> {
    let started = host.clock.monotonic();
    let folder = host.ledger.folder(manifest.sandbox);
    let uid = host.vmm_uid(slot.number());
    let memory = {
        let folder = folder.clone();
        blocking(move || {
            clone_file(&folder.join(format!("disk.{image}")), &folder.join("disk"))?;
            let memory = File::options()
                .read(true)
                .write(true)
                .open(folder.join(format!("memory.{image}")));
            let memory = memory.map_err(LifecycleError::io("open the memory image"))?;
            rustix::fs::fchown(&memory, Some(rustix::fs::Uid::from_raw(uid)), None)
                .map_err(|error| LifecycleError::io("hand over the memory image")(error.into()))?;
            Ok(memory)
        })
        .await?
    };
    reached("resume", "disk cloned, memory handed over");
    let devices = folder.join(format!("devices.{image}"));
    let key = manifest.control_key.clone();
    let memory = MemorySource::Private(Arc::new(memory));
    let vm = restore(host, manifest, slot, memory, &devices, &key, Some(image)).await?;
    commit_running(host, manifest, vm, started).await
}

/// Network, VMM, devices, go, init: in order, each given back if a later one fails.
async fn restore(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    slot: Slot,
    memory: MemorySource,
    devices: &Path,
    key: &str,
    image: Option<u32>,
) -> Result<Vm, LifecycleError> {
    let number = slot.number();
    let step = |what| reached(if image.is_some() { "resume" } else { "create" }, what);
    let folder = host.ledger.folder(manifest.sandbox);
    let prepared = async {
        let net = host.net.create(number).await?;
        step("the network is made");
        let files = open_files(&folder, "disk")?;
        let spec = spec_for(
            host,
            &slot,
            &net,
            shape(manifest),
            memory,
            files,
            &folder,
            true,
        )?;
        let machine = host.vmm.start(spec).await?;
        step("the VMM is started");
        Ok::<_, LifecycleError>((net, machine))
    };
    let (net, machine) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => {
            undo_network(host, number).await;
            return Err(error);
        }
    };
    let mut vm = Vm {
        machine,
        net: Arc::new(net),
        slot,
        image,
    };
    match come_alive(host, manifest, &mut vm, devices, key).await {
        Ok(()) => Ok(vm),
        Err(error) => {
            vm.release(host).await;
            Err(error)
        }
    }
}

async fn undo_network(host: &Host, slot: u16) {
    if let Err(error) = host.net.destroy(slot).await {
        tracing::error!(
            error = locule_base::errors::chain(&error),
            slot,
            "undo failed"
        );
    }
}

async fn come_alive(
    host: &Host,
    manifest: &mut Manifest,
    vm: &mut Vm,
    devices: &Path,
    key: &str,
) -> Result<(), LifecycleError> {
    let devices = File::open(devices).map_err(LifecycleError::io("open the device state"))?;
    let step = |what| {
        reached(
            if vm.image.is_some() {
                "resume"
            } else {
                "create"
            },
            what,
        )
    };
    vm.machine.load_devices(devices).await?;
    step("the devices are loaded");
    vm.machine.cont().await?;
    step("the vCPUs run");
    let init = guest::init(&vm.net, key, manifest, &host.clock);
    let answer = tokio::select! {
        answer = init => answer?,
        () = vm.machine.exited() => return Err(VmmError::Gone.into()),
    };
    step("the guest is new");
    let said = |text: String| text.chars().take(128).collect::<String>();
    manifest
        .metadata
        .insert("kernel_version".to_owned(), said(answer.kernel_version));
    manifest
        .metadata
        .insert("guest_version".to_owned(), said(answer.guest_version));
    manifest.metadata.insert(
        "agent_version".to_owned(),
        env!("CARGO_PKG_VERSION").to_owned(),
    );
    manifest
        .metadata
        .insert("vmm_version".to_owned(), host.vmm.identity().to_string());
    Ok(())
}

async fn commit_running(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    vm: Vm,
    started: std::time::Duration,
) -> Result<Vm, LifecycleError> {
    let before = manifest.clone();
    manifest.held = Held::Running {
        slot: vm.slot.number(),
        vmm: vm.machine.handle().clone(),
        image: vm.image,
    };
    manifest.started_at = Some(host.clock.now());
    manifest.reason = None;
    manifest.last_error = None;
    manifest.unresponsive = false;
    let took = host.clock.monotonic().saturating_sub(started);
    manifest.ready_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    manifest
        .metadata
        .insert("ready_ms".to_owned(), manifest.ready_ms.to_string());
    let (ledger, copy) = (host.ledger.clone(), manifest.clone());
    let committed = blocking(move || {
        ledger
            .commit(&copy)
            .map_err(LifecycleError::io("commit the manifest"))
    })
    .await;
    match committed {
        Ok(()) => Ok(vm),
        Err(error) => {
            *manifest = before;
            vm.release(host).await;
            // The working disk is as good as gone; an image it came from is untouched.
            let _ = fs::remove_file(host.ledger.folder(manifest.sandbox).join("disk"));
            Err(error)
        }
    }
}
