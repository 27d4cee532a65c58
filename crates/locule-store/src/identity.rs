//! Tables `users`, `teams`, `users_teams`, `sessions`, `team_api_keys`: who somebody is and for which team.

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub password_hash: Option<String>,
    pub name: String,
    pub is_admin: bool,
    pub status: String,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: Uuid,
    email: String,
    password_hash: Option<String>,
    name: String,
    is_admin: bool,
    status: String,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let UserRow {
            id,
            email,
            password_hash,
            name,
            is_admin,
            status,
        } = row;
        Self {
            id: UserId::from_uuid(id),
            email,
            password_hash,
            name,
            is_admin,
            status,
        }
    }
}

pub async fn user_by_email(
    conn: &mut PgConnection,
    email: &str,
) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = sqlx::query_as(
        "SELECT id, email, password_hash, name, is_admin, status FROM users
         WHERE lower(email) = lower($1) AND deleted_at IS NULL",
    )
    .bind(email)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

pub async fn insert_user(
    conn: &mut PgConnection,
    user: &User,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO users (id, email, password_hash, name, is_admin, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
    )
    .bind(user.id.as_uuid())
    .bind(&user.email)
    .bind(&user.password_hash)
    .bind(&user.name)
    .bind(user.is_admin)
    .bind(&user.status)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// A team with its owner.
pub async fn insert_team(
    conn: &mut PgConnection,
    team: TeamId,
    name: &str,
    slug: &str,
    owner: UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO teams (id, name, slug, created_at) VALUES ($1, $2, $3, $4)")
        .bind(team.as_uuid())
        .bind(name)
        .bind(slug)
        .bind(now)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO users_teams (team_id, user_id, is_default, role, created_at) VALUES ($1, $2, TRUE, 'owner', $3)",
    )
    .bind(team.as_uuid())
    .bind(owner.as_uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The team a login is for: the default one if it lives, else the earliest joined that does (B-133, B-134).
pub async fn login_team(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Option<(TeamId, String)>, StoreError> {
    let row: Option<(Uuid, String)> = sqlx::query_as(
        "SELECT t.id, m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND t.deleted_at IS NULL ORDER BY m.is_default DESC, m.created_at LIMIT 1",
    )
    .bind(user.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(team, role)| (TeamId::from_uuid(team), role)))
}

pub async fn insert_session(
    conn: &mut PgConnection,
    session: SessionId,
    user: UserId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(session.as_uuid())
    .bind(user.as_uuid())
    .bind(now)
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// What a living session gives: the user, and whether it is still a member of the live team that its token names.
#[derive(Debug, Clone)]
pub struct Session {
    pub user: User,
    pub role: Option<String>,
}

/// Reads a session with everything that an authorization needs, from the database and not from a token (B-155).
pub async fn session(
    conn: &mut PgConnection,
    session: SessionId,
    team: Option<TeamId>,
    now: DateTime<Utc>,
) -> Result<Option<Session>, StoreError> {
    let user: Option<UserRow> = sqlx::query_as(
        "SELECT u.id, u.email, u.password_hash, u.name, u.is_admin, u.status FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.deleted_at IS NULL",
    )
    .bind(session.as_uuid())
    .bind(now)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(user) = user.map(User::from) else {
        return Ok(None);
    };
    let role = match team {
        None => None,
        Some(team) => {
            sqlx::query_scalar(
                "SELECT m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
                 WHERE m.user_id = $1 AND m.team_id = $2 AND t.deleted_at IS NULL",
            )
            .bind(user.id.as_uuid())
            .bind(team.as_uuid())
            .fetch_optional(conn)
            .await?
        }
    };
    Ok(Some(Session { user, role }))
}

pub async fn revoke_session(
    conn: &mut PgConnection,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(session.as_uuid())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// A key that works now, of a team that lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub team: TeamId,
    pub name: String,
    pub scope: String,
}

pub async fn insert_key(
    conn: &mut PgConnection,
    key: &ApiKey,
    key_hash: &str,
    key_prefix: &str,
    created_by: UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO team_api_keys (id, team_id, name, key_hash, key_prefix, scope, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(key.id.as_uuid())
    .bind(key.team.as_uuid())
    .bind(&key.name)
    .bind(key_hash)
    .bind(key_prefix)
    .bind(&key.scope)
    .bind(created_by.as_uuid())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn key_by_hash(
    conn: &mut PgConnection,
    key_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<ApiKey>, StoreError> {
    let row: Option<(Uuid, Uuid, String, String)> = sqlx::query_as(
        "SELECT k.id, k.team_id, k.name, k.scope FROM team_api_keys k JOIN teams t ON t.id = k.team_id
         WHERE k.key_hash = $1 AND t.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)",
    )
    .bind(key_hash)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(id, team, name, scope)| ApiKey {
        id: ApiKeyId::from_uuid(id),
        team: TeamId::from_uuid(team),
        name,
        scope,
    }))
}

/// Writes down when keys were last used: many at once, none of them backwards.
pub async fn touch_keys(
    conn: &mut PgConnection,
    used: &[(ApiKeyId, DateTime<Utc>)],
) -> Result<(), StoreError> {
    let (ids, times): (Vec<Uuid>, Vec<DateTime<Utc>>) =
        used.iter().map(|(id, at)| (id.as_uuid(), *at)).unzip();
    sqlx::query(
        "UPDATE team_api_keys k SET last_used = greatest(k.last_used, u.at)
         FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at) WHERE k.id = u.id",
    )
    .bind(ids)
    .bind(times)
    .execute(conn)
    .await?;
    Ok(())
}
