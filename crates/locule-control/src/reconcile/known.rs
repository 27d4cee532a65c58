//! What a process remembers of its latest pass of the [sweep](super::sweep): the hosts that need not be asked again.
//!
//! A pass asks an online host unless all of this is so:
//!
//! | condition | is known by |
//! |---|---|
//! | when the host was last asked, each of its rows agreed with its list, and each sandbox in its list had such a row | the memory of this process |
//! | the host holds what it held then | the hash of that list, and the hash in the host's latest heartbeat |
//! | none of its rows was written since | the transactions that wrote rows (`changed_in`) |
//! | each of its rows is in its desired state, and it owes no cleanup | the index of the others (`sandboxes_owed`) |
//! | no timeout of a sandbox can have passed unenforced | the earliest moment of all its sandboxes |
//! | it was asked less than ten minutes ago | the memory of this process |
//! | the database went on from where it was | [`SweepMark::continues`] |
//!
//! These are all values that the table of [`reconcile_row`](super::reconcile_row) reads, so that a pass would change nothing on a host that
//! it does not ask. The memory is no truth: a process without it asks every host. A pass that fails forgets it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_ids::{HostId, SandboxId};
use locule_store::hosts::OnlineHost;
use locule_store::sandboxes::{self, SweepMark};
use locule_store::{PgConnection, StoreError};

/// Each host is asked at least this often, whatever is known of it.
const ASKED_EVERY: Duration = Duration::from_mins(10);
/// The part of this time that the hosts share out, so that they are not all asked in the same pass.
const SPREAD_SECONDS: u128 = 300;
/// Changes that a pass follows one by one. After more than that, every host is asked.
const CHANGES_MAX: i64 = 20_000;

/// A host that agreed with its rows.
#[derive(Debug, Clone)]
struct Agreed {
    hash: String,
    asked_at: DateTime<Utc>,
    /// The host is asked from this moment on.
    until: DateTime<Utc>,
}

/// The hosts that agreed with their rows, at a moment in the history of the database.
#[derive(Debug, Default)]
pub(crate) struct KnownHosts {
    mark: Option<SweepMark>,
    /// The versions of rows that were known at that moment, of those that a reader at the next one is told again.
    versions: HashMap<SandboxId, i64>,
    agreed: BTreeMap<HostId, Agreed>,
}

impl KnownHosts {
    /// Moves on to the present moment of the database: forgets the hosts whose rows were written since.
    pub(crate) async fn advance(&mut self, conn: &mut PgConnection) -> Result<(), StoreError> {
        // Read before the rows: a transaction that ends in between is told again, and is not missed.
        let mark = sandboxes::sweep_mark(conn).await?;
        if !self.mark.is_some_and(|earlier| mark.continues(&earlier)) {
            *self = Self::default();
        }
        let since = self.mark.unwrap_or(mark);
        let changed = sandboxes::changed_since(conn, &since, CHANGES_MAX).await?;
        if i64::try_from(changed.len()).ok() == Some(CHANGES_MAX) {
            self.agreed.clear();
        }
        for row in &changed {
            if self.versions.get(&row.id) != Some(&row.version)
                && let Some(host) = row.host
            {
                self.agreed.remove(&host);
            }
        }
        let versions = changed.into_iter().map(|row| (row.id, row.version));
        self.versions = versions.collect();
        self.mark = Some(mark);
        Ok(())
    }

    pub(crate) fn remove(&mut self, host: HostId) {
        self.agreed.remove(&host);
    }

    /// Whether a pass has nothing to do on a host. Forgets the host otherwise.
    pub(crate) fn agrees(&mut self, host: &OnlineHost, now: DateTime<Utc>) -> bool {
        let agrees = self.agreed.get(&host.id).is_some_and(|agreed| {
            // An agent sends no hash while it does not know what it holds.
            let same = !host.inventory_hash.is_empty() && agreed.hash == host.inventory_hash;
            // A clock that was set back must not lengthen the time.
            same && agreed.asked_at <= now && now < agreed.until
        });
        if !agrees {
            self.agreed.remove(&host.id);
        }
        agrees
    }

    /// Forgets every host but these.
    pub(crate) fn retain(&mut self, online: &BTreeSet<HostId>) {
        self.agreed.retain(|host, _| online.contains(host));
    }

    /// A host that was asked at a moment agreed with all its rows, and no sandbox can be overdue before `until`.
    pub(crate) fn agree(
        &mut self,
        host: HostId,
        hash: String,
        asked_at: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    ) {
        let spread = u64::try_from(host.as_uuid().as_u128() % SPREAD_SECONDS).unwrap_or(0);
        let latest = asked_at + ASKED_EVERY.saturating_sub(Duration::from_secs(spread));
        let until = until.map_or(latest, |until| until.min(latest));
        let agreed = Agreed {
            hash,
            asked_at,
            until,
        };
        self.agreed.insert(host, agreed);
    }
}
