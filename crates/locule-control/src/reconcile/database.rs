//! A database that is older than its hosts: after a restore from a backup, or a failover that lost commits. Sandboxes created since
//! have no row, or an old one, so nothing follows from a missing row. Hosts remember the highest write mark that they received.

use locule_agent_api::WriteMark;
use locule_ids::HostId;
use locule_store::cluster::{self, Written};
use locule_store::{PgPool, StoreError};

use crate::error::CommonError;
use crate::hosts::links::HostLink;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// PostgreSQL logs a sequence this many numbers ahead. After a crash before the log reached the disk, it draws numbers again that
/// were sent to hosts already.
const AHEAD: i64 = 32;

pub(crate) fn mark(written: Written) -> WriteMark {
    WriteMark {
        cluster: written.cluster.to_string(),
        counter: written.counter,
    }
}

/// The last write mark of the database.
pub async fn database_mark(pool: &PgPool) -> Result<WriteMark, CommonError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    Ok(mark(cluster::last_write(&mut conn).await?))
}

/// Whether a host has received a later write mark than the database has drawn, or the mark of another database. `now` is read after
/// the host was asked.
pub fn is_older_than_host(seen: &WriteMark, now: &WriteMark) -> bool {
    seen.cluster != now.cluster || seen.counter > now.counter + AHEAD
}

impl Sandboxes {
    /// Asks a host for its write mark, and says whether the sandboxes of the host may be compared with the rows of the database.
    pub(crate) async fn is_host_comparable(&self, host: &HostLink) -> Result<bool, SandboxError> {
        let Some(seen) = host.agent.host().await?.write_mark else {
            return Ok(true);
        };
        let mut mark = database_mark(&self.core.pool).await?;
        Ok(self.is_comparable(host.id, &seen, &mut mark).await?)
    }

    /// Whether the sandboxes of a host that has seen a write mark may be compared with the rows of the database. `known`: how far the
    /// database had come, which is read again only where a host is ahead of that.
    pub(crate) async fn is_comparable(
        &self,
        host: HostId,
        seen: &WriteMark,
        known: &mut WriteMark,
    ) -> Result<bool, CommonError> {
        if !is_older_than_host(seen, known) {
            return Ok(true);
        }
        *known = database_mark(&self.core.pool).await?;
        let back = is_older_than_host(seen, known);
        if back {
            tracing::error!(host.id = %host, %seen, now = %known, "the database is older than a host, or is another database: sandboxes on the host are left as they are until an administrator accepts the database (`locule host accept-database`)");
        }
        Ok(!back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lower_write_mark_or_another_database_is_older_than_the_host() {
        let mark = |cluster: &str, counter| WriteMark {
            cluster: cluster.to_owned(),
            counter,
        };
        let now = mark("a", 100);
        for seen in [mark("a", 1), mark("a", 100), mark("a", 100 + AHEAD)] {
            assert!(!is_older_than_host(&seen, &now), "{seen}");
        }
        for seen in [mark("a", 101 + AHEAD), mark("b", 1)] {
            assert!(is_older_than_host(&seen, &now), "{seen}");
        }
    }
}
