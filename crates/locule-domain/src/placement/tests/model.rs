//! B-180 as it is written, in exact fractions.

use std::cmp::Ordering;
use std::ops::{Mul, Sub};

use super::{Candidate, HostUse, Overcommit};

/// A fraction in its lowest terms, with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    above: i128,
    below: i128,
}

impl Fraction {
    pub(super) fn new(above: i128, below: i128) -> Self {
        let (mut one, mut other) = (above.abs(), below.abs());
        while other != 0 {
            (one, other) = (other, one % other);
        }
        let divisor = one * below.signum();
        Self {
            above: above / divisor,
            below: below / divisor,
        }
    }

    fn whole(number: u32) -> Self {
        Self::new(number.into(), 1)
    }

    fn over(self, other: Self) -> Self {
        Self::new(self.above * other.below, self.below * other.above)
    }

    fn is_positive(self) -> bool {
        self.above > 0
    }
}

impl Sub for Fraction {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(
            self.above * other.below - other.above * self.below,
            self.below * other.below,
        )
    }
}

impl Mul for Fraction {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::new(self.above * other.above, self.below * other.below)
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        (*self - *other).above.cmp(&0)
    }
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The size of a host without its reserve, times the overcommit.
fn given(size: Fraction, reserve_max: u32, percent: u16) -> Fraction {
    let reserve = Fraction::whole(reserve_max).min(size * Fraction::new(1, 10));
    (size - reserve) * Fraction::new(percent.into(), 100)
}

/// What is used and given: memory in MiB, disk in MiB, CPU in cores.
fn resources(host: &Candidate, overcommit: Overcommit) -> [(Fraction, Fraction); 3] {
    let HostUse { running, paused } = host.used;
    // a − (−b) is a + b.
    let with_paused = |running: u32, paused: u32, part: Fraction| {
        Fraction::whole(running) - Fraction::whole(paused) * part * Fraction::new(-1, 1)
    };
    let memory = with_paused(running.memory_mib, paused.memory_mib, Fraction::new(1, 2));
    let disk = with_paused(running.disk_mib, paused.disk_mib, Fraction::new(2, 3));
    let size = host.capacity;
    let disk_size = Fraction::whole(size.disk_gib) * Fraction::whole(1024);
    let cpu_size = Fraction::whole(size.cpu_cores) * Fraction::new(3, 2);
    [
        (
            memory,
            given(
                Fraction::whole(size.memory_mib),
                8192,
                overcommit.memory_percent,
            ),
        ),
        (disk, given(disk_size, 30_720, overcommit.disk_percent)),
        (Fraction::whole(running.vcpus), given(cpu_size, 4, 100)),
    ]
}

pub(super) fn score(host: &Candidate, overcommit: Overcommit) -> Fraction {
    let [memory, disk, cpu] = resources(host, overcommit);
    if !memory.1.is_positive() || !disk.1.is_positive() {
        return Fraction::whole(0);
    }
    let counted = [memory, disk, cpu].into_iter();
    let counted = counted.filter(|(_, total)| total.is_positive());
    let free = counted.map(|(used, total)| (total - used).over(total));
    free.min().unwrap()
}

/// Whether the host gives the memory and the disk that its sandboxes use.
pub(super) fn is_within(host: &Candidate, overcommit: Overcommit) -> bool {
    let [memory, disk, _] = resources(host, overcommit);
    memory.0 <= memory.1 && disk.0 <= disk.1
}
