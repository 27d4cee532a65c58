//! Teams and their members. Every decision is made on rows that stay locked until the change commits (B-155).

pub(crate) mod api_keys;
pub(crate) mod created;
mod delete;
pub(crate) mod invitations;
mod members;

pub use locule_store::invitations::Invitation;
pub use locule_store::members::Member;
pub use locule_store::teams::Team;

use locule_domain::{Role, people};
use locule_ids::{TeamId, UserId};
use locule_store::{PgConnection, members as rows, teams, users};

use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::accounts::limit::{Limited, check_limit};
use crate::audit::{self, AuditEvent};
use crate::authority::{self, Needed};
use crate::caller::Person;
use crate::error::CommonError;

/// Slugs have 48 random bits: two equal ones are unlikely, and four attempts that collide mean a bug.
const SLUG_TRIES: usize = 3;

/// Twelve hexadecimal digits in two groups (B-156).
fn new_slug() -> String {
    let digits = hex::encode(rand::random::<[u8; 6]>());
    format!("{}-{}", &digits[..6], &digits[6..])
}

/// The people of a team.
#[derive(Debug, Clone)]
pub struct Members {
    pub joined: Vec<Member>,
    pub invited: Vec<Invitation>,
}

impl Accounts {
    /// Inserts a team with its first member.
    pub(crate) async fn insert_team(
        &self,
        conn: &mut PgConnection,
        name: &str,
        user: UserId,
        role: Role,
        is_default: bool,
    ) -> Result<Team, AccountError> {
        let mut team = Team {
            id: TeamId::random(),
            name: name.to_owned(),
            slug: new_slug(),
            is_byoc: false,
            created_at: self.core.now(),
        };
        for _ in 0..SLUG_TRIES {
            if teams::insert(conn, &team).await? {
                rows::insert(conn, team.id, user, role, is_default, team.created_at).await?;
                return Ok(team);
            }
            team.slug = new_slug();
        }
        Err(AccountError::internal(
            "every generated slug of the new team is taken",
        ))
    }

    /// Locks the team that a person wants to change, and returns it with the person's role. The person's token must be for this team.
    pub(crate) async fn team_to_change(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        team: TeamId,
        least: Role,
    ) -> Result<(Team, Role), AccountError> {
        own_team(person, team)?;
        let locked = teams::lock(conn, team).await?;
        let role = authority::role(conn, person.by(), team, least, self.core.now()).await?;
        Ok((locked.ok_or(CommonError::NoTeam)?, role))
    }

    pub async fn create_team(&self, person: &Person, name: &str) -> Result<Team, AccountError> {
        let name = people::team_name(name)?;
        let account = person.id.to_string();
        self.limit(Limited::CreateTeamByAccount, &account)?;
        let mut tx = self.core.transaction().await?;
        // Locked: a person's teams are created one after the other, so that the limit holds.
        users::lock(&mut tx, person.id).await?;
        self.confirm(&mut tx, person, Needed::Login).await?;
        let owned = teams::owned_by(&mut tx, person.id).await?.len();
        let owned = i64::try_from(owned).unwrap_or(i64::MAX);
        let max = self.inner.config.limits.teams_owned_max;
        check_limit(owned, max, "teams of an account")?;
        let team = self
            .insert_team(&mut tx, &name, person.id, Role::Owner, false)
            .await?;
        let event = AuditEvent::TeamCreate {
            team: team.id,
            name: &team.name,
        };
        audit::write(&mut tx, &person.actor(), team.id, &event, team.created_at).await?;
        self.core.commit(tx).await?;
        Ok(team)
    }

    /// The teams of a person, in the order in which the person joined them.
    pub async fn list_teams(&self, person: &Person) -> Result<Vec<(Team, Role)>, AccountError> {
        let mut conn = self.core.connection().await?;
        Ok(teams::of_user(&mut conn, person.id).await?)
    }

    pub async fn get_team(
        &self,
        person: &Person,
        team: TeamId,
    ) -> Result<(Team, Members), AccountError> {
        own_team(person, team)?;
        let mut conn = self.core.connection().await?;
        let own = teams::of_user(&mut conn, person.id).await?;
        let found = own.into_iter().find(|(own, _)| own.id == team);
        let (found, _) = found.ok_or(CommonError::NoTeam)?;
        Ok((found, self.members(&mut conn, team).await?))
    }

    pub async fn rename_team(
        &self,
        person: &Person,
        team: TeamId,
        name: &str,
    ) -> Result<(), AccountError> {
        let name = people::team_name(name)?;
        let mut tx = self.core.transaction().await?;
        let (seen, _) = self
            .team_to_change(&mut tx, person, team, Role::Admin)
            .await?;
        teams::rename(&mut tx, team, &name).await?;
        let event = AuditEvent::TeamRename {
            team,
            old_name: &seen.name,
            new_name: &name,
        };
        audit::write(&mut tx, &person.actor(), team, &event, self.core.now()).await?;
        Ok(self.core.commit(tx).await?)
    }
}

/// Refuses a token that is for another team: a token is valid for one team at a time.
fn own_team(person: &Person, team: TeamId) -> Result<(), AccountError> {
    if person.membership()?.team == team {
        return Ok(());
    }
    Err(AccountError::Forbidden {
        why: "this token is for another team: switch to this one first",
    })
}
