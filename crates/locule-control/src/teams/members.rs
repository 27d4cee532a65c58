//! The members of a team: add, remove, change a role, leave. A team always has exactly one owner, who never changes (B-150).

use locule_domain::{Role, UserStatus, people};
use locule_ids::{TeamId, UserId};
use locule_store::{members, users};

use super::{Member, own_team};
use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::audit::{self, AuditEvent};
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
    ) -> Result<Vec<Member>, AccountError> {
        own_team(person, team)?;
        let mut conn = self.core.connection().await?;
        Ok(members::list(&mut conn, team).await?)
    }

    /// Adds a person who has an account, with the role `member`.
    pub async fn add_member(
        &self,
        person: &Person,
        team: TeamId,
        email: &str,
    ) -> Result<Member, AccountError> {
        let email = people::email(email)?;
        let mut tx = self.core.transaction().await?;
        self.team_to_change(&mut tx, person, team, Role::Admin)
            .await?;
        let missing = || CommonError::NotFound {
            what: "an account with this e-mail address",
        };
        let found = users::by_email(&mut tx, &email)
            .await?
            .ok_or_else(missing)?;
        // Locked: an account that is being deleted gets no new team.
        let user = users::lock(&mut tx, found.id).await?;
        let user = user
            .filter(|user| user.status == UserStatus::Active)
            .ok_or_else(missing)?;
        let (role, now) = (Role::Member, self.core.now());
        if !members::insert(&mut tx, team, user.id, role, false, now).await? {
            let why = "this person is a member already".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let event = AuditEvent::MemberAdd {
            user: user.id,
            email: &user.email,
            role,
        };
        audit::write(&mut tx, &person.actor(), team, &event, now).await?;
        self.core.commit(tx).await?;
        Ok(Member {
            user: user.id,
            name: user.name,
            email: user.email,
            role,
            joined_at: now,
        })
    }

    /// Also deletes the API keys that the person created for the team (B-184).
    pub async fn remove_member(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
    ) -> Result<(), AccountError> {
        let event = AuditEvent::MemberRemove(user);
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
        let event = AuditEvent::MemberRoleUpdate {
            user,
            new_role: role,
        };
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
        let event = AuditEvent::MemberLeave(person.id);
        audit::write(&mut tx, &person.actor(), team, &event, self.core.now()).await?;
        Ok(self.core.commit(tx).await?)
    }
}
