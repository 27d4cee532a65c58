//! A virtual machine with everything that it uses of the host: slot, network, files, VMM process.
//!
//! This is the one place that assembles these parts. When a part fails, the parts before it are given back, the last one
//! first.
//!
//! ```text
//! slot ──► network ──► disk and console ──► VMM process ──► device state (restore only)
//! ```

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use locule_base::errors::chain;
use locule_net::{NetError, SandboxNet};
use locule_vmm::{Machine, MemorySource, Shape, VmSpec};

use crate::error::HostError;
use crate::host::Host;
use crate::operation::Operation;
use crate::promises::Promise;
use crate::slots::Slot;
use crate::template_use::TemplateUse;
use crate::undo::{Guarded, Undo};

#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) machine: Box<dyn Machine>,
    pub(crate) net: Arc<SandboxNet>,
    pub(crate) slot: Slot,
    /// The snapshot of the sandbox that the VM was restored from. `None`: a template snapshot.
    pub(crate) snapshot: Option<u32>,
    /// The template snapshot that the VM was restored from.
    pub(crate) template: Option<TemplateUse>,
    /// The VM's memory, promised. `None`: the VM boots for a template snapshot.
    pub(crate) promise: Option<Promise>,
}

/// What one VM is made of.
#[derive(Debug)]
pub(crate) struct VmParts {
    pub(crate) slot: Slot,
    pub(crate) promise: Option<Promise>,
    pub(crate) shape: Shape,
    pub(crate) memory: MemorySource,
    /// Holds the disk, and gets console output and the VMM's log.
    pub(crate) folder: PathBuf,
    pub(crate) start: Start,
}

/// How a VM begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    /// The vCPUs run at once.
    Boot,
    /// The VM is stopped, in the state that `devices` holds.
    Restore {
        devices: PathBuf,
        /// The machine type that an earlier VMM saved. `None`: the VMM's own.
        machine: Option<String>,
    },
}

impl Vm {
    pub(crate) async fn assemble(
        host: &Arc<Host>,
        parts: VmParts,
        operation: Operation,
    ) -> Result<Self, HostError> {
        let mut undo = Undo::new(&host.tasks);
        let assembled = assemble(host, parts, operation, &mut undo).await;
        undo.finish(assembled).await
    }

    /// Gives the VM back when the sequence fails.
    pub(crate) fn guard(self, host: &Arc<Host>, undo: &mut Undo) -> Guarded<Self> {
        let host = host.clone();
        undo.guard("VM", self, async move |vm: Self| {
            vm.release(&host).await;
            Ok(())
        })
    }

    /// Ends the VMM and gives back the network and the slot. Goes on when a part fails: the next start removes leftovers.
    pub(crate) async fn release(mut self, host: &Host) {
        let slot = self.slot.number();
        if let Err(error) = self.machine.end().await {
            tracing::warn!(slot, error = chain(&error), "cannot end a VMM");
        }
        // Logged there.
        let _ = remove_network(host, slot).await;
    }
}

/// Removes the network of a slot. When that fails, other slots are used first.
async fn remove_network(host: &Host, slot: u16) -> Result<(), NetError> {
    let removed = host.net.destroy(slot).await;
    if let Err(error) = &removed {
        tracing::warn!(
            slot,
            error = chain(error),
            "cannot remove the network of a VM"
        );
        host.slots.put_aside(slot);
    }
    removed
}

async fn assemble(
    host: &Arc<Host>,
    parts: VmParts,
    operation: Operation,
    undo: &mut Undo,
) -> Result<Vm, HostError> {
    let VmParts {
        slot,
        promise,
        shape,
        memory,
        folder,
        start,
    } = parts;
    let number = slot.number();
    // The first step is the last one that is undone: until then no other VM gets the slot.
    let slot = undo.guard("slot", slot, async |slot| {
        drop(slot);
        Ok(())
    });
    let networks = host.clone();
    undo.record("network", async move {
        Ok(remove_network(&networks, number).await?)
    });
    let net = host.net.create(number).await?;
    host.slots.set_clean(number);
    operation.step("the network is created")?;
    let (devices, machine) = match start {
        Start::Boot => (None, None),
        Start::Restore { devices, machine } => (Some(devices), machine),
    };
    let files = VmFiles::open(&folder)?;
    let spec = VmSpec {
        name: host.vmm_name(number),
        shape,
        uid: host.vmm_uid(number),
        memory,
        kernel: host.kernel.clone(),
        initramfs: host.initramfs.clone(),
        cmdline: host.kernel_command_line(),
        disk: files.disk,
        tap: net.open_tap()?,
        mac: locule_net::GUEST_MAC.to_owned(),
        console: files.console,
        control: host.control_socket(number),
        log: folder.join("vmm.log"),
        restore: devices.is_some(),
        machine,
    };
    let started = host.vmm.start(spec).await?;
    let mut machine = undo.guard("VMM", started, async |mut machine: Box<dyn Machine>| {
        Ok(machine.end().await?)
    });
    operation.step("the VMM is started")?;
    if let Some(devices) = devices {
        let state = File::open(devices).map_err(HostError::io("open the device state"))?;
        machine.load_devices(state).await?;
        operation.step("the devices are loaded")?;
    }
    Ok(Vm {
        machine: machine.keep(),
        net: Arc::new(net),
        slot: slot.keep(),
        snapshot: None,
        template: None,
        promise,
    })
}

/// Files that the agent opens and hands to a VMM.
#[derive(Debug)]
struct VmFiles {
    disk: OwnedFd,
    console: OwnedFd,
}

impl VmFiles {
    fn open(folder: &Path) -> Result<Self, HostError> {
        let disk = File::options()
            .read(true)
            .write(true)
            .open(folder.join("disk"));
        // Every write appends: the agent shortens the file while the VM runs.
        let console = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(folder.join("console.log"))
            .and_then(|console| console.set_len(0).map(|()| console));
        Ok(Self {
            disk: disk.map_err(HostError::io("open the disk"))?.into(),
            console: console.map_err(HostError::io("open the console"))?.into(),
        })
    }
}
