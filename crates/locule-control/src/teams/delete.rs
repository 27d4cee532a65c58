//! Delete a team: its members lose it at once, and a job destroys its sandboxes (W-015).

use locule_domain::Role;
use locule_ids::TeamId;
use locule_store::{PgConnection, teams};

use super::Team;
use crate::accounts::Accounts;
use crate::accounts::admin::any_team;
use crate::accounts::error::AccountError;
use crate::audit::{self, AuditEvent};
use crate::authority::Needed;
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

    /// Deletes any team, for a platform administrator. The entry is in the audit log of the platform.
    pub async fn delete_any_team(&self, admin: &Person, team: TeamId) -> Result<(), AccountError> {
        admin.platform_admin()?;
        let mut tx = self.core.transaction().await?;
        let locked = any_team(&mut tx, team).await;
        self.confirm(&mut tx, admin, Needed::Platform).await?;
        let locked = locked?;
        let job = self
            .delete_locked(&mut tx, &locked, &admin.actor(), TeamId::PLATFORM)
            .await?;
        self.core.commit(tx).await?;
        self.inner.jobs.run_now(vec![job]).await;
        Ok(())
    }

    /// Deletes a locked team. Nothing can be created for it any more: every create locks the team's row first.
    pub(crate) async fn delete_locked(
        &self,
        conn: &mut PgConnection,
        team: &Team,
        actor: &Actor,
        audit_log: TeamId,
    ) -> Result<Job, AccountError> {
        let now = self.core.now();
        teams::delete(conn, team.id, now).await?;
        audit::write(
            conn,
            actor,
            audit_log,
            &AuditEvent::TeamDelete(team.id),
            now,
        )
        .await?;
        let task = Task::DestroySandboxes {
            team: team.id,
            created_until: now,
            reason: DestroyReason::TeamDeleted,
            audit_log: Some(audit_log),
        };
        Ok(self.inner.jobs.insert_job(conn, task).await?)
    }
}
