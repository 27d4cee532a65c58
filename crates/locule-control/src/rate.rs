//! Rate limits, counted in the memory of this replica: a request that is refused here never reaches the database.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};

use crate::error::CommonError;

/// `count` calls at once, and over time `count` calls per `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: std::time::Duration,
}

/// The most keys that are counted; above it, the keys that are closest to their full allowance are dropped.
const KEYS_MAX: usize = 100_000;

/// For each key, the time when it has its full allowance again if no further call follows.
#[derive(Debug)]
pub(crate) struct Tries<Key>(Mutex<HashMap<Key, DateTime<Utc>>>);

impl<Key> Default for Tries<Key> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Key: Eq + Hash> Tries<Key> {
    /// Counts a try, or refuses it with the number of seconds after which the next try is allowed.
    pub(crate) fn count(
        &self,
        key: Key,
        rate: Rate,
        now: DateTime<Utc>,
    ) -> Result<(), CommonError> {
        let counted = self.try_count(key, rate, now);
        counted.map_err(|wait| CommonError::RateLimited {
            retry_after_sec: wait.num_seconds().max(0).unsigned_abs() + 1,
        })
    }

    /// Counts a try, or refuses it with the time to wait.
    fn try_count(&self, key: Key, rate: Rate, now: DateTime<Utc>) -> Result<(), Duration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS_MAX {
            evict(&mut known, now);
        }
        let (per, each) = (period(rate), interval(rate));
        let clear_at = known.get(&key).copied().unwrap_or(now).max(now) + each;
        if clear_at - now > per {
            return Err(clear_at - now - per);
        }
        known.insert(key, clear_at);
        Ok(())
    }

    /// Takes a try back that was counted.
    pub(crate) fn give_back(&self, key: &Key, rate: Rate) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clear_at) = known.get_mut(key) {
            *clear_at -= interval(rate);
        }
    }

    /// Whether one more try would be allowed.
    pub(crate) fn is_below(&self, key: &Key, rate: Rate, now: DateTime<Utc>) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let clear_at = known.get(key).copied().unwrap_or(now).max(now);
        clear_at + interval(rate) - now <= period(rate)
    }
}

fn period(rate: Rate) -> Duration {
    Duration::from_std(rate.per).unwrap_or(Duration::MAX)
}

/// The time after which one more try is allowed.
fn interval(rate: Rate) -> Duration {
    period(rate) / i32::try_from(rate.count.max(1)).unwrap_or(i32::MAX)
}

/// Drops the keys that have their full allowance again, and if that is not enough half of the others: the half that has it soonest,
/// so that a flood of new keys does not lift the limit of a key that is over it.
fn evict<Key>(known: &mut HashMap<Key, DateTime<Utc>>, now: DateTime<Utc>) {
    known.retain(|_, clear_at| *clear_at > now);
    if known.len() >= KEYS_MAX {
        let mut ends: Vec<DateTime<Utc>> = known.values().copied().collect();
        let (_, middle, _) = ends.select_nth_unstable(KEYS_MAX / 2);
        known.retain(|_, clear_at| *clear_at > *middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_use_its_count_at_once_and_then_one_call_per_interval() {
        let tries = Tries::default();
        let rate = Rate {
            count: 3,
            per: std::time::Duration::from_secs(30),
        };
        let at = |seconds| DateTime::UNIX_EPOCH + Duration::seconds(seconds);
        let count = |who: &str, now| tries.try_count(who.to_owned(), rate, at(now));
        for _ in 0..3 {
            count("ada", 0).unwrap();
        }
        assert_eq!(count("ada", 0), Err(Duration::seconds(10)));
        count("bob", 0).unwrap();
        assert_eq!(count("ada", 9), Err(Duration::seconds(1)));
        count("ada", 10).unwrap();
        count("ada", 10).unwrap_err();
        for _ in 0..3 {
            count("ada", 100).unwrap();
        }
        count("ada", 100).unwrap_err();
    }

    #[test]
    fn a_try_that_is_given_back_does_not_count() {
        let (tries, now) = (Tries::default(), DateTime::UNIX_EPOCH);
        let rate = Rate {
            count: 2,
            per: std::time::Duration::from_secs(30),
        };
        for _ in 0..5 {
            assert!(tries.is_below(&"ada", rate, now));
            tries.try_count("ada", rate, now).unwrap();
            tries.give_back(&"ada", rate);
        }
        tries.try_count("ada", rate, now).unwrap();
        tries.try_count("ada", rate, now).unwrap();
        assert!(!tries.is_below(&"ada", rate, now));
        tries.try_count("ada", rate, now).unwrap_err();
        tries.give_back(&"ada", rate);
        tries.try_count("ada", rate, now).unwrap();
    }

    #[test]
    fn counted_keys_are_bounded_and_a_flood_of_keys_lifts_no_limit() {
        let tries = Tries::default();
        let rate = Rate {
            count: 100,
            per: std::time::Duration::from_mins(5),
        };
        let count = |who: &str| tries.try_count(who.to_owned(), rate, DateTime::UNIX_EPOCH);
        for _ in 0..rate.count {
            count("ada").unwrap();
        }
        count("ada").unwrap_err();
        for number in 0..=KEYS_MAX {
            count(&number.to_string()).unwrap();
        }
        assert!(tries.0.lock().unwrap().len() <= KEYS_MAX);
        count("ada").unwrap_err();
    }
}
