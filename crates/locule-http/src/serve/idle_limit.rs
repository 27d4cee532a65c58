//! The limit on idle connections. A connection is idle while it has no request in progress. When one connection too many is
//! idle, the one that has been idle for longest is evicted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone)]
pub(super) struct IdleLimit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    idle: Mutex<IdleConnections>,
}

#[derive(Debug, Default)]
struct IdleConnections {
    /// The eviction tokens of the idle connections, in the order in which they became idle.
    by_sequence: BTreeMap<u64, CancellationToken>,
    last_sequence: u64,
}

/// One connection, as the idle limit counts it. Dropping the entry removes the connection.
#[derive(Debug)]
pub(super) struct Entry {
    limit: IdleLimit,
    /// The key in `by_sequence` while the connection is idle.
    sequence: Option<u64>,
    /// Cancelled when the connection must close.
    pub(super) evicted: CancellationToken,
}

impl IdleLimit {
    pub(super) fn new(max: usize) -> Self {
        Self(Arc::new(Inner {
            max: max.max(1),
            idle: Mutex::default(),
        }))
    }

    /// Adds a new connection, which is idle.
    pub(super) fn enter(&self) -> Entry {
        let mut entry = Entry {
            limit: self.clone(),
            sequence: None,
            evicted: CancellationToken::new(),
        };
        entry.set_idle();
        entry
    }

    /// Evicts the connection that has been idle for longest.
    pub(super) fn evict_oldest(&self) {
        if let Some((_, oldest)) = self.idle().by_sequence.pop_first() {
            oldest.cancel();
        }
    }

    fn idle(&self) -> MutexGuard<'_, IdleConnections> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Counts the connection as idle. An idle connection keeps its position in the order.
    pub(super) fn set_idle(&mut self) {
        if self.sequence.is_some() {
            return;
        }
        let mut idle = self.limit.idle();
        idle.last_sequence += 1;
        let sequence = idle.last_sequence;
        idle.by_sequence.insert(sequence, self.evicted.clone());
        let too_many = idle.by_sequence.len() > self.limit.0.max;
        drop(idle);
        self.sequence = Some(sequence);
        if too_many {
            self.limit.evict_oldest();
        }
    }

    /// Stops counting the connection: a request is in progress, or the connection is closed.
    pub(super) fn set_busy(&mut self) {
        if let Some(sequence) = self.sequence.take() {
            self.limit.idle().by_sequence.remove(&sequence);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.set_busy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_idle_connection_is_evicted_and_busy_connections_are_not() {
        let limit = IdleLimit::new(2);
        let mut entries: Vec<Entry> = (0..2).map(|_| limit.enter()).collect();
        entries[0].set_busy();
        entries.extend((0..2).map(|_| limit.enter()));
        let evicted: Vec<bool> = entries
            .iter()
            .map(|entry| entry.evicted.is_cancelled())
            .collect();
        assert_eq!(evicted, [false, true, false, false]);
        entries[0].set_idle();
        assert!(entries[2].evicted.is_cancelled() && !entries[0].evicted.is_cancelled());
    }

    #[test]
    fn a_closed_connection_does_not_count_as_idle() {
        let limit = IdleLimit::new(1);
        drop(limit.enter());
        let stays = limit.enter();
        assert!(!stays.evicted.is_cancelled());
    }
}
