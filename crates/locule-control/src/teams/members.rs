//! Who is in a team: adding, removing, roles, leaving. There is always exactly one owner, and it is always the same (B-150).

use locule_domain::{Role, UserStatus, people};
use locule_ids::{TeamId, UserId};
use locule_store::{members, users};

use super::{Member, own_team};
use crate::accounts::Accounts;
use crate::audit::{self, Event};
use crate::caller::Person;
use crate::error::ControlError;

const PROTECTED: ControlError = ControlError::Forbidden {
    why: "the owner of a team cannot be removed, get another role, or leave",
};

impl Accounts {
    pub async fn list_members(
        &self,
        person: &Person,
        team: TeamId,
    ) -> Result<Vec<Member>, ControlError> {
        own_team(person, team)?;
        let mut conn = self.core.connection().await?;
        Ok(members::list(&mut conn, team).await?)
    }

    /// Adds somebody who has an account, as a member.
    pub async fn add_member(
        &self,
        person: &Person,
        team: TeamId,
        email: &str,
    ) -> Result<Member, ControlError> {
        let email = people::email(email)?;
        let mut tx = self.core.transaction().await?;
        self.team_to_change(&mut tx, person, team, Role::Admin)
            .await?;
        let missing = || ControlError::NotFound {
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
            return Err(ControlError::Invalid(why));
        }
        let event = Event::MemberAdd {
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

    /// The keys that they made for the team go too (B-184).
    pub async fn remove_member(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
    ) -> Result<(), ControlError> {
        let event = Event::MemberRemove(user);
        self.change_member(person, team, user, &event, None).await
    }

    pub async fn set_member_role(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
        role: Role,
    ) -> Result<(), ControlError> {
        if role == Role::Owner {
            let why = "role must be admin or member".to_owned();
            return Err(ControlError::Invalid(why));
        }
        let event = Event::MemberRoleUpdate {
            user,
            new_role: role,
        };
        self.change_member(person, team, user, &event, Some(role))
            .await
    }

    /// Another role, or none any more.
    async fn change_member(
        &self,
        person: &Person,
        team: TeamId,
        user: UserId,
        event: &Event<'_>,
        role: Option<Role>,
    ) -> Result<(), ControlError> {
        let mut tx = self.core.transaction().await?;
        self.team_to_change(&mut tx, person, team, Role::Admin)
            .await?;
        match members::role(&mut tx, team, user).await? {
            None => return Err(ControlError::NotFound { what: "member" }),
            Some(Role::Owner) => return Err(PROTECTED),
            Some(Role::Admin | Role::Member) => {}
        }
        match role {
            Some(role) => members::set_role(&mut tx, team, user, role).await?,
            None => members::remove(&mut tx, team, user).await?,
        }
        audit::write(&mut tx, &person.actor(), team, event, self.core.now()).await?;
        self.core.commit(tx).await
    }

    pub async fn leave_team(&self, person: &Person, team: TeamId) -> Result<(), ControlError> {
        let mut tx = self.core.transaction().await?;
        let (_, role) = self
            .team_to_change(&mut tx, person, team, Role::Member)
            .await?;
        if role == Role::Owner {
            return Err(PROTECTED);
        }
        members::remove(&mut tx, team, person.id).await?;
        let event = Event::MemberLeave(person.id);
        audit::write(&mut tx, &person.actor(), team, &event, self.core.now()).await?;
        self.core.commit(tx).await
    }
}
