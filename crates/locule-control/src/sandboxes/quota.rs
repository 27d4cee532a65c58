//! A team's quota. It is checked and used in one transaction that locks the team's row, so that two requests cannot both take the
//! last free part of it.

use locule_domain::{Quota, Sandbox, Usage};
use locule_store::{PgConnection, sandboxes, teams};

use crate::error::CommonError;
use crate::rate::Rate;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Checks that the quota allows a paused sandbox to run again.
    pub(crate) async fn reserve(
        &self,
        conn: &mut PgConnection,
        sandbox: &Sandbox,
    ) -> Result<(), SandboxError> {
        self.check_quota(conn, sandbox).await.map(drop)
    }

    /// As [`Self::reserve`] for a new sandbox, which also counts against the creates per minute.
    pub(crate) async fn reserve_new(
        &self,
        conn: &mut PgConnection,
        sandbox: &Sandbox,
    ) -> Result<(), SandboxError> {
        let quota = self.check_quota(conn, sandbox).await?;
        let rate = Rate {
            count: quota.creates_per_minute_max,
            per: std::time::Duration::from_mins(1),
        };
        let now = self.core.now();
        Ok(self.inner.creates.count(sandbox.team, rate, now)?)
    }

    async fn check_quota(
        &self,
        conn: &mut PgConnection,
        sandbox: &Sandbox,
    ) -> Result<Quota, SandboxError> {
        let default = self.inner.config.quota;
        // A team that is being deleted gets no new sandbox.
        let quota = teams::lock_quota(conn, sandbox.team, default).await?;
        let quota = quota.ok_or(CommonError::NoTeam)?;
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
