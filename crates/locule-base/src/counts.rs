//! Counts what is in progress at a time, for each key up to a limit.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counts of all keys. Clones share them.
#[derive(Debug)]
pub struct Counts<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Counts<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// One thing that is in progress. Dropping the value ends the count.
#[derive(Debug)]
pub struct Counted<K: Hash + Eq> {
    counts: Counts<K>,
    key: K,
}

impl<K> Counts<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Counts<K> {
    /// Counts one more of `key`. `None` when `max` of them are in progress.
    pub fn begin(&self, key: K, max: usize) -> Option<Counted<K>> {
        let mut counts = self.lock();
        let count = counts.entry(key.clone()).or_default();
        // An entry of zero exists only where the limit is zero.
        if *count >= max {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Counted {
            counts: self.clone(),
            key,
        })
    }
}

impl<K: Hash + Eq> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_limit_and_an_end_frees_a_place() {
        let counts = Counts::default();
        let first = counts.begin('a', 2).unwrap();
        let _second = counts.begin('a', 2).unwrap();
        assert!(counts.begin('a', 2).is_none());
        assert!(counts.begin('b', 2).is_some());
        drop(first);
        assert!(counts.begin('a', 2).is_some());
        // Only the second is still in progress.
        assert_eq!(counts.lock().len(), 1);
    }
}
