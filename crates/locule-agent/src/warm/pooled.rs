//! A VM that belongs to no sandbox yet.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use locule_vmm::Shape;

use crate::blocking::blocking;
use crate::error::HostError;
use crate::guest::GuestClient;
use crate::host::Host;
use crate::memory::unique_bytes;
use crate::operation::Operation;
use crate::template_snapshot::{TemplateSnapshot, TemplateSnapshots};
use crate::undo::Undo;
use crate::vm::Vm;

#[derive(Debug)]
pub(crate) struct PooledVm {
    pub(crate) vm: Vm,
    pub(crate) snapshot: TemplateSnapshot,
    /// Its disk and logs.
    pub(crate) folder: PathBuf,
    /// The VM has run its first instructions; otherwise the VM is only restored.
    pub(super) is_warm: bool,
}

impl PooledVm {
    /// A stopped VM, restored from the template snapshot.
    pub(super) async fn restore(
        host: &Arc<Host>,
        snapshots: &TemplateSnapshots,
        template: &str,
        shape: Shape,
    ) -> Result<Self, HostError> {
        let promise = host.promises.make(shape.memory_mib);
        let promise = promise.ok_or(HostError::NoCapacity("its memory is promised"))?;
        let snapshot = snapshots.get(template, shape).await?;
        let slot = host.slots.take().ok_or(HostError::NoSlot)?;
        let folder = host.warm_pool_dir().join(slot.number().to_string());
        let operation = Operation::start(&host.clock, "pool.restore");
        let mut undo = Undo::new(&host.tasks);
        undo.record("folder of a pooled VM", remove_folder(folder.clone()));
        let restored = async {
            let new = folder.clone();
            blocking(move || {
                locule_disk::remove_tree(&new)
                    .and_then(|()| fs::create_dir_all(&new))
                    .map_err(HostError::io("create the folder of a pooled VM"))
            })
            .await?;
            snapshot
                .restore(host, shape, promise, slot, folder.clone(), operation)
                .await
        };
        let restored = restored.await;
        Ok(Self {
            vm: undo.finish(restored).await?,
            snapshot,
            folder,
            is_warm: false,
        })
    }

    /// Runs once what the first command of a sandbox will run. The user's processes stay frozen, as the snapshot has them.
    pub(super) async fn warm_up(self, host: &Arc<Host>) -> Result<Self, HostError> {
        let operation = Operation::start(&host.clock, "pool.warm_up");
        let mut undo = Undo::new(&host.tasks);
        let owner = host.clone();
        let mut pooled = undo.guard("VM of the warm pool", self, async move |pooled: Self| {
            pooled.release(&owner).await;
            Ok(())
        });
        let warmed = async {
            pooled.vm.machine.cont().await?;
            operation.step("the vCPUs run")?;
            let key = &pooled.snapshot.control_key;
            GuestClient::new(&pooled.vm.net, key, &host.clock)
                .warm_up()
                .await?;
            operation.step("the guest is warm")?;
            pooled.vm.machine.stop().await?;
            pooled.is_warm = true;
            Ok(pooled.keep())
        };
        let warmed = warmed.await;
        undo.finish(warmed).await
    }

    /// Gives the VM and its files back.
    pub(super) async fn release(self, host: &Host) {
        self.vm.release(host).await;
        // The next start removes a folder that stays.
        let _ = remove_folder(self.folder).await;
    }

    /// The memory that the VM has for itself. A process that has exited has none.
    pub(super) fn unique_bytes(&self) -> u64 {
        unique_bytes(self.vm.machine.handle().pid)
    }
}

async fn remove_folder(folder: PathBuf) -> Result<(), HostError> {
    let action = "remove the folder of a pooled VM";
    blocking(move || locule_disk::remove_tree(&folder).map_err(HostError::io(action))).await
}
