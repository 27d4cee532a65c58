//! How long a ring took, and how busy the machine was meanwhile: an idle core could have run other tests.

use std::fmt;
use std::fs;

use anyhow::{Context as _, Result};

const STATISTICS: &str = "/proc/stat";
const UPTIME: &str = "/proc/uptime";

/// The time of all cores since the machine started, in ticks of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

/// A moment, to measure from.
#[derive(Debug)]
pub(super) struct Begun {
    /// In seconds since the machine started.
    at: u64,
    ticks: Ticks,
}

/// What ran between two moments. Programs beside the tests count, too.
#[derive(Debug)]
pub(super) struct Cores {
    seconds: u64,
    /// In hundredths of all cores.
    busy_percent: u64,
}

impl Begun {
    pub(super) fn now() -> Result<Self> {
        Ok(Self {
            at: uptime()?,
            ticks: Ticks::now()?,
        })
    }

    pub(super) fn until_now(&self) -> Result<Cores> {
        let now = Ticks::now()?;
        let all = now.all.saturating_sub(self.ticks.all).max(1);
        let busy = now.busy.saturating_sub(self.ticks.busy);
        Ok(Cores {
            seconds: uptime()?.saturating_sub(self.at),
            busy_percent: busy * 100 / all,
        })
    }
}

/// Whole seconds since the machine started.
fn uptime() -> Result<u64> {
    let text = fs::read_to_string(UPTIME).context(UPTIME)?;
    let seconds = text.split('.').next().and_then(|text| text.parse().ok());
    seconds.with_context(|| format!("{UPTIME} has no number"))
}

impl Ticks {
    fn now() -> Result<Self> {
        let text = fs::read_to_string(STATISTICS).context(STATISTICS)?;
        Self::read(&text).with_context(|| format!("{STATISTICS} has no line `cpu`"))
    }

    /// The first line is `cpu` and the ticks of user, nice, system, idle, iowait, irq, softirq and steal, then those of guests, which
    /// are in user already.
    fn read(text: &str) -> Option<Self> {
        let ticks = text.strip_prefix("cpu ")?.lines().next()?;
        let ticks: Vec<u64> = ticks
            .split_whitespace()
            .map_while(|tick| tick.parse().ok())
            .take(8)
            .collect();
        let idle = ticks.get(3)? + ticks.get(4)?;
        let all: u64 = ticks.iter().sum();
        Some(Self {
            busy: all - idle,
            all,
        })
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seconds,
            busy_percent,
        } = self;
        write!(f, "{seconds} s, {busy_percent} % of the cores busy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_a_disk_is_idle_and_guests_count_once() {
        let text = "cpu  100 10 30 500 60 1 2 7 90 9\ncpu0 1 2 3\n";
        let expected = Ticks {
            busy: 150,
            all: 710,
        };
        assert_eq!(Ticks::read(text), Some(expected));
        assert_eq!(Ticks::read("intr 1 2"), None);
    }
}
