//! A team's quota: asked for and used up in one transaction, with the team's row locked, so that no two take the last place.

use locule_domain::{Quota, Sandbox, Usage};
use locule_store::{PgConnection, sandboxes, teams};

use crate::error::ControlError;
use crate::rate::Rate;
use crate::sandboxes::Sandboxes;

impl Sandboxes {
    /// Makes room for a sandbox that is to run again.
    pub(crate) async fn reserve(
        &self,
        conn: &mut PgConnection,
        sandbox: &Sandbox,
    ) -> Result<(), ControlError> {
        self.room(conn, sandbox).await.map(drop)
    }

    /// As [`Self::reserve`] for a new one, of which there may be only so many in a minute.
    pub(crate) async fn reserve_new(
        &self,
        conn: &mut PgConnection,
        sandbox: &Sandbox,
    ) -> Result<(), ControlError> {
        let quota = self.room(conn, sandbox).await?;
        let rate = Rate {
            count: quota.creates_per_minute_max,
            per: std::time::Duration::from_mins(1),
        };
        let now = self.core.now();
        self.inner.creates.count(sandbox.team, rate, now)
    }

    async fn room(
        &self,
        conn: &mut PgConnection,
        sandbox: &Sandbox,
    ) -> Result<Quota, ControlError> {
        let default = self.inner.config.quota;
        // A team that is being deleted gets nothing new.
        let quota = teams::lock_quota(conn, sandbox.team, default).await?;
        let quota = quota.ok_or(ControlError::NoTeam)?;
        let used = sandboxes::usage(conn, sandbox.team).await?;
        let more = Usage {
            sandboxes: 1,
            vcpus: sandbox.vcpus,
            memory_mib: sandbox.memory_mib,
        };
        quota.check(used, more)?;
        Ok(quota)
    }
}
