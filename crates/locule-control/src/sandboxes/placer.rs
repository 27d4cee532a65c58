//! How this process chooses hosts.

use std::sync::atomic::{AtomicU64, Ordering};

use locule_domain::Scheduler;

#[derive(Debug)]
pub(crate) struct Placer {
    pub(crate) scheduler: Scheduler,
    /// Grows with each placement of this process.
    cursor: AtomicU64,
}

impl Placer {
    pub(crate) fn new(scheduler: Scheduler) -> Self {
        Self {
            scheduler,
            cursor: AtomicU64::new(0),
        }
    }

    pub(crate) fn next_cursor(&self) -> u64 {
        self.cursor.fetch_add(1, Ordering::Relaxed)
    }
}
