//! The capacity of a host: what the host gives to sandboxes, what they use of it, and the score of the rest (B-180).
//!
//! | resource | the host gives | running | paused |
//! |---|---|---|---|
//! | memory | its memory − the smaller of 8192 MiB and 10 % | all | half |
//! | disk | its disk − the smaller of 30720 MiB and 10 % | all | two thirds |
//! | CPU | its cores × 1.5 − the smaller of 4 and 10 % | all | nothing |
//!
//! The numbers are integers of a small part of the unit, so that tenths, halves and thirds are exact and a host is never filled by
//! rounding.

use std::cmp::Ordering;

/// What a machine has, as its host agent said at the registration. 0: the agent did not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    pub cpu_cores: u32,
    pub memory_mib: u32,
    pub disk_gib: u32,
}

/// What some sandboxes use together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_mib: u32,
}

/// What the sandboxes of a host use: all whose row names the host and has no final state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostUse {
    /// The sandboxes that are not paused. A sandbox that is starting or missing counts as one that runs.
    pub running: Load,
    pub paused: Load,
}

impl HostUse {
    /// The use with one more running sandbox.
    #[must_use]
    pub fn with(self, more: Load) -> Self {
        let Load {
            vcpus,
            memory_mib,
            disk_mib,
        } = self.running;
        Self {
            running: Load {
                vcpus: vcpus.saturating_add(more.vcpus),
                memory_mib: memory_mib.saturating_add(more.memory_mib),
                disk_mib: disk_mib.saturating_add(more.disk_mib),
            },
            ..self
        }
    }
}

/// How much of what a host gives may be placed on it, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overcommit {
    pub memory_percent: u16,
    pub disk_percent: u16,
}

impl Default for Overcommit {
    fn default() -> Self {
        Self {
            // A host agent has an overcommit of its own, refuses what would exceed it, and pauses sandboxes when memory runs out. With
            // 100 % a host is filled up to where neither happens. More is for operators who know what their sandboxes use.
            memory_percent: 100,
            // The disk of a sandbox is a copy-on-write copy of its template and occupies what the sandbox has written. 5 GiB for each
            // would leave a pool empty. The free space of the heartbeat excludes a host whose sandboxes wrote more than expected.
            disk_percent: 1000,
        }
    }
}

/// One resource of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    total: i128,
    used: i128,
}

impl Share {
    /// Whether the host gives as much as is used.
    pub(super) fn fits(self) -> bool {
        self.used <= self.total
    }

    fn score(self) -> Score {
        Score {
            free: self.total - self.used,
            total: self.total,
        }
    }
}

/// All resources of a host, and what is used of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resources {
    pub(super) memory: Share,
    pub(super) disk: Share,
    cpu: Share,
}

impl Resources {
    /// No product below, and none of two scores, exceeds 2^120: capacities and loads are below 2^32, percentages below 2^16.
    pub(super) fn new(capacity: Capacity, used: HostUse, overcommit: Overcommit) -> Self {
        let HostUse { running, paused } = used;
        let (mib, gib) = (capacity.memory_mib.into(), i128::from(capacity.disk_gib));
        let half_cores = 3 * i128::from(capacity.cpu_cores);
        Self {
            // In thousandths of a MiB: tenths of the reserve times hundredths of the overcommit.
            memory: Share {
                total: tenths_left(mib, 8192) * i128::from(overcommit.memory_percent),
                used: 1000 * i128::from(running.memory_mib) + 500 * i128::from(paused.memory_mib),
            },
            // As the memory, times three.
            disk: Share {
                total: 3 * tenths_left(gib * 1024, 30_720) * i128::from(overcommit.disk_percent),
                used: 3000 * i128::from(running.disk_mib) + 2000 * i128::from(paused.disk_mib),
            },
            // In twentieths of a core: half cores times tenths of the reserve.
            cpu: Share {
                total: tenths_left(half_cores, 8),
                used: 20 * i128::from(running.vcpus),
            },
        }
    }

    /// The free part of the scarcest resource.
    pub(super) fn score(self) -> Score {
        let Self { memory, disk, cpu } = self;
        if memory.total <= 0 || disk.total <= 0 {
            return Score::ZERO;
        }
        let score = memory.score().min(disk.score());
        // A host that states no cores is compared by the other two.
        if cpu.total <= 0 {
            return score;
        }
        score.min(cpu.score())
    }
}

/// What is left of `size` after the reserve, which is the smaller of `reserve_max` and a tenth of `size`, in tenths.
fn tenths_left(size: i128, reserve_max: i128) -> i128 {
    10 * size - size.min(10 * reserve_max)
}

/// The free part of a host: a fraction whose denominator is positive. Negative on a host where more was resumed than it gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score {
    pub(super) free: i128,
    pub(super) total: i128,
}

impl Score {
    const ZERO: Self = Self { free: 0, total: 1 };
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.free * other.total).cmp(&(other.free * self.total))
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}
