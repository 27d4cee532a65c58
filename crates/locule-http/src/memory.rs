//! The memory in which requests hold bodies and outputs: one budget for all teams, and a share for each team.
//!
//! ```text
//! request ── Held ──► MemoryBudget: a team may hold its share, and never more than what is free
//! ```
//! The second bound leaves memory for other teams: a team that holds `n` bytes leaves at least `n` bytes free.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use locule_api::ErrorCode;
use locule_ids::TeamId;

use crate::error::ApiError;

/// A request holds this much without a charge. The number of requests bounds the sum.
const FREE_BYTES: usize = 16 * 1024;
/// Charges are made in steps, so that few of them are made.
const STEP_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max: usize,
    team_max: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    teams: HashMap<TeamId, usize>,
}

impl MemoryBudget {
    pub(crate) fn new(max: usize, team_max: usize) -> Self {
        Self(Arc::new(Inner {
            max,
            team_max,
            used: Mutex::default(),
        }))
    }

    /// The memory of one request of the team.
    pub(crate) fn held_by(&self, team: TeamId) -> Held {
        Held {
            budget: self.clone(),
            team,
            bytes: 0,
            charged: 0,
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn charge(&self, team: TeamId, bytes: usize) -> Result<(), ApiError> {
        let mut used = self.used();
        let team_total = used.teams.get(&team).copied().unwrap_or_default() + bytes;
        let total = used.total + bytes;
        if team_total > self.0.team_max {
            return Err(ApiError::Busy {
                code: ErrorCode::RateLimited,
                message: "the requests in progress of the team hold as much memory as a team may; wait until one of them has ended, or use a streaming operation",
            });
        }
        if total > self.0.max || team_total > self.0.max - total {
            return Err(ApiError::Busy {
                code: ErrorCode::NotReady,
                message: "the requests in progress of all teams hold as much memory as they may; send the request again later, or use a streaming operation",
            });
        }
        used.total = total;
        used.teams.insert(team, team_total);
        Ok(())
    }

    fn release(&self, team: TeamId, bytes: usize) {
        let mut used = self.used();
        used.total -= bytes;
        if let Some(of_team) = used.teams.get_mut(&team) {
            *of_team -= bytes;
            if *of_team == 0 {
                used.teams.remove(&team);
            }
        }
    }
}

/// The memory that one request holds. Dropping the value returns the memory to the budget.
#[derive(Debug)]
pub(crate) struct Held {
    budget: MemoryBudget,
    team: TeamId,
    bytes: usize,
    charged: usize,
}

impl Held {
    /// Holds so many bytes more. On an error the request must give up.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += bytes;
        let uncharged = self.bytes.saturating_sub(FREE_BYTES + self.charged);
        if uncharged > 0 {
            let charge = uncharged.next_multiple_of(STEP_BYTES);
            self.budget.charge(self.team, charge)?;
            self.charged += charge;
        }
        Ok(())
    }

    /// Holds so many bytes fewer.
    pub(crate) fn remove(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        let needed = self.bytes.saturating_sub(FREE_BYTES);
        let surplus = self
            .charged
            .saturating_sub(needed.next_multiple_of(STEP_BYTES));
        if surplus > 0 {
            self.charged -= surplus;
            self.budget.release(self.team, surplus);
        }
    }

    #[cfg(test)]
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Holds nothing any more.
    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
        let charged = std::mem::take(&mut self.charged);
        if charged > 0 {
            self.budget.release(self.team, charged);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The team of a request's caller, as an extension of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallerTeam(pub(crate) TeamId);

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn code(result: Result<(), ApiError>) -> Option<ErrorCode> {
        result.err().map(|error| error.status_and_code().1)
    }

    #[test]
    fn a_team_may_hold_its_share_and_gets_it_back() {
        let budget = MemoryBudget::new(64 * MIB, 8 * MIB);
        let team = TeamId::random();
        let mut first = budget.held_by(team);
        first.add(7 * MIB).unwrap();
        let mut second = budget.held_by(team);
        assert_eq!(code(second.add(2 * MIB)), Some(ErrorCode::RateLimited));
        budget.held_by(TeamId::random()).add(7 * MIB).unwrap();
        drop(first);
        second.clear();
        second.add(7 * MIB).unwrap();
        drop(second);
        assert_eq!(budget.used().total, 0);
        assert!(budget.used().teams.is_empty());
    }

    #[test]
    fn one_team_leaves_memory_for_the_next() {
        let budget = MemoryBudget::new(16 * MIB, 16 * MIB);
        let mut greedy = budget.held_by(TeamId::random());
        while greedy.add(MIB).is_ok() {}
        assert_eq!(budget.used().total / MIB, 8);
        let mut next = budget.held_by(TeamId::random());
        next.add(3 * MIB).unwrap();
        assert_eq!(code(next.add(4 * MIB)), Some(ErrorCode::NotReady));
    }

    #[test]
    fn what_is_removed_is_free_for_others() {
        let budget = MemoryBudget::new(16 * MIB, MIB);
        let team = TeamId::random();
        let mut held = budget.held_by(team);
        for _ in 0..100 {
            held.add(900 * 1024).unwrap();
            held.remove(450 * 1024);
            held.remove(450 * 1024);
        }
        assert!(budget.used().teams.is_empty());
        held.add(900 * 1024).unwrap();
        held.remove(800 * 1024);
        budget.held_by(team).add(800 * 1024).unwrap();
    }

    #[test]
    fn a_small_body_is_not_charged() {
        let budget = MemoryBudget::new(0, 0);
        let mut held = budget.held_by(TeamId::random());
        held.add(FREE_BYTES).unwrap();
        assert_eq!(code(held.add(1)), Some(ErrorCode::RateLimited));
    }
}
