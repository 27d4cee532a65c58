//! Table `users_teams`: the members of each team and their roles.

use chrono::{DateTime, Utc};
use locule_domain::Role;
use locule_ids::{ApiKeyId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::statement::statements;
use crate::{StoreError, word};

statements! {
    ROLE: (Uuid, Uuid) => (String,) =
        "SELECT m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND m.team_id = $2 AND t.deleted_at IS NULL";
    LOGIN_TEAM: (Uuid,) => (Uuid, String) =
        "SELECT t.id, m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND t.deleted_at IS NULL ORDER BY m.is_default DESC, m.created_at, t.id LIMIT 1";
    INSERT: (Uuid, Uuid, bool, &str, DateTime<Utc>) =
        "INSERT INTO users_teams (team_id, user_id, is_default, role, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (team_id, user_id) DO NOTHING";
    SET_ROLE: (Uuid, Uuid, &str) = "UPDATE users_teams SET role = $3 WHERE team_id = $1 AND user_id = $2";
    DELETE_KEYS: (Uuid, Uuid) => (Uuid,) = "DELETE FROM team_api_keys WHERE team_id = $1 AND created_by = $2 RETURNING id";
    DELETE: (Uuid, Uuid) = "DELETE FROM users_teams WHERE team_id = $1 AND user_id = $2";
    DELETE_ALL: (Uuid,) => (Uuid,) =
        "DELETE FROM users_teams m USING teams t
         WHERE m.user_id = $1 AND m.role <> 'owner' AND t.id = m.team_id AND t.deleted_at IS NULL RETURNING m.team_id";
    COUNT: (Uuid,) => (i64,) = "SELECT count(*) FROM users_teams WHERE team_id = $1";
    HAS: (Uuid, &str) => (bool,) =
        "SELECT EXISTS (SELECT 1 FROM users_teams m JOIN users u ON u.id = m.user_id
         WHERE m.team_id = $1 AND lower(u.email) = lower($2) AND u.deleted_at IS NULL)";
    LIST: (Uuid,) => (Uuid, String, String, bool, String, DateTime<Utc>) =
        "SELECT u.id, u.name, u.email, u.email_verified, m.role, m.created_at FROM users_teams m JOIN users u ON u.id = m.user_id
         WHERE m.team_id = $1 AND u.deleted_at IS NULL ORDER BY m.created_at, u.id LIMIT 10000";
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: UserId,
    pub name: String,
    pub email: String,
    /// Whether the member has proved to own the address.
    pub email_verified: bool,
    pub role: Role,
    pub joined_at: DateTime<Utc>,
}

/// The role of a user in a team that is not deleted.
pub async fn role(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
) -> Result<Option<Role>, StoreError> {
    let values = (user.as_uuid(), team.as_uuid());
    let row = ROLE.fetch_optional(conn, values).await?;
    row.map(|(role,)| word("users_teams", team, &role))
        .transpose()
}

/// The team that a login is for: the user's default team, or the first that the user joined where the default team is deleted
/// (B-133, B-134).
pub async fn login_team(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<(TeamId, Role)>, StoreError> {
    let row = LOGIN_TEAM.fetch_optional(conn, (user.as_uuid(),)).await?;
    row.map(|(team, role)| {
        let team = TeamId::from_uuid(team);
        Ok((team, word("users_teams", team, &role)?))
    })
    .transpose()
}

/// `false`: the user is a member already.
pub async fn insert(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
    role: Role,
    is_default: bool,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (team, user) = (team.as_uuid(), user.as_uuid());
    let values = (team, user, is_default, role.as_str(), now);
    Ok(INSERT.execute(conn, values).await? == 1)
}

pub async fn set_role(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
    role: Role,
) -> Result<(), StoreError> {
    let values = (team.as_uuid(), user.as_uuid(), role.as_str());
    SET_ROLE.execute(conn, values).await.map(drop)
}

/// Removes a member, and the keys that the member created for the team (B-184), which it returns.
pub async fn remove(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
) -> Result<Vec<ApiKeyId>, StoreError> {
    let values = (team.as_uuid(), user.as_uuid());
    DELETE.execute(conn, values).await?;
    let rows = DELETE_KEYS.fetch_all(conn, values).await?;
    Ok(rows
        .into_iter()
        .map(|(key,)| ApiKeyId::from_uuid(key))
        .collect())
}

/// Removes a user from every team that another user owns, and returns the teams.
pub async fn remove_everywhere(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Vec<TeamId>, StoreError> {
    let rows = DELETE_ALL.fetch_all(conn, (user.as_uuid(),)).await?;
    Ok(rows
        .into_iter()
        .map(|(team,)| TeamId::from_uuid(team))
        .collect())
}

/// The number of a team's members.
pub async fn count(conn: &mut PgConnection, team: TeamId) -> Result<i64, StoreError> {
    let (count,) = COUNT.fetch_one(conn, (team.as_uuid(),)).await?;
    Ok(count)
}

/// Whether the user with this address is a member of the team.
pub async fn has(conn: &mut PgConnection, team: TeamId, email: &str) -> Result<bool, StoreError> {
    let (has,) = HAS.fetch_one(conn, (team.as_uuid(), email)).await?;
    Ok(has)
}

/// The members of a team, in the order in which they joined.
pub async fn list(conn: &mut PgConnection, team: TeamId) -> Result<Vec<Member>, StoreError> {
    let rows = LIST.fetch_all(conn, (team.as_uuid(),)).await?;
    let members = rows
        .into_iter()
        .map(|(user, name, email, email_verified, role, joined_at)| {
            Ok(Member {
                user: UserId::from_uuid(user),
                name,
                email,
                email_verified,
                role: word("users_teams", team, &role)?,
                joined_at,
            })
        });
    members.collect()
}
