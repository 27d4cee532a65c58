//! A team's quota. It is checked and used in one transaction that locks the team's row, so that two requests cannot both take the
//! last free part of it.

use locule_domain::{Desired, Quota, Sandbox};
use locule_ids::TeamId;
use locule_store::{PgConnection, sandboxes, teams};

use crate::error::CommonError;
use crate::rate::Rate;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// What a change of an existing sandbox needs of its team's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QuotaUse {
    /// A paused sandbox runs again.
    Resume,
    /// A client pauses a running sandbox. A pause by the platform is never refused.
    Pause,
    /// A running sandbox without a place gets a timeout at which the platform pauses it.
    Place,
}

impl QuotaUse {
    /// The use of a change from `seen` to `next`; `None` where the change needs no quota.
    pub(crate) fn of(seen: &Sandbox, next: &Sandbox, by_client: bool) -> Option<Self> {
        match (seen.desired, next.desired) {
            (Desired::Paused, Desired::Running) if next.generation > seen.generation => {
                Some(Self::Resume)
            }
            (Desired::Running, Desired::Paused) if by_client => Some(Self::Pause),
            (Desired::Running, Desired::Running)
                if next.timeouts.may_pause() && !seen.timeouts.may_pause() =>
            {
                Some(Self::Place)
            }
            _ => None,
        }
    }
}

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
        let quota = quota.ok_or(CommonError::NoTeam)?;
        let used = sandboxes::usage(conn, sandbox.team).await?;
        quota.check_create(&used, sandbox.need())?;
        let rate = Rate {
            count: quota.creates_per_minute_max,
            per: std::time::Duration::from_mins(1),
        };
        let now = self.core.now();
        Ok(self.inner.creates.count(sandbox.team, rate, now)?)
    }

    /// Checks that the quota of a locked team allows a change of a sandbox, before the change is written.
    pub(crate) async fn reserve(
        &self,
        conn: &mut PgConnection,
        quota: Option<Quota>,
        needed: QuotaUse,
        sandbox: &Sandbox,
    ) -> Result<(), SandboxError> {
        let quota = quota.ok_or(CommonError::NoTeam)?;
        let used = sandboxes::usage(conn, sandbox.team).await?;
        match needed {
            QuotaUse::Resume => quota.check_resume(&used, sandbox.need())?,
            QuotaUse::Pause => quota.check_pause(&used, sandbox.need())?,
            QuotaUse::Place => quota.check_place(&used)?,
        }
        Ok(())
    }
}
