//! A database that went back in time: a backup that was restored, a failover that lost commits. Everything made since has no
//! row, or an old one, and nothing may be concluded from that. Hosts remember how far it had come.

use locule_agent_api::WriteMark;
use locule_store::cluster::{self, Written};
use locule_store::{PgPool, StoreError};

use crate::error::ControlError;
use crate::hosts::HostLink;
use crate::sandboxes::Sandboxes;

/// PostgreSQL writes a sequence down so many numbers ahead. Where it crashes before that is on the disk, numbers that were
/// sent already are drawn again.
const AHEAD: i64 = 32;

pub(crate) fn mark(written: Written) -> WriteMark {
    WriteMark {
        cluster: written.cluster.to_string(),
        counter: written.counter,
    }
}

/// How far the database is.
pub async fn database_mark(pool: &PgPool) -> Result<WriteMark, ControlError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    Ok(mark(cluster::last_write(&mut conn).await?))
}

/// Whether a host has seen more of the database than there is, or another database. `now` is read after the host was asked.
pub fn went_back_in_time(seen: &WriteMark, now: &WriteMark) -> bool {
    seen.cluster != now.cluster || seen.counter > now.counter + AHEAD
}

impl Sandboxes {
    /// Whether what this host holds may be measured by what is in the database.
    pub(crate) async fn may_judge(&self, host: &HostLink) -> Result<bool, ControlError> {
        let Some(seen) = host.agent.host().await?.write_mark else {
            return Ok(true);
        };
        let now = database_mark(&self.core.pool).await?;
        let back = went_back_in_time(&seen, &now);
        if back {
            tracing::error!(host.id = %host.id, %seen, %now, "the database went back in time: nothing on this host is judged by it until `locule doctor --accept-database` is run there");
        }
        Ok(!back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lower_number_or_another_database_is_a_step_back() {
        let mark = |cluster: &str, counter| WriteMark {
            cluster: cluster.to_owned(),
            counter,
        };
        let now = mark("a", 100);
        for seen in [mark("a", 1), mark("a", 100), mark("a", 100 + AHEAD)] {
            assert!(!went_back_in_time(&seen, &now), "{seen}");
        }
        for seen in [mark("a", 101 + AHEAD), mark("b", 1)] {
            assert!(went_back_in_time(&seen, &now), "{seen}");
        }
    }
}
