//! The limits of a team and what the team uses of them.

use locule_domain::{Limits, Quota, Usage};
use locule_ids::TeamId;
use locule_store::{sandboxes, teams};

use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::turns::Asker;

/// The limits of a team, and what its sandboxes use of them at this moment.
#[derive(Debug, Clone, Copy)]
pub struct TeamLimits {
    pub quota: Quota,
    pub used: Usage,
    /// The limits of one sandbox.
    pub sandbox: Limits,
}

impl Sandboxes {
    pub async fn team_limits(&self, team: TeamId) -> Result<TeamLimits, SandboxError> {
        let _turn = self.core.turn(Asker::Reads(team)).await;
        let mut conn = self.core.connection().await?;
        let quota = teams::quota(&mut conn, team, self.inner.config.quota).await?;
        Ok(TeamLimits {
            quota: quota.ok_or(CommonError::NoTeam)?,
            used: sandboxes::usage(&mut conn, team).await?,
            sandbox: *self.limits(),
        })
    }
}
