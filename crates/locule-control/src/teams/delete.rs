//! Deleting a team: gone for everybody at once, and a job that ends what it still runs (W-015).

use locule_domain::Role;
use locule_ids::TeamId;
use locule_store::{PgConnection, teams};

use super::Team;
use crate::accounts::Accounts;
use crate::accounts::admin::any_team;
use crate::accounts::error::AccountError;
use crate::audit::{self, AuditEvent};
use crate::background::jobs::{DestroyReason, Job, Task};
use crate::caller::{Actor, Person};

impl Accounts {
    pub async fn delete_team(&self, person: &Person, team: TeamId) -> Result<(), AccountError> {
        let mut tx = self.core.transaction().await?;
        let (locked, _) = self
            .team_to_change(&mut tx, person, team, Role::Owner)
            .await?;
        let job = self
            .delete_locked(&mut tx, &locked, &person.actor(), team)
            .await?;
        self.core.commit(tx).await?;
        self.inner.jobs.run_now(vec![job]).await;
        Ok(())
    }

    /// A platform administrator deletes any team. It is told in the platform's trail.
    pub async fn delete_any_team(&self, admin: &Person, team: TeamId) -> Result<(), AccountError> {
        admin.platform_admin()?;
        let mut tx = self.core.transaction().await?;
        let locked = any_team(&mut tx, team).await?;
        let job = self
            .delete_locked(&mut tx, &locked, &admin.actor(), TeamId::PLATFORM)
            .await?;
        self.core.commit(tx).await?;
        self.inner.jobs.run_now(vec![job]).await;
        Ok(())
    }

    /// Whatever is made for it from now on is refused: who makes something locks the team's row first.
    pub(crate) async fn delete_locked(
        &self,
        conn: &mut PgConnection,
        team: &Team,
        actor: &Actor,
        trail: TeamId,
    ) -> Result<Job, AccountError> {
        let now = self.core.now();
        teams::delete(conn, team.id, now).await?;
        audit::write(conn, actor, trail, &AuditEvent::TeamDelete(team.id), now).await?;
        let task = Task::DestroySandboxes {
            team: team.id,
            created_until: now,
            reason: DestroyReason::TeamDeleted,
            audit_log: Some(trail),
        };
        Ok(self.inner.jobs.insert_job(conn, task).await?)
    }
}
