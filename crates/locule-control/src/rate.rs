//! How often somebody may try: on this replica, in memory. What is refused here never reaches the database.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Duration, Utc};
use locule_ids::TeamId;

use crate::control::Control;
use crate::error::ControlError;

/// What is counted, each by its own measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limited {
    LoginByAddress,
    LoginByAccount,
    SignUpByAddress,
    ResetByAddress,
    ResetByAccount,
    SearchByAccount,
}

/// Whose tries are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Limited(Limited, String),
    /// Sandboxes made for a team.
    Create(TeamId),
}

/// So many at once, and over time so many per `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per: std::time::Duration,
}

/// How often each is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    pub login_by_address: Rate,
    pub login_by_account: Rate,
    pub sign_up_by_address: Rate,
    pub reset_by_address: Rate,
    pub reset_by_account: Rate,
    pub search_by_account: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        let rate = |count, minutes| Rate {
            count,
            per: std::time::Duration::from_mins(minutes),
        };
        Self {
            login_by_address: rate(100, 5),
            login_by_account: rate(20, 5),
            sign_up_by_address: rate(100, 60),
            reset_by_address: rate(50, 60),
            reset_by_account: rate(5, 60),
            search_by_account: rate(60, 1),
        }
    }
}

impl Rates {
    const fn of(&self, what: Limited) -> Rate {
        match what {
            Limited::LoginByAddress => self.login_by_address,
            Limited::LoginByAccount => self.login_by_account,
            Limited::SignUpByAddress => self.sign_up_by_address,
            Limited::ResetByAddress => self.reset_by_address,
            Limited::ResetByAccount => self.reset_by_account,
            Limited::SearchByAccount => self.search_by_account,
        }
    }
}

/// More are not remembered: whoever has waited longest is forgotten first.
const REMEMBERED_MAX: usize = 100_000;

/// For each who tried: when they would be back where they began, if they tried no more.
#[derive(Debug, Default)]
pub(crate) struct Tries(Mutex<HashMap<Key, DateTime<Utc>>>);

impl Tries {
    /// Counts a try; the time to wait where there were too many.
    fn count(&self, key: Key, rate: Rate, now: DateTime<Utc>) -> Result<(), Duration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            forget(&mut known, now);
        }
        let per = Duration::from_std(rate.per).unwrap_or(Duration::MAX);
        let each = per / i32::try_from(rate.count.max(1)).unwrap_or(i32::MAX);
        let clear_at = known.get(&key).copied().unwrap_or(now).max(now) + each;
        if clear_at - now > per {
            return Err(clear_at - now - per);
        }
        known.insert(key, clear_at);
        Ok(())
    }
}

/// Whoever is back where they began, and if that is not enough half of the others: the half that would be there soonest, so
/// that a flood of new names does not free one who has tried too often.
fn forget(known: &mut HashMap<Key, DateTime<Utc>>, now: DateTime<Utc>) {
    known.retain(|_, clear_at| *clear_at > now);
    if known.len() >= REMEMBERED_MAX {
        let mut ends: Vec<DateTime<Utc>> = known.values().copied().collect();
        let (_, middle, _) = ends.select_nth_unstable(REMEMBERED_MAX / 2);
        known.retain(|_, clear_at| *clear_at > *middle);
    }
}

impl Control {
    /// Counts a try of somebody, told apart by `who`.
    pub fn limit(&self, what: Limited, who: &str) -> Result<(), ControlError> {
        let rate = self.0.config.rates.of(what);
        self.count(Key::Limited(what, who.to_owned()), rate)
    }

    /// Counts a sandbox that is made for a team.
    pub(crate) fn limit_creates(&self, team: TeamId, rate: Rate) -> Result<(), ControlError> {
        self.count(Key::Create(team), rate)
    }

    fn count(&self, key: Key, rate: Rate) -> Result<(), ControlError> {
        let counted = self.0.tries.count(key, rate, self.now());
        counted.map_err(|wait| ControlError::RateLimited {
            retry_after_sec: wait.num_seconds().max(0).unsigned_abs() + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let tries = Tries::default();
        let rate = Rate {
            count: 3,
            per: std::time::Duration::from_secs(30),
        };
        let at = |seconds| DateTime::UNIX_EPOCH + Duration::seconds(seconds);
        let count = |who: &str, now| {
            tries.count(
                Key::Limited(Limited::LoginByAddress, who.to_owned()),
                rate,
                at(now),
            )
        };
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
    fn what_is_remembered_is_bounded_and_a_flood_frees_nobody() {
        let tries = Tries::default();
        let rate = Rates::default().login_by_address;
        let count = |who: &str| {
            let who = Key::Limited(Limited::LoginByAddress, who.to_owned());
            tries.count(who, rate, DateTime::UNIX_EPOCH)
        };
        for _ in 0..rate.count {
            count("ada").unwrap();
        }
        count("ada").unwrap_err();
        for number in 0..=REMEMBERED_MAX {
            count(&number.to_string()).unwrap();
        }
        assert!(tries.0.lock().unwrap().len() <= REMEMBERED_MAX);
        count("ada").unwrap_err();
    }
}
