//! Where the VM of a new sandbox comes from.
//!
//! ```text
//! warm pool ── claim: a VM that is restored already ──┐
//!                                                     ├──► start: vCPUs run · guest is the sandbox · manifest(running)
//! template snapshot ── create: restore a VM now ──────┘
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use locule_base::errors::chain;
use locule_disk::sync_dir;
use locule_vmm::{VmmError, VmmIdentity};

use crate::blocking::blocking;
use crate::error::HostError;
use crate::guest::GuestClient;
use crate::host::Host;
use crate::manifest::{Manifest, ManifestState};
use crate::operation::Operation;
use crate::promises::Promise;
use crate::template_snapshot::TemplateSnapshots;
use crate::undo::Undo;
use crate::vm::Vm;
use crate::warm::{PooledVm, WarmPool};

#[derive(Debug)]
pub(crate) struct VmSource {
    host: Arc<Host>,
    pub(crate) template_snapshots: Arc<TemplateSnapshots>,
    pub(crate) warm_pool: Arc<WarmPool>,
}

impl VmSource {
    pub(crate) fn new(host: Arc<Host>) -> Self {
        let template_snapshots = Arc::new(TemplateSnapshots::new(host.clone()));
        let warm_pool = WarmPool::new(host.clone(), template_snapshots.clone());
        Self {
            host,
            template_snapshots,
            warm_pool: Arc::new(warm_pool),
        }
    }

    /// A running VM whose guest is the sandbox of this manifest: of the warm pool, else of the template snapshot. On success
    /// the manifest says `running`, durably. On failure no file of the sandbox is left.
    pub(crate) async fn acquire(&self, manifest: &mut Manifest) -> Result<Vm, HostError> {
        let in_progress = self.warm_pool.create_in_progress();
        let acquired = self.claim_or_create(manifest).await;
        drop(in_progress);
        if acquired.is_err() {
            self.host.ledger.remove(manifest).await?;
        }
        acquired
    }

    async fn claim_or_create(&self, manifest: &mut Manifest) -> Result<Vm, HostError> {
        let host = &self.host;
        host.require_disk_space()?;
        let shape = manifest.shape();
        if let Some(pooled) = self.warm_pool.take(&manifest.template, shape) {
            match claim(host, manifest, pooled).await {
                Ok(vm) => return Ok(vm),
                Err(error) => {
                    tracing::warn!(
                        sandbox.id = %manifest.sandbox,
                        error = chain(&error),
                        "a VM of the warm pool could not be used; the sandbox is created from the template snapshot"
                    );
                    host.ledger.remove(manifest).await?;
                }
            }
        }
        let promise = self.promise(manifest.memory_mib).await?;
        let slot = host.slots.take().ok_or(HostError::NoSlot)?;
        let snapshot = self
            .template_snapshots
            .get(&manifest.template, shape)
            .await?;
        manifest.template_snapshot.clone_from(&snapshot.key);
        host.ledger.commit(manifest).await?;
        let operation = Operation::start(&host.clock, "create");
        operation.step("the manifest says creating")?;
        let folder = host.ledger.folder(manifest.sandbox);
        let vm = snapshot
            .restore(host, shape, promise, slot, folder, operation)
            .await?;
        let key = &snapshot.control_key;
        start(host, manifest, vm, key, host.vmm.identity(), operation).await
    }

    /// Promises memory to one more VM, before anything is made of the VM. The warm pool yields to it.
    pub(crate) async fn promise(&self, mib: u32) -> Result<Promise, HostError> {
        let promises = &self.host.promises;
        loop {
            if let Some(promise) = promises.make(mib) {
                return Ok(promise);
            }
            let pooled = self.warm_pool.promised_mib();
            if !promises.could_make(mib, pooled) || !self.warm_pool.shrink().await {
                return Err(HostError::NoCapacity(
                    "its memory is promised to other sandboxes",
                ));
            }
        }
    }
}

