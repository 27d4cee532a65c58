//! The limit on quiet connections. A connection is quiet while the server waits for its client: for a request, or for bytes of a
//! request's body. When one connection too many is quiet, the address with the most quiet connections loses the one that has
//! been quiet for longest: a client that opens many connections closes its own.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
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
    /// The addresses and eviction tokens of the quiet connections, in the order in which they became quiet.
    by_sequence: BTreeMap<u64, (IpAddr, CancellationToken)>,
    last_sequence: u64,
}

impl IdleConnections {
    /// Removes the connection to evict.
    fn pop(&mut self) -> Option<CancellationToken> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (address, _) in self.by_sequence.values() {
            *counts.entry(*address).or_default() += 1;
        }
        let most = counts.values().max().copied()?;
        let oldest = self
            .by_sequence
            .iter()
            .find(|(_, (address, _))| counts.get(address) == Some(&most));
        let sequence = *oldest?.0;
        self.by_sequence.remove(&sequence).map(|(_, token)| token)
    }
}

/// One connection, as the idle limit counts it. Dropping the entry removes the connection.
#[derive(Debug)]
pub(super) struct Entry {
    limit: IdleLimit,
    address: IpAddr,
    /// The key in `by_sequence` while the connection is quiet.
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

    /// Adds a new connection, which is quiet.
    pub(super) fn enter(&self, address: IpAddr) -> Entry {
        let mut entry = Entry {
            limit: self.clone(),
            address,
            sequence: None,
            evicted: CancellationToken::new(),
        };
        entry.set_idle();
        entry
    }

    /// Evicts one quiet connection.
    pub(super) fn evict(&self) {
        let evicted = self.idle().pop();
        if let Some(evicted) = evicted {
            evicted.cancel();
        }
    }

    fn idle(&self) -> MutexGuard<'_, IdleConnections> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Counts the connection as quiet. A quiet connection keeps its position in the order.
    pub(super) fn set_idle(&mut self) {
        if self.sequence.is_some() {
            return;
        }
        let mut idle = self.limit.idle();
        idle.last_sequence += 1;
        let sequence = idle.last_sequence;
        let quiet = (self.address, self.evicted.clone());
        idle.by_sequence.insert(sequence, quiet);
        let too_many = idle.by_sequence.len() > self.limit.0.max;
        drop(idle);
        self.sequence = Some(sequence);
        if too_many {
            self.limit.evict();
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

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_address_with_the_most_quiet_connections_loses_one() {
        let limit = IdleLimit::new(3);
        let other = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
        let innocent = limit.enter(other);
        let flood: Vec<Entry> = (0..9).map(|_| limit.enter(ADDRESS)).collect();
        assert!(!innocent.evicted.is_cancelled());
        let left = flood.iter().filter(|entry| !entry.evicted.is_cancelled());
        assert_eq!(left.count(), 2);
    }

    #[test]
    fn the_longest_idle_connection_is_evicted_and_busy_connections_are_not() {
        let limit = IdleLimit::new(2);
        let mut entries: Vec<Entry> = (0..2).map(|_| limit.enter(ADDRESS)).collect();
        entries[0].set_busy();
        entries.extend((0..2).map(|_| limit.enter(ADDRESS)));
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
        drop(limit.enter(ADDRESS));
        let stays = limit.enter(ADDRESS);
        assert!(!stays.evicted.is_cancelled());
    }
}
