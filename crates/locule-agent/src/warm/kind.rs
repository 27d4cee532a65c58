//! The pooled VMs of one template and shape, and how many of them there should be.

use std::time::Duration;

use locule_agent_api::PoolLevel;
use locule_vmm::Shape;

use super::demand::Demand;
use super::pooled::PooledVm;

/// Restored VMs for each warm VM at most: a restored VM costs half the memory of a warm one, and saves most of the time of a
/// create.
const RESTORED_PER_WARM: usize = 2;

/// VMs of the same kind are interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct VmKind {
    pub(super) template: String,
    pub(super) shape: Shape,
}

/// How many VMs of one kind there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DesiredLevel {
    pub(super) warm: usize,
    pub(super) restored: usize,
}

#[derive(Debug, Default)]
pub(super) struct KindPool {
    pub(super) warm: Vec<PooledVm>,
    pub(super) restored: Vec<PooledVm>,
    pub(super) demand: Demand,
    /// Kept at least, whatever the demand.
    pub(super) min_warm: usize,
}

impl KindPool {
    pub(super) fn is_empty(&self) -> bool {
        self.warm.is_empty() && self.restored.is_empty()
    }

    pub(super) fn put(&mut self, pooled: PooledVm) {
        if pooled.is_warm {
            self.warm.push(pooled);
        } else {
            self.restored.push(pooled);
        }
    }

    /// A warm VM, else a restored one.
    pub(super) fn take(&mut self) -> Option<PooledVm> {
        self.warm.pop().or_else(|| self.restored.pop())
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = PooledVm> {
        self.warm.drain(..).chain(self.restored.drain(..))
    }

    /// A VM whose VMM has exited.
    pub(super) fn take_exited(&mut self) -> Option<PooledVm> {
        let has_exited = |pooled: &PooledVm| pooled.unique_bytes() == 0;
        for vms in [&mut self.warm, &mut self.restored] {
            if let Some(at) = vms.iter().position(has_exited) {
                return Some(vms.remove(at));
            }
        }
        None
    }

    /// The memory that the VMs have for themselves.
    pub(super) fn unique_bytes(&self) -> u64 {
        let all = self.warm.iter().chain(&self.restored);
        all.map(PooledVm::unique_bytes).sum()
    }

    /// The memory that is promised to the VMs.
    pub(super) fn promised_mib(&self) -> u64 {
        let all = self.warm.iter().chain(&self.restored);
        let promises = all.filter_map(|pooled| pooled.vm.promise.as_ref());
        promises.map(|promise| u64::from(promise.mib())).sum()
    }

    pub(super) fn level(&self, kind: &VmKind) -> PoolLevel {
        let count = |vms: &[PooledVm]| u32::try_from(vms.len()).unwrap_or(u32::MAX);
        PoolLevel {
            template: kind.template.clone(),
            vcpus: kind.shape.vcpus,
            memory_mib: kind.shape.memory_mib,
            warm: count(&self.warm),
            restored: count(&self.restored),
            unique_bytes: self.unique_bytes(),
        }
    }

    /// Together as many as were asked for together lately. A few VMs are always restored, to be warmed up when a warm one is
    /// taken.
    pub(super) fn desired(&mut self, now: Duration, warm_max: usize) -> DesiredLevel {
        let peak = self.demand.peak(now);
        let warm = peak.max(self.min_warm).min(warm_max);
        let beyond = peak.saturating_sub(warm).min(RESTORED_PER_WARM * warm_max);
        DesiredLevel {
            warm,
            restored: beyond.max(warm.div_ceil(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn pool_after_a_burst_of(requests: usize) -> KindPool {
        let mut pool = KindPool {
            min_warm: 1,
            ..KindPool::default()
        };
        for _ in 0..requests {
            pool.demand.note(NOW);
        }
        pool
    }

    #[test]
    fn warm_vms_are_limited_and_the_rest_of_a_burst_is_kept_restored() {
        for (requests, warm_max, warm, restored) in [
            (0, 4, 1, 1),
            (1, 4, 1, 1),
            (3, 4, 3, 2),
            (5, 4, 4, 2),
            (12, 4, 4, 8),
            (100, 4, 4, 8),
            (100, 0, 0, 0),
        ] {
            let desired = pool_after_a_burst_of(requests).desired(NOW, warm_max);
            let expected = DesiredLevel { warm, restored };
            assert_eq!(
                desired, expected,
                "{requests} requests at once, at most {warm_max} warm VMs"
            );
        }
    }
}