/// Makes a VM of the warm pool the sandbox of this manifest. On failure the VM is gone, and the caller removes the folder.
async fn claim(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    pooled: PooledVm,
) -> Result<Vm, HostError> {
    let operation = Operation::start(&host.clock, "claim");
    manifest.template_snapshot.clone_from(&pooled.snapshot.key);
    let mut undo = Undo::new(&host.tasks);
    let vm = pooled.vm.guard(host, &mut undo);
    let (folder, own) = (pooled.folder, host.ledger.folder(manifest.sandbox));
    let moved = async {
        // The rename moves the disk as well: before it the disk is the pool's, after it the sandbox's.
        blocking(move || {
            fs::rename(&folder, &own)
                .and_then(|()| own.parent().map_or(Ok(()), sync_dir))
                .map_err(HostError::io("take a VM of the warm pool"))
        })
        .await?;
        operation.step("the folder is the sandbox's")?;
        Ok(vm.keep())
    };
    let moved = moved.await;
    let vm = undo.finish(moved).await?;
    let key = &pooled.snapshot.control_key;
    start(host, manifest, vm, key, host.vmm.identity(), operation).await
}

/// The last steps of claim, create and resume: a stopped VM becomes the running sandbox of this manifest, and the manifest is
/// committed. On failure the VM is gone and the manifest is as it was.
pub(crate) async fn start(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    vm: Vm,
    control_key: &str,
    runs_on: VmmIdentity,
    operation: Operation,
) -> Result<Vm, HostError> {
    let before = manifest.clone();
    let mut undo = Undo::new(&host.tasks);
    let started = start_guest(
        host,
        manifest,
        vm,
        control_key,
        runs_on,
        operation,
        &mut undo,
    )
    .await;
    let started = undo.finish(started).await;
    if started.is_err() {
        *manifest = before;
    }
    started
}

async fn start_guest(
    host: &Arc<Host>,
    manifest: &mut Manifest,
    vm: Vm,
    control_key: &str,
    runs_on: VmmIdentity,
    operation: Operation,
    undo: &mut Undo,
) -> Result<Vm, HostError> {
    record_working_disk(undo, &host.ledger.folder(manifest.sandbox));
    let mut vm = vm.guard(host, undo);
    vm.machine.cont().await?;
    operation.step("the vCPUs run")?;
    let net = vm.net.clone();
    let guest = GuestClient::new(&net, control_key, &host.clock);
    let answer = tokio::select! {
        answer = guest.init(manifest) => answer?,
        () = vm.machine.exited() => return Err(VmmError::Exited.into()),
    };
    operation.step("the guest is the sandbox")?;
    let bounded = |text: String| text.chars().take(128).collect::<String>();
    let took = operation.duration(&host.clock);
    manifest.ready_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    let facts = [
        ("kernel_version", bounded(answer.kernel_version)),
        ("guest_version", bounded(answer.guest_version)),
        ("agent_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("vmm_version", host.vmm.identity().to_string()),
        ("ready_ms", manifest.ready_ms.to_string()),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value));
    manifest.metadata.extend(facts);
    manifest.state = ManifestState::Running {
        slot: vm.slot.number(),
        vmm: vm.machine.handle().clone(),
        snapshot: vm.snapshot,
    };
    manifest.vmm = Some(runs_on);
    manifest.started_at = Some(host.clock.now());
    manifest.reason = None;
    manifest.last_error = None;
    manifest.unresponsive = false;
    host.ledger.commit(manifest).await?;
    operation.committed("the manifest says running");
    Ok(vm.keep())
}

/// Removes the working disk of a sandbox when the sequence fails. The guest has written to that disk: without the memory of the
/// guest the disk is of no use. A snapshot has a disk of its own.
pub(crate) fn record_working_disk(undo: &mut Undo, folder: &Path) {
    let disk = folder.join("disk");
    undo.record("working disk", async move {
        let removed = blocking(move || match fs::remove_file(disk) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let action = "remove the disk of a sandbox that did not start";
                Err(HostError::io(action)(error))
            }
            _ => Ok(()),
        });
        removed.await
    });
}
