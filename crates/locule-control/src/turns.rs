//! Turns at the database. Requests take connections of the pool in the order in which they ask: without turns, five hundred requests
//! of one team would all be served before the next request of another. And transactions of one team wait for the lock on the
//! team's row, each with a connection, until none is left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use locule_ids::{SandboxId, TeamId, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections for one asker at a time.
const TURNS: usize = 3;

/// Who takes turns with itself. A request that has a turn asks for no other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Asker {
    /// The authentication with an API key, by its hash. The key need not exist.
    Key(String),
    /// The authentication with a token of the user.
    User(UserId),
    /// Reads of a team's sandboxes.
    Reads(TeamId),
    /// Changes of a team's sandboxes, which wait for locks.
    Changes(TeamId),
    /// Notes of activity in a sandbox.
    Activity(SandboxId),
    /// The search for the sandbox of a signed address, by anybody.
    SignedAddress,
}

/// The turns are taken in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Asker, Weak<Semaphore>>>);

/// Ends when the value is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "dropping the value ends the turn")]
pub(crate) struct Turn(Option<OwnedSemaphorePermit>);

impl Turns {
    pub(crate) async fn wait(&self, asker: Asker) -> Turn {
        // The semaphore is never closed.
        Turn(self.of(asker).acquire_owned().await.ok())
    }

    fn of(&self, asker: Asker) -> Arc<Semaphore> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = all.get(&asker).and_then(Weak::upgrade) {
            return turns;
        }
        all.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(TURNS));
        all.insert(asker, Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn an_asker_waits_for_its_own_turns_and_for_those_of_no_other() {
        let turns = Turns::default();
        let (team, other) = (TeamId::random(), TeamId::random());
        let mut taken: Vec<_> = (0..TURNS)
            .map(|_| turns.wait(Asker::Reads(team)).now_or_never().unwrap())
            .collect();
        assert!(turns.wait(Asker::Reads(team)).now_or_never().is_none());
        turns.wait(Asker::Reads(other)).now_or_never().unwrap();
        turns.wait(Asker::Changes(team)).now_or_never().unwrap();
        taken.pop();
        turns.wait(Asker::Reads(team)).now_or_never().unwrap();
        drop(taken);
        drop(turns.wait(Asker::Reads(other)).now_or_never());
        assert_eq!(
            turns.0.lock().unwrap().len(),
            1,
            "ended turns are forgotten"
        );
    }
}
