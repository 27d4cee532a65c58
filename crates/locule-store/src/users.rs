//! Table `users`: people.

use chrono::{DateTime, Utc};
use locule_domain::{UserStatus, people};
use locule_ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{StoreError, word};

#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub email: String,
    /// None: comes in by another provider only.
    pub password_hash: Option<String>,
    pub name: String,
    /// Of the whole platform.
    pub is_admin: bool,
    pub status: UserStatus,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    id: Uuid,
    email: String,
    password_hash: Option<String>,
    name: String,
    is_admin: bool,
    status: String,
    created_at: DateTime<Utc>,
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let id = UserId::from_uuid(row.id);
        Ok(Self {
            id,
            email: row.email,
            password_hash: row.password_hash,
            name: row.name,
            is_admin: row.is_admin,
            status: word("users", id, &row.status)?,
            created_at: row.created_at,
        })
    }
}

/// Of those who are not deleted.
pub async fn by_email(conn: &mut PgConnection, email: &str) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = sqlx::query_as(
        "SELECT id, email, password_hash, name, is_admin, status, created_at FROM users
         WHERE lower(email) = lower($1) AND deleted_at IS NULL",
    )
    .bind(email)
    .fetch_optional(conn)
    .await?;
    row.map(User::try_from).transpose()
}

/// One who is not deleted, and nobody else changes before this transaction ends.
pub async fn lock(conn: &mut PgConnection, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = sqlx::query_as(
        "SELECT id, email, password_hash, name, is_admin, status, created_at FROM users
         WHERE id = $1 AND deleted_at IS NULL FOR UPDATE",
    )
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.map(User::try_from).transpose()
}

/// `false`: somebody has this address. Whoever is just signing up with it is waited for.
pub async fn insert(conn: &mut PgConnection, user: &User) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO users (id, email, password_hash, name, is_admin, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (lower(email)) WHERE deleted_at IS NULL DO NOTHING",
    )
    .bind(user.id.as_uuid())
    .bind(&user.email)
    .bind(&user.password_hash)
    .bind(&user.name)
    .bind(user.is_admin)
    .bind(user.status.as_str())
    .bind(user.created_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether nobody is there yet. The answer stays true until this transaction ends: of many who are first, one is.
pub async fn is_first(conn: &mut PgConnection) -> Result<bool, StoreError> {
    const ANY: &str = "SELECT EXISTS (SELECT 1 FROM users WHERE status = 'active')";
    if sqlx::query_scalar(ANY).fetch_one(&mut *conn).await? {
        return Ok(false);
    }
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('locule first user'))")
        .execute(&mut *conn)
        .await?;
    let any: bool = sqlx::query_scalar(ANY).fetch_one(conn).await?;
    Ok(!any)
}

/// From now on a person like every other.
pub async fn activate(
    conn: &mut PgConnection,
    id: UserId,
    is_admin: bool,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE users SET status = 'active', is_admin = $2, updated_at = $3 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(is_admin)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Somebody who never came.
pub async fn delete_inactive(conn: &mut PgConnection, id: UserId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM users WHERE id = $1 AND status = 'inactive'")
        .bind(id.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_name(
    conn: &mut PgConnection,
    id: UserId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE users SET name = $2, updated_at = $3 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(name)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_password(
    conn: &mut PgConnection,
    id: UserId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(password_hash)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deleting keeps the row, and frees its address (W-055).
pub async fn set_status(
    conn: &mut PgConnection,
    id: UserId,
    status: UserStatus,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE users SET status = $2, updated_at = $3, deleted_at = CASE WHEN $2 = 'deleted' THEN $3 END WHERE id = $1",
    )
    .bind(id.as_uuid())
    .bind(status.as_str())
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// Active people whose address begins like this, at most ten, by address (B-040, B-042, B-043).
pub async fn search(
    conn: &mut PgConnection,
    prefix: &str,
) -> Result<Vec<(UserId, String)>, StoreError> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        r"SELECT id, email FROM users WHERE lower(email) LIKE $1 || '%' ESCAPE '\'
            AND deleted_at IS NULL AND status = 'active' ORDER BY email LIMIT 10",
    )
    .bind(people::like_literal(prefix))
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, email)| (UserId::from_uuid(id), email))
        .collect())
}

/// Somebody as platform administrators see them.
#[derive(Debug, Clone)]
pub struct Listed {
    pub user: User,
    pub teams_joined: i64,
    pub teams_owned: i64,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    user: UserRow,
    teams_joined: i64,
    teams_owned: i64,
}

/// Newest first, without the deleted; how many there are beside it.
pub async fn page(
    conn: &mut PgConnection,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Listed>, i64), StoreError> {
    let total = sqlx::query_scalar("SELECT count(*) FROM users WHERE deleted_at IS NULL")
        .fetch_one(&mut *conn)
        .await?;
    let rows: Vec<ListedRow> = sqlx::query_as(
        "SELECT u.id, u.email, NULL AS password_hash, u.name, u.is_admin, u.status, u.created_at,
                (SELECT count(*) FROM users_teams m JOIN teams t ON t.id = m.team_id
                 WHERE m.user_id = u.id AND t.deleted_at IS NULL) AS teams_joined,
                (SELECT count(*) FROM users_teams m JOIN teams t ON t.id = m.team_id
                 WHERE m.user_id = u.id AND m.role = 'owner' AND t.deleted_at IS NULL) AS teams_owned
         FROM users u WHERE u.deleted_at IS NULL ORDER BY u.created_at DESC, u.id DESC LIMIT $1 OFFSET $2",
    )
    .bind(limit)
    .bind(offset)
    .fetch_all(conn)
    .await?;
    let listed = rows.into_iter().map(|row| {
        Ok(Listed {
            user: row.user.try_into()?,
            teams_joined: row.teams_joined,
            teams_owned: row.teams_owned,
        })
    });
    Ok((listed.collect::<Result<_, StoreError>>()?, total))
}

/// Forgets people who were deleted before this moment: their rows, and who they were in the trail. How many.
pub async fn purge(
    conn: &mut PgConnection,
    deleted_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, StoreError> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT id FROM users WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED")
            .bind(deleted_before)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await?;
    for id in &ids {
        sqlx::query("SELECT audit_anonymize($1)")
            .bind(id)
            .execute(&mut *conn)
            .await?;
    }
    let done = sqlx::query("DELETE FROM users WHERE id = ANY($1)")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
