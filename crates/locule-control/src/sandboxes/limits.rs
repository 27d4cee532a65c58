//! The limits of a team, and the use of each limit.

use locule_domain::{Limits, Quota, Usage};
use locule_ids::TeamId;
use locule_store::teams::OwnLimits;
use locule_store::{sandboxes, teams};

use crate::caller::Person;
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::turns::Asker;

/// The limits of a team, and the use of each limit by its sandboxes at this moment.
#[derive(Debug, Clone, Copy)]
pub struct TeamLimits {
    /// The limits that an administrator set for the team.
    pub own: OwnLimits,
    /// The limits in force: those of the team, and the defaults of the platform for the others.
    pub quota: Quota,
    pub used: Usage,
    /// The limits of one sandbox.
    pub sandbox: Limits,
}

impl Sandboxes {
    pub async fn team_limits(&self, team: TeamId) -> Result<TeamLimits, SandboxError> {
        let _turn = self.core.turn(Asker::Reads(team)).await;
        let mut conn = self.core.connection().await?;
        let own = teams::own_limits(&mut conn, team).await?;
        let own = own.ok_or(CommonError::NoTeam)?;
        Ok(TeamLimits {
            own,
            quota: own.or(self.inner.config.quota),
            used: sandboxes::usage(&mut conn, team).await?,
            sandbox: *self.limits(),
        })
    }

    /// The limits of any team, for a platform administrator.
    pub async fn any_team_limits(
        &self,
        admin: &Person,
        team: TeamId,
    ) -> Result<TeamLimits, SandboxError> {
        admin.platform_admin()?;
        let missing = CommonError::NotFound { what: "team" };
        if team == TeamId::PLATFORM {
            return Err(missing.into());
        }
        match self.team_limits(team).await {
            Err(SandboxError::Common(CommonError::NoTeam)) => Err(missing.into()),
            limits => limits,
        }
    }
}
