//! When memory runs short, a sandbox is paused, before the kernel kills a process: one that holds more than its fair share, else
//! the one that was idle for longest.
//!
//! What counts is the memory that each VM has for itself (private pages and swap), and template snapshots once. Above the
//! limit, or when the kernel reports that work waits for memory, VMs of the warm pool are ended first, then sandboxes are
//! paused, one after the other: each pause ends before memory is measured again.

use std::sync::Arc;
use std::time::Duration;

use locule_base::memory::MachineMemory;
use locule_domain::PauseReason;
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

/// A sandbox that runs, with the memory that its VM has for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    sandbox: Running,
    bytes: u64,
}

/// The sandbox to pause when all may hold `limit` together. The fair share of each is the same part of the limit. Of those above
/// it, in use or not, the one that holds most shares comes first, so that no small sandbox is paused for a large one.
/// Among equals the sandbox comes first that was idle for longest; one in use only where no other is left.
fn first_to_pause(holders: &[Holder], limit: u64) -> Option<SandboxId> {
    let share = (limit / u64::try_from(holders.len()).ok()?.max(1)).max(1);
    let first = holders.iter().min_by_key(|holder| {
        let shares = holder.bytes.saturating_sub(1) / share;
        let sandbox = holder.sandbox;
        (
            std::cmp::Reverse(shares),
            sandbox.in_use,
            sandbox.last_active,
        )
    });
    first.map(|holder| holder.sandbox.id)
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
        let holders = holders(&registry);
        let Some(reason) = shortage(&limits, &vm_source, &holders) else {
            continue;
        };
        if vm_source.warm_pool.shrink().await {
            continue;
        }
        let Some(sandbox) = first_to_pause(&holders, limits.memory_limit_mib << 20) else {
            continue;
        };
        tracing::warn!(sandbox.id = %sandbox, reason, "memory is short: pausing a sandbox");
        let paused = registry.pause_for(sandbox, PauseReason::MemoryPressure);
        if let Err(error) = paused.await {
            tracing::warn!(sandbox.id = %sandbox, %error, "memory is short, and a sandbox cannot be paused");
        }
    }
}

/// Why memory must be freed. `None`: there is enough.
fn shortage(limits: &Limits, vm_source: &VmSource, holders: &[Holder]) -> Option<String> {
    let limit = limits.memory_limit_mib << 20;
    let used = used(vm_source, holders);
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

fn holders(registry: &Registry) -> Vec<Holder> {
    let running = registry.running().into_iter();
    let holders = running.map(|sandbox| Holder {
        sandbox,
        bytes: unique_bytes(sandbox.vmm_pid),
    });
    holders.collect()
}

/// The memory of all VMs, those of the warm pool included, and of template snapshots.
pub(crate) fn used_bytes(registry: &Registry) -> u64 {
    used(&registry.shared.vm_source, &holders(registry))
}

fn used(vm_source: &VmSource, holders: &[Holder]) -> u64 {
    let vms: u64 = holders.iter().map(|holder| holder.bytes).sum();
    vms + vm_source.warm_pool.unique_bytes() + vm_source.template_snapshots.bytes()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    const LIMIT: u64 = 1000;

    fn holder(bytes: u64, in_use: bool, minute: i64) -> Holder {
        let sandbox = Running {
            id: SandboxId::random(),
            vmm_pid: 1,
            in_use,
            last_active: DateTime::from_timestamp(minute * 60, 0).unwrap(),
        };
        Holder { sandbox, bytes }
    }

    fn first(holders: &[Holder]) -> Option<usize> {
        let first = first_to_pause(holders, LIMIT)?;
        holders.iter().position(|holder| holder.sandbox.id == first)
    }

    #[test]
    fn of_sandboxes_within_their_share_the_longest_idle_is_paused_first_and_one_in_use_last() {
        let all = [
            holder(300, true, 1),
            holder(10, false, 3),
            holder(300, false, 2),
        ];
        assert_eq!(first(&all), Some(2));
        assert_eq!(first(&all[..1]), Some(0));
        assert_eq!(first(&[]), None);
    }

    /// A sandbox with an open stream was paused last, however much memory it held.
    #[test]
    fn a_sandbox_in_use_above_its_share_is_paused_before_a_small_idle_one() {
        let all = [
            holder(900, true, 9),
            holder(50, false, 1),
            holder(60, false, 2),
        ];
        assert_eq!(first(&all), Some(0));
    }

    #[test]
    fn of_two_above_their_share_the_larger_is_paused_first_and_among_equals_the_idle_one() {
        let all = [
            holder(500, false, 1),
            holder(900, true, 2),
            holder(1, false, 0),
        ];
        assert_eq!(first(&all), Some(1));
        let all = [
            holder(600, true, 1),
            holder(610, false, 9),
            holder(1, false, 0),
        ];
        assert_eq!(first(&all), Some(1));
    }

    fn any_holder() -> impl Strategy<Value = Holder> {
        (0..2 * LIMIT, any::<bool>(), 0_i64..100)
            .prop_map(|(bytes, in_use, minute)| holder(bytes, in_use, minute))
    }

    proptest! {
        #[test]
        fn a_sandbox_within_its_share_is_paused_only_when_none_is_above(
            holders in proptest::collection::vec(any_holder(), 1..20),
        ) {
            let share = LIMIT / holders.len() as u64;
            let paused = holders[first(&holders).unwrap()];
            if paused.bytes <= share {
                prop_assert!(holders.iter().all(|holder| holder.bytes <= share));
            }
        }

        #[test]
        fn to_grow_never_saves_a_sandbox_from_its_pause(
            holders in proptest::collection::vec(any_holder(), 1..20), more in 0..LIMIT,
        ) {
            let paused = first(&holders).unwrap();
            let mut grown = holders;
            grown[paused].bytes += more;
            prop_assert_eq!(first(&grown), Some(paused));
        }

        #[test]
        fn what_idles_longer_with_no_less_memory_is_paused_no_later(
            holders in proptest::collection::vec(any_holder(), 1..20),
        ) {
            let paused = holders[first(&holders).unwrap()];
            let idler = holders.iter().find(|other| {
                other.bytes >= paused.bytes
                    && other.sandbox.in_use <= paused.sandbox.in_use
                    && other.sandbox.last_active < paused.sandbox.last_active
            });
            prop_assert_eq!(idler, None);
        }
    }
}
