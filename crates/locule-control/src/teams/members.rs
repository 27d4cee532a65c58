//! The members of a team: list, remove, change a role, leave. A team always has exactly one owner, who never changes (B-150).

use locule_domain::Role;
use locule_ids::{TeamId, UserId};
use locule_store::{PgConnection, invitations, members};

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

    /// Also deletes the API keys that the person created for the team (B-184). An invited person is removed by the id that stands for
    /// the person in the list.
    pub async fn remove_member(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
    ) -> Result<(), AccountError> {
        let event = AuditEvent::Member(user, MemberAuditEvent::Remove);
        self.change_member(person, team, user, &event, None).await
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
        self.change_member(person, team, user, &event, Some(role))
            .await
    }

    /// Sets a member's role, or removes the member if `role` is `None`.
    async fn change_member(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
        event: &AuditEvent<'_>,
        role: Option<Role>,
    ) -> Result<(), AccountError> {
        let mut tx = self.core.transaction().await?;
        self.team_to_change(&mut tx, person, team, Role::Admin)
            .await?;
        match members::role(&mut tx, team, user).await? {
            None if role.is_none()
                && self.revoke_invitation(&mut tx, person, team, user).await? =>
            {
                return Ok(self.core.commit(tx).await?);
            }
            None => return Err(CommonError::NotFound { what: "member" }.into()),
            Some(Role::Owner) => return Err(PROTECTED),
            Some(Role::Admin | Role::Member) => {}
        }
        match role {
            Some(role) => members::set_role(&mut tx, team, user, role).await?,
            None => members::remove(&mut tx, team, user).await?,
        }
        audit::write(&mut tx, &person.actor(), team, event, self.core.now()).await?;
        Ok(self.core.commit(tx).await?)
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
