//! When memory runs short, the sandbox that was idle for longest is paused, before the kernel kills a process.
//!
//! What counts is the memory that each VM has for itself (private pages and swap), and template snapshots once. Above the
//! limit, or when the kernel reports that work waits for memory, VMs of the warm pool are ended first, then sandboxes are
//! paused, one after the other: each pause ends before memory is measured again.

use std::sync::Arc;
use std::time::Duration;

use locule_base::memory::MachineMemory;
use locule_ids::SandboxId;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::memory::{stalled_percent, unique_bytes};
use crate::registry::{Registry, Running};
use crate::vm_source::VmSource;

const PERIOD: Duration = Duration::from_millis(500);
/// Percent of the last ten seconds in which some work waited for memory.
const STALL_PERCENT_MAX: f64 = 20.0;
/// Of the machine's memory: with more available, stalls have another cause.
const SCARCE_PERCENT: u64 = 10;

/// The sandbox that was idle for longest. A sandbox in use is chosen only where no other runs.
fn first_to_pause(running: &[Running]) -> Option<SandboxId> {
    let first = running
        .iter()
        .min_by_key(|sandbox| (sandbox.in_use, sandbox.last_active));
    first.map(|sandbox| sandbox.id)
}

/// Watches until the host stops.
pub(crate) async fn watch(
    limits: Limits,
    vm_source: Arc<VmSource>,
    registry: Arc<Registry>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
        let running = registry.running();
        let Some(reason) = shortage(&limits, &vm_source, &running) else {
            continue;
        };
        if vm_source.warm_pool.shrink().await {
            continue;
        }
        let Some(sandbox) = first_to_pause(&running) else {
            continue;
        };
        tracing::warn!(sandbox.id = %sandbox, reason, "memory is short: pausing the sandbox that was idle for longest");
        if let Err(error) = registry.pause_for_memory(sandbox).await {
            tracing::warn!(sandbox.id = %sandbox, %error, "memory is short, and a sandbox cannot be paused");
        }
    }
}

/// Why memory must be freed. `None`: there is enough.
fn shortage(limits: &Limits, vm_source: &VmSource, running: &[Running]) -> Option<String> {
    let limit = limits.memory_limit_mib << 20;
    let used = used_bytes(vm_source, running);
    if used > limit {
        return Some(format!("{} of {} MiB are in use", used >> 20, limit >> 20));
    }
    let machine = MachineMemory::read()?;
    let stalled = stalled_percent()?;
    // Work also waits while the kernel takes back page cache of which there is plenty: no reason to pause a sandbox.
    let scarce = machine.available_bytes * 100 < machine.total_bytes * SCARCE_PERCENT;
    (scarce && stalled > STALL_PERCENT_MAX)
        .then(|| format!("work waits for memory {stalled} % of the time"))
}

/// The memory of all VMs, those of the warm pool included, and of template snapshots.
pub(crate) fn used_bytes(vm_source: &VmSource, running: &[Running]) -> u64 {
    let vms: u64 = running
        .iter()
        .map(|sandbox| unique_bytes(sandbox.vmm_pid))
        .sum();
    vms + vm_source.warm_pool.unique_bytes() + vm_source.template_snapshots.bytes()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn running(in_use: bool, minute: i64) -> Running {
        Running {
            id: SandboxId::random(),
            vmm_pid: 1,
            in_use,
            last_active: DateTime::from_timestamp(minute * 60, 0).unwrap(),
        }
    }

    #[test]
    fn the_longest_idle_sandbox_is_paused_first_and_a_sandbox_in_use_last() {
        let all = [running(true, 1), running(false, 3), running(false, 2)];
        assert_eq!(first_to_pause(&all), Some(all[2].id));
        assert_eq!(first_to_pause(&all[..1]), Some(all[0].id));
        assert_eq!(first_to_pause(&[]), None);
    }
}
