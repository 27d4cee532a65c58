//! The technologies of this host that every virtual machine uses.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use locule_base::clock::SharedClock;
use locule_base::tasks::Tasks;
use locule_disk::Pool;
use locule_images::Bundle;
use locule_net::HostNet;
use locule_vmm::{Accelerator, AcceleratorKind, Vmm};

use crate::config::Config;
use crate::error::HostError;
use crate::ledger::Ledger;
use crate::promises::Promises;
use crate::slots::Slots;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) clock: SharedClock,
    pub(crate) tasks: Tasks,
    pub(crate) bundle: Bundle,
    pub(crate) kernel: Arc<File>,
    pub(crate) initramfs: Arc<File>,
    pub(crate) pool: Pool,
    pub(crate) net: HostNet,
    pub(crate) vmm: Arc<dyn Vmm>,
    pub(crate) accelerator: Accelerator,
    pub(crate) ledger: Ledger,
    pub(crate) slots: Slots,
    pub(crate) promises: Promises,
}

impl Host {
    /// The name of a slot's VMM in the process list.
    pub(crate) fn vmm_name(&self, slot: u16) -> String {
        format!("locule-{}-{slot}", self.config.instance)
    }

    /// Where a slot's VMM takes its commands.
    pub(crate) fn control_socket(&self, slot: u16) -> PathBuf {
        self.config.control_dir().join(format!("{slot}.qmp"))
    }

    /// The user that a slot's VMM runs as.
    pub(crate) fn vmm_uid(&self, slot: u16) -> u32 {
        self.net.first_uid() + u32::from(slot)
    }

    /// Refuses a new VM while the disk pool is almost full.
    pub(crate) fn require_disk_space(&self) -> Result<(), HostError> {
        if self.pool.is_low()? {
            return Err(HostError::NoCapacity("its disk pool is almost full"));
        }
        Ok(())
    }

    /// Where template snapshots are.
    pub(crate) fn template_snapshot_dir(&self) -> PathBuf {
        self.pool.root().join("golden")
    }

    /// Where the VMs of the warm pool have their files.
    pub(crate) fn warm_pool_dir(&self) -> PathBuf {
        self.pool.root().join("warm")
    }

    /// The command line of the guest kernel. Every program in the guest can read it: it holds no secret.
    pub(crate) fn kernel_command_line(&self) -> String {
        let mut line = "console=ttyS0 quiet panic=-1".to_owned();
        if self.accelerator.kind == AcceleratorKind::Tcg {
            // Mitigations are against a speculating processor, which an emulator is not: there each change between user
            // and kernel would empty the emulated TLB, twice.
            line += " mitigations=off";
            // The kernel waits for ticks of the timer in a loop that counts instructions. On a busy machine they come too late
            // for it, and it panics: "IO-APIC + timer doesn't work". KVM guests make no such check.
            line += " no_timer_check";
        }
        line
    }
}
