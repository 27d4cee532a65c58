//! Table `users_teams`: who is in which team, as what.

use chrono::{DateTime, Utc};
use locule_domain::Role;
use locule_ids::{TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{StoreError, word};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub user: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub joined_at: DateTime<Utc>,
}

/// What somebody is in a team that lives.
pub async fn role(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
) -> Result<Option<Role>, StoreError> {
    let role: Option<String> = sqlx::query_scalar(
        "SELECT m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND m.team_id = $2 AND t.deleted_at IS NULL",
    )
    .bind(user.as_uuid())
    .bind(team.as_uuid())
    .fetch_optional(conn)
    .await?;
    role.map(|role| word("users_teams", team, &role))
        .transpose()
}

/// As [`role`], for somebody active who acts on it now: whoever shuts them out waits until this transaction ends, and whoever
/// is doing so is waited for.
pub async fn role_to_act(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
) -> Result<Option<Role>, StoreError> {
    let role: Option<String> = sqlx::query_scalar(
        "SELECT m.role FROM users_teams m JOIN users u ON u.id = m.user_id
         WHERE m.user_id = $1 AND m.team_id = $2 AND u.status = 'active' FOR KEY SHARE OF u",
    )
    .bind(user.as_uuid())
    .bind(team.as_uuid())
    .fetch_optional(conn)
    .await?;
    role.map(|role| word("users_teams", team, &role))
        .transpose()
}

/// The team a login is for: the default one if it lives, else the earliest joined that does (B-133, B-134).
pub async fn login_team(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<(TeamId, Role)>, StoreError> {
    let row: Option<(Uuid, String)> = sqlx::query_as(
        "SELECT t.id, m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND t.deleted_at IS NULL ORDER BY m.is_default DESC, m.created_at, t.id LIMIT 1",
    )
    .bind(user.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.map(|(team, role)| {
        let team = TeamId::from_uuid(team);
        Ok((team, word("users_teams", team, &role)?))
    })
    .transpose()
}

/// `false`: is one already.
pub async fn insert(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
    role: Role,
    is_default: bool,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO users_teams (team_id, user_id, is_default, role, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (team_id, user_id) DO NOTHING",
    )
    .bind(team.as_uuid())
    .bind(user.as_uuid())
    .bind(is_default)
    .bind(role.as_str())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn set_role(
    conn: &mut PgConnection,
    team: TeamId,
    user: UserId,
    role: Role,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE users_teams SET role = $3 WHERE team_id = $1 AND user_id = $2")
        .bind(team.as_uuid())
        .bind(user.as_uuid())
        .bind(role.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// The keys that somebody made for a team go with the membership (B-184).
pub async fn remove(conn: &mut PgConnection, team: TeamId, user: UserId) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM team_api_keys WHERE team_id = $1 AND created_by = $2",
        "DELETE FROM users_teams WHERE team_id = $1 AND user_id = $2",
    ] {
        sqlx::query(statement)
            .bind(team.as_uuid())
            .bind(user.as_uuid())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// By the time they joined.
pub async fn list(conn: &mut PgConnection, team: TeamId) -> Result<Vec<Member>, StoreError> {
    let rows: Vec<(Uuid, String, String, String, DateTime<Utc>)> = sqlx::query_as(
        "SELECT u.id, u.name, u.email, m.role, m.created_at FROM users_teams m JOIN users u ON u.id = m.user_id
         WHERE m.team_id = $1 AND u.deleted_at IS NULL ORDER BY m.created_at, u.id LIMIT 10000",
    )
    .bind(team.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(user, name, email, role, joined_at)| {
            Ok(Member {
                user: UserId::from_uuid(user),
                name,
                email,
                role: word("users_teams", team, &role)?,
                joined_at,
            })
        })
        .collect()
}
