//! The members of a team: list, remove, change a role, leave. A team always has exactly one owner, who never changes (B-150).

use locule_domain::Role;
use locule_ids::{TeamId, UserId};
use locule_store::sandboxes::CreatedFilter;
use locule_store::{PgConnection, invitations, members};

use super::created::{self, CreatedSandboxes};
use super::{Members, own_team};
use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::audit::{self, AuditEvent, MemberAuditEvent};
use crate::caller::Person;
use crate::error::CommonError;

const PROTECTED: AccountError = AccountError::Forbidden {
    why: "the owner of a team cannot be removed, get another role, or leave",
};

impl Accounts {
    pub async fn list_members(
        &self,
        person: &Person,
        team: TeamId,
    ) -> Result<Members, AccountError> {
        own_team(person, team)?;
        let mut conn = self.core.connection().await?;
        self.members(&mut conn, team).await
    }

    /// The members and the open invitations of a team.
    pub(super) async fn members(
        &self,
        conn: &mut PgConnection,
        team: TeamId,
    ) -> Result<Members, AccountError> {
        Ok(Members {
            joined: members::list(conn, team).await?,
            invited: invitations::list(conn, team, self.core.now()).await?,
        })
    }

    /// Also deletes the API keys that the person created for the team (B-184). Returns the sandboxes that the person or those keys
    /// created and that still exist. An invited person is removed by the id that stands for the person in the list.
    pub async fn remove_member(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
    ) -> Result<CreatedSandboxes, AccountError> {
        let mut tx = self.core.transaction().await?;
        let found = self.member_to_change(&mut tx, person, team, user).await;
        if matches!(
            found,
            Err(AccountError::Common(CommonError::NotFound { .. }))
        ) && self.revoke_invitation(&mut tx, person, team, user).await?
        {
            self.core.commit(tx).await?;
            return Ok(CreatedSandboxes::default());
        }
        found?;
        let keys = members::remove(&mut tx, team, user).await?;
        let filter = CreatedFilter {
            user: Some(user),
            keys,
            team: Some(team),
            ..CreatedFilter::default()
        };
        let created = created::list(&mut tx, filter).await?;
        let event = AuditEvent::Member(user, MemberAuditEvent::Remove);
        audit::write(&mut tx, &person.actor(), team, &event, self.core.now()).await?;
        self.core.commit(tx).await?;
        Ok(created)
    }

    pub async fn set_member_role(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
        role: Role,
    ) -> Result<(), AccountError> {
        if role == Role::Owner {
            let why = "role must be admin or member".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let event = AuditEvent::Member(user, MemberAuditEvent::RoleUpdate { new_role: role });
        let mut tx = self.core.transaction().await?;
        self.member_to_change(&mut tx, person, team, user).await?;
        members::set_role(&mut tx, team, user, role).await?;
        audit::write(&mut tx, &person.actor(), team, &event, self.core.now()).await?;
        Ok(self.core.commit(tx).await?)
    }

    /// Locks the team whose member a person wants to change. The owner never changes.
    async fn member_to_change(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        team: TeamId,
        user: UserId,
    ) -> Result<(), AccountError> {
        self.team_to_change(conn, person, team, Role::Admin).await?;
        match members::role(conn, team, user).await? {
            None => Err(CommonError::NotFound { what: "member" }.into()),
            Some(Role::Owner) => Err(PROTECTED),
            Some(Role::Admin | Role::Member) => Ok(()),
        }
    }

    pub async fn leave_team(&self, person: &Person, team: TeamId) -> Result<(), AccountError> {
        let mut tx = self.core.transaction().await?;
        let (_, role) = self
            .team_to_change(&mut tx, person, team, Role::Member)
            .await?;
        if role == Role::Owner {
            return Err(PROTECTED);
        }
        members::remove(&mut tx, team, person.id).await?;
        let event = AuditEvent::Member(person.id, MemberAuditEvent::Leave);
        audit::write(&mut tx, &person.actor(), team, &event, self.core.now()).await?;
        Ok(self.core.commit(tx).await?)
    }
}
