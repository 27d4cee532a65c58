//! A team's quota. It is checked and used in one transaction that locks the team's row, so that two requests cannot both take the
//! last free part of it.

use locule_domain::{Quota, Sandbox, Usage};
use locule_ids::TeamId;
use locule_store::{PgConnection, sandboxes, teams};

use crate::error::CommonError;
use crate::rate::Rate;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Locks a team and reads its quota. `None`: the team is deleted, and gets no new sandbox.
    pub(crate) async fn lock_quota(
        &self,
        conn: &mut PgConnection,
        team: TeamId,
    ) -> Result<Option<Quota>, SandboxError> {
        let default = self.inner.config.quota;
        Ok(teams::lock_quota(conn, team, default).await?)
    }

    /// Checks that the quota of a locked team allows a new sandbox, which also counts against the creates per minute.
    pub(crate) async fn reserve_new(
        &self,
        conn: &mut PgConnection,
        quota: Option<Quota>,
        sandbox: &Sandbox,
    ) -> Result<(), SandboxError> {
        let quota = self.reserve(conn, quota, sandbox).await?;
        let rate = Rate {
            count: quota.creates_per_minute_max,
            per: std::time::Duration::from_mins(1),
        };
        let now = self.core.now();
        Ok(self.inner.creates.count(sandbox.team, rate, now)?)
    }

    /// Checks that the quota of a locked team allows a sandbox to run.
    pub(crate) async fn reserve(
        &self,
        conn: &mut PgConnection,
        quota: Option<Quota>,
        sandbox: &Sandbox,
    ) -> Result<Quota, SandboxError> {
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
