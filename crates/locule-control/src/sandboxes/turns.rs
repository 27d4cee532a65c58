//! Turns of each team at the database. Transactions of one team wait for the lock on the team's row; without turns each of them
//! would wait with a connection of the pool, until no connection is left for other teams.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use locule_ids::TeamId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Transactions of one team at a time: one that has the lock, and others that read and wait for it.
const TURNS: usize = 3;

/// The turns are taken in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<TeamId, Weak<Semaphore>>>);

/// Ends when the value is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "dropping the value ends the turn")]
pub(crate) struct Turn(Option<OwnedSemaphorePermit>);

impl Turns {
    /// Waits for a turn of the team. A caller that has one asks for no other.
    pub(crate) async fn wait(&self, team: TeamId) -> Turn {
        // The semaphore is never closed.
        Turn(self.of(team).acquire_owned().await.ok())
    }

    fn of(&self, team: TeamId) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = all.get(&team).and_then(Weak::upgrade) {
            return turns;
        }
        all.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(TURNS));
        all.insert(team, Arc::downgrade(&turns));
        turns
    }
}
