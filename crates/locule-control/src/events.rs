//! What changes in a team, told to the streams that follow the team.
//!
//! ```text
//! transaction of a change ── NOTIFY ──► one listener a process ──► the team's followers ──► one stream each
//! ```
//! Nothing is kept for a follower that is away: it is told to load what it shows anew ([`TeamEvent::Resync`]) when it begins, when it is too
//! slow, and when the connection to the database broke.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_base::backoff::Backoff;
use locule_ids::{AuditId, SandboxId, TeamId};
use locule_store::StoreError;
use locule_store::changes::{Change, Changed, Changes};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::caller::{Actor, Caller};
use crate::core::Core;

/// Events that wait for one follower. One that is further behind loads what it shows anew.
const WAITING_MAX: usize = 256;
/// The connection is checked after so much time without a change.
const CHECK_PERIOD: Duration = Duration::from_secs(30);
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Something that changed in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TeamEvent {
    /// Anything may have changed.
    Resync,
    Sandbox {
        id: SandboxId,
        status: String,
        desired: String,
        at: DateTime<Utc>,
    },
    /// The audit log has a new entry. `None`: one that only owners and administrators of the team may read.
    Audit(Option<AuditId>),
    Members,
    Keys,
    Team,
}

impl TeamEvent {
    /// The events of one change.
    fn of(changed: Changed) -> Vec<Self> {
        match changed {
            Changed::Sandbox {
                id,
                status,
                desired,
                at,
            } => vec![Self::Sandbox {
                id,
                status,
                desired,
                at,
            }],
            Changed::AuditEntry {
                id,
                resource_type,
                scope,
            } => {
                let about = match resource_type.as_str() {
                    "member" => Some(Self::Members),
                    "api_key" => Some(Self::Keys),
                    "team" => Some(Self::Team),
                    _ => None,
                };
                let entry = Self::Audit((scope == "team").then_some(id));
                about.into_iter().chain([entry]).collect()
            }
        }
    }

    /// Whether an API key may be told: it reads sandboxes, and neither the audit log nor members or keys.
    const fn is_for_keys(&self) -> bool {
        matches!(self, Self::Resync | Self::Sandbox { .. })
    }
}

/// The events of every team. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    core: Core,
    teams: Arc<Mutex<HashMap<TeamId, broadcast::Sender<TeamEvent>>>>,
}

/// The events of a team for one follower.
#[derive(Debug)]
pub struct Following {
    events: broadcast::Receiver<TeamEvent>,
    /// The event that the follower begins with.
    first: Option<TeamEvent>,
    is_key: bool,
}

impl Following {
    /// The next event; the first one is [`TeamEvent::Resync`]. May be dropped before it is ready. `None`: there are no more.
    pub async fn next(&mut self) -> Option<TeamEvent> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let event = match self.events.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(_)) => TeamEvent::Resync,
                Err(RecvError::Closed) => return None,
            };
            if !self.is_key || event.is_for_keys() {
                return Some(event);
            }
        }
    }
}

impl Events {
    pub(crate) fn new(core: Core) -> Self {
        Self {
            core,
            teams: Arc::default(),
        }
    }

    fn teams(&self) -> MutexGuard<'_, HashMap<TeamId, broadcast::Sender<TeamEvent>>> {
        self.teams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the events of the caller's team, as far as the caller may be told of them.
    pub fn follow(&self, caller: &Caller) -> Following {
        let mut teams = self.teams();
        teams.retain(|_, sender| sender.receiver_count() > 0);
        let sender = teams.entry(caller.team);
        let sender = sender.or_insert_with(|| broadcast::channel(WAITING_MAX).0);
        Following {
            events: sender.subscribe(),
            first: Some(TeamEvent::Resync),
            is_key: !matches!(caller.actor, Actor::User { .. }),
        }
    }

    fn publish(&self, change: Change) {
        let teams = self.teams();
        let Some(sender) = teams.get(&change.team) else {
            return;
        };
        for event in TeamEvent::of(change.what) {
            // The last follower may have left.
            sender.send(event).ok();
        }
    }

    fn publish_resync(&self) {
        for sender in self.teams().values() {
            sender.send(TeamEvent::Resync).ok();
        }
    }

    /// Publishes changes as they commit, until the connection to the database breaks.
    async fn listen(&self) -> Result<Infallible, StoreError> {
        let mut changes = Changes::listen(&self.core.pool).await?;
        self.publish_resync();
        loop {
            match tokio::time::timeout(CHECK_PERIOD, changes.next()).await {
                Ok(next) => match next? {
                    Some(change) => self.publish(change),
                    None => self.publish_resync(),
                },
                Err(_) => {
                    if let Ok(checked) = tokio::time::timeout(CHECK_TIMEOUT, changes.check()).await
                    {
                        checked?;
                    } else {
                        // The connection is given up, and made anew.
                        changes = Changes::listen(&self.core.pool).await?;
                        self.publish_resync();
                    }
                }
            }
        }
    }

    /// Publishes changes as they commit, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let begun = self.core.clock.monotonic();
            let error = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Err(error) = self.listen() => error,
            };
            tracing::warn!(
                error = locule_base::errors::chain(&error),
                "the events of teams are late: listening to the database failed"
            );
            if self.core.clock.monotonic().saturating_sub(begun) > CHECK_PERIOD {
                backoff.reset();
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(backoff.next_wait()) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_told_with_what_it_is_about_and_its_id_to_those_who_may_read_it() {
        let id = AuditId::random();
        for (resource_type, scope, expected) in [
            ("sandbox", "team", vec![TeamEvent::Audit(Some(id))]),
            (
                "member",
                "admin",
                vec![TeamEvent::Members, TeamEvent::Audit(None)],
            ),
            (
                "api_key",
                "team",
                vec![TeamEvent::Keys, TeamEvent::Audit(Some(id))],
            ),
            (
                "team",
                "admin",
                vec![TeamEvent::Team, TeamEvent::Audit(None)],
            ),
        ] {
            let changed = Changed::AuditEntry {
                id,
                resource_type: resource_type.to_owned(),
                scope: scope.to_owned(),
            };
            assert_eq!(TeamEvent::of(changed), expected, "{resource_type}");
        }
        assert!(TeamEvent::Resync.is_for_keys());
        assert!(!TeamEvent::Audit(Some(id)).is_for_keys() && !TeamEvent::Keys.is_for_keys());
    }
}
