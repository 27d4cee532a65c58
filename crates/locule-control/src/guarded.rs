//! The grants of open connections. All connections of one [`Grant`] share one cancellation token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use locule_store::sandbox_callers::{Grant, Granted};
use tokio_util::sync::CancellationToken;

use crate::caller::{By, Caller};

/// The number of grants at which those without a connection are looked for.
const GRANTS_KEPT: usize = 256;

/// Cancelled when the caller loses its right. A connection holds it for as long as it is open.
pub type Cut = Arc<CancellationToken>;

/// The grants of open connections.
#[derive(Debug, Default)]
pub(crate) struct Guarded {
    open: Mutex<HashMap<Grant, Weak<CancellationToken>>>,
    /// The time of the monotonic clock at which all of them were last checked.
    checked: Mutex<Duration>,
}

impl Guarded {
    /// No connection is open yet.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            checked: Mutex::new(now),
            ..Self::default()
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Grant, Weak<CancellationToken>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_checked(&self, at: Duration) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// The time since all grants were last checked.
    pub(crate) fn unchecked(&self, now: Duration) -> Duration {
        let checked = *self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_sub(checked)
    }

    pub(crate) fn guard(&self, grant: Grant) -> Cut {
        let mut open = self.open();
        if let Some(cut) = open.get(&grant).and_then(Weak::upgrade) {
            return cut;
        }
        if open.len() >= GRANTS_KEPT && open.len() == open.capacity() {
            open.retain(|_, cut| cut.strong_count() > 0);
        }
        let cut = Cut::default();
        open.insert(grant, Arc::downgrade(&cut));
        cut
    }

    /// The grants of connections that are open now.
    pub(crate) fn grants(&self) -> Vec<Grant> {
        let mut open = self.open();
        open.retain(|_, cut| cut.strong_count() > 0);
        open.keys().copied().collect()
    }

    /// Ends the connections of a grant. `false`: it has none.
    pub(crate) fn cut(&self, grant: &Grant) -> bool {
        let cut = self.open().remove(grant).and_then(|cut| cut.upgrade());
        if let Some(cut) = &cut {
            cut.cancel();
        }
        cut.is_some()
    }
}

/// The right of a caller of the API. `uses`: the operation needs a key that may use sandboxes, and not only read them.
pub(crate) fn grant_of(caller: &Caller, uses: bool) -> Option<Grant> {
    let by = match caller.by {
        By::Key(key) => Granted::Key { key, uses },
        By::Login { user, session } => Granted::Login { user, session },
        By::System => return None,
    };
    Some(Grant {
        team: caller.team,
        caller: by,
    })
}

#[cfg(test)]
mod tests {
    use locule_ids::{ApiKeyId, TeamId};

    use super::*;

    fn grant() -> Grant {
        Grant {
            team: TeamId::random(),
            caller: Granted::Key {
                key: ApiKeyId::random(),
                uses: true,
            },
        }
    }

    #[test]
    fn the_connections_of_one_grant_are_cut_together_and_those_of_others_stay_open() {
        let (guarded, (ada, bob)) = (Guarded::default(), (grant(), grant()));
        let open = [guarded.guard(ada), guarded.guard(ada)];
        let other = guarded.guard(bob);
        assert!(guarded.cut(&ada));
        assert!(open.iter().all(|cut| cut.is_cancelled()));
        assert!(!other.is_cancelled());
        assert!(
            !guarded.guard(ada).is_cancelled(),
            "a later request is checked anew"
        );
    }

    #[test]
    fn a_grant_without_a_connection_is_forgotten() {
        let guarded = Guarded::default();
        for _ in 0..10 * GRANTS_KEPT {
            drop(guarded.guard(grant()));
        }
        assert!(guarded.open().len() <= 4 * GRANTS_KEPT);
        assert!(guarded.grants().is_empty());
        assert!(guarded.open().is_empty());
    }
}
