//! Whether there is room for one more sandbox: said before anything is made.

use crate::host::Host;
use crate::ledger::Entry;
use crate::lifecycle::LifecycleError;
use crate::manifest::{Held, Manifest};

impl Host {
    /// Memory is promised, disk is there: else the caller hears it before anything is made.
    pub(crate) fn check_room(&self, manifest: &Manifest) -> Result<(), LifecycleError> {
        if self.pool.is_low()? {
            return Err(LifecycleError::Full("its disk pool is almost full"));
        }
        let promised: u64 = self
            .ledger
            .read_all()
            .map_err(LifecycleError::io("read the ledger"))?
            .iter()
            .filter_map(|(_, entry)| match entry {
                Entry::Held(other) => Some(other),
                Entry::Ended(_) | Entry::Leftover | Entry::Unreadable(_) => None,
            })
            .filter(|other| {
                other.sandbox != manifest.sandbox
                    && matches!(other.held, Held::Running { .. } | Held::Creating)
            })
            .map(|other| u64::from(other.memory_mib))
            .sum();
        if self
            .config
            .limits
            .fits(promised + u64::from(manifest.memory_mib))
        {
            Ok(())
        } else {
            Err(LifecycleError::Full(
                "its memory is promised to other sandboxes",
            ))
        }
    }
}

/// What the machine has.
pub(crate) fn memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
