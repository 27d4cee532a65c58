//! Create and claim: a restore from a golden image, or from a machine that waits.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use locule_base::failpoint::reached;
use locule_disk::{clone_file, sync_dir};
use locule_vmm::{MemorySource, Shape, VmmError, VmmIdentity};

use super::{LifecycleError, Start, Vm, open_files, spec_for};
use crate::golden::{Golden, blocking};
use crate::guest;
use crate::host::Host;
use crate::manifest::{Held, Manifest};
use crate::slots::Slot;
use crate::warm::Waiting;

/// One operation under way: when it began, and a mark at each step.
#[derive(Clone, Copy)]
pub(crate) struct Steps {
    operation: &'static str,
    began: Duration,
}

impl Steps {
    pub(crate) fn begin(host: &Host, operation: &'static str) -> Self {
        let began = host.clock.monotonic();
        Self { operation, began }
    }

    pub(super) fn done(self, what: &'static str) {
        reached(self.operation, what);
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
    let steps = Steps::begin(host, "create");
    let folder = host.ledger.folder(manifest.sandbox);
    let mut vm = from_golden(host, golden, manifest.shape(), slot, &folder, steps).await?;
    let alive = awaken(host, manifest, &mut vm, &golden.control_key, steps).await;
    settle(host, manifest, vm, alive, host.vmm.identity(), steps).await
}

/// Makes a sandbox of a machine that waits for one. On failure the machine is gone and the sandbox's folder is the caller's
/// to remove.
pub(crate) async fn claim(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    waiting: Waiting,
) -> Result<Vm, LifecycleError> {
    let steps = Steps::begin(host, "claim");
    let (mut vm, key) = (waiting.vm, &waiting.golden.control_key);
    let (folder, own) = (waiting.folder, host.ledger.folder(manifest.sandbox));
    let alive = async {
        // One name is moved, and with it the disk: until then it is the pool's, from then on the sandbox's.
        blocking(move || {
            fs::rename(&folder, &own)
                .and_then(|()| own.parent().map_or(Ok(()), sync_dir))
                .map_err(LifecycleError::io("take a waiting machine"))
        })
        .await?;
        steps.done("the folder is the sandbox's");
        awaken(host, manifest, &mut vm, key, steps).await
    };
    let alive = alive.await;
    settle(host, manifest, vm, alive, host.vmm.identity(), steps).await
}

/// A stopped machine, as its golden image was captured; its files are in `folder`.
pub(crate) async fn from_golden(
    host: &Host,
    golden: &Golden,
    shape: Shape,
    slot: Slot,
    folder: &Path,
    steps: Steps,
) -> Result<Vm, LifecycleError> {
    let (source, target) = (golden.disk(), folder.join("disk"));
    blocking(move || clone_file(&source, &target).map(drop).map_err(Into::into)).await?;
    steps.done("the disk is cloned");
    let memory = MemorySource::Sealed(golden.memory.clone());
    let (start, devices) = (Start::Restore, golden.devices());
    prepare(host, slot, shape, memory, folder, start, &devices, steps).await
}

/// Network, VMM process and the state of its devices, in this order, each given back if a later one fails.
#[expect(
    clippy::too_many_arguments,
    reason = "a restore is made of exactly these parts"
)]
pub(super) async fn prepare(
    host: &Host,
    slot: Slot,
    shape: Shape,
    memory: MemorySource,
    folder: &Path,
    start: Start,
    devices: &Path,
    steps: Steps,
) -> Result<Vm, LifecycleError> {
    let number = slot.number();
    let prepared = async {
        let net = host.net.create(number).await?;
        steps.done("the network is made");
        let files = open_files(folder, "disk")?;
        let spec = spec_for(host, &slot, &net, shape, memory, files, folder, start)?;
        let machine = host.vmm.start(spec).await?;
        steps.done("the VMM is started");
        Ok::<_, LifecycleError>((net, machine))
    };
    let mut vm = match prepared.await {
        Ok((net, machine)) => Vm {
            machine,
            net: Arc::new(net),
            slot,
            image: None,
        },
        Err(error) => {
            undo_network(host, number).await;
            return Err(error);
        }
    };
    match load(&mut vm, devices, steps).await {
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

async fn load(vm: &mut Vm, devices: &Path, steps: Steps) -> Result<(), LifecycleError> {
    let devices = File::open(devices).map_err(LifecycleError::io("open the device state"))?;
    vm.machine.load_devices(devices).await?;
    steps.done("the devices are loaded");
    Ok(())
}

/// Lets the vCPUs go and makes the guest the sandbox of this manifest.
pub(super) async fn awaken(
    host: &Host,
    manifest: &mut Manifest,
    vm: &mut Vm,
    key: &str,
    steps: Steps,
) -> Result<(), LifecycleError> {
    vm.machine.cont().await?;
    steps.done("the vCPUs run");
    let init = guest::init(&vm.net, key, manifest, &host.clock);
    let answer = tokio::select! {
        answer = init => answer?,
        () = vm.machine.exited() => return Err(VmmError::Exited.into()),
    };
    steps.done("the guest is new");
    let said = |text: String| text.chars().take(128).collect::<String>();
    let versions = [
        ("kernel_version", said(answer.kernel_version)),
        ("guest_version", said(answer.guest_version)),
        ("agent_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("vmm_version", host.vmm.identity().to_string()),
    ];
    let versions = versions.map(|(name, value)| (name.to_owned(), value));
    manifest.metadata.extend(versions);
    Ok(())
}

/// The end of every start: commits a machine that is alive, gives back one that is not.
pub(super) async fn settle(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    vm: Vm,
    alive: Result<(), LifecycleError>,
    runs_on: VmmIdentity,
    steps: Steps,
) -> Result<Vm, LifecycleError> {
    match alive {
        Ok(()) => commit_running(host, manifest, vm, runs_on, steps).await,
        Err(error) => {
            vm.release(host).await;
            Err(error)
        }
    }
}

async fn commit_running(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    vm: Vm,
    runs_on: VmmIdentity,
    steps: Steps,
) -> Result<Vm, LifecycleError> {
    let before = manifest.clone();
    manifest.held = Held::Running {
        slot: vm.slot.number(),
        vmm: vm.machine.handle().clone(),
        image: vm.image,
    };
    manifest.vmm = Some(runs_on);
    manifest.started_at = Some(host.clock.now());
    manifest.reason = None;
    manifest.last_error = None;
    manifest.unresponsive = false;
    let took = host.clock.monotonic().saturating_sub(steps.began);
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
        Ok(()) => {
            steps.done("the manifest says running");
            Ok(vm)
        }
        Err(error) => {
            *manifest = before;
            vm.release(host).await;
            // The working disk is as good as gone; an image it came from is untouched.
            let _ = fs::remove_file(host.ledger.folder(manifest.sandbox).join("disk"));
            Err(error)
        }
    }
}
