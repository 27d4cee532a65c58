//! Tables `sessions` and `user_tokens`: logins, and what a mail brings that works once.

use chrono::{DateTime, Utc};
use locule_ids::{SessionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::users::{User, UserRow};

pub async fn insert(
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

/// Whose a session is that is neither over nor revoked, and when it ends.
pub async fn get(
    conn: &mut PgConnection,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<(User, DateTime<Utc>)>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        user: UserRow,
        expires_at: DateTime<Utc>,
    }
    let row: Option<Row> = sqlx::query_as(
        "SELECT u.id, u.email, u.password_hash, u.name, u.is_admin, u.status, u.created_at, s.expires_at
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.deleted_at IS NULL",
    )
    .bind(session.as_uuid())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((row.user.try_into()?, row.expires_at)))
        .transpose()
}

pub async fn revoke(
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

pub async fn revoke_all(
    conn: &mut PgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL")
        .bind(user.as_uuid())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// What a mailed token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Activation,
    PasswordReset,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::PasswordReset => "password_reset",
        }
    }
}

/// The one before it works no more.
pub async fn insert_token(
    conn: &mut PgConnection,
    purpose: Purpose,
    user: UserId,
    token_hash: &str,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM user_tokens WHERE user_id = $1 AND purpose = $2")
        .bind(user.as_uuid())
        .bind(purpose.as_str())
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO user_tokens (token_hash, purpose, user_id, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(token_hash)
    .bind(purpose.as_str())
    .bind(user.as_uuid())
    .bind(expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses a token up: of many who show it at once, one gets an answer.
pub async fn take_token(
    conn: &mut PgConnection,
    purpose: Purpose,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<UserId>, StoreError> {
    let user: Option<Uuid> = sqlx::query_scalar(
        "DELETE FROM user_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING user_id",
    )
    .bind(token_hash)
    .bind(purpose.as_str())
    .bind(now)
    .fetch_optional(conn)
    .await?;
    Ok(user.map(UserId::from_uuid))
}

/// Forgets what was over before this moment.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM sessions WHERE expires_at < $1",
        "DELETE FROM user_tokens WHERE expires_at < $1",
    ] {
        sqlx::query(statement)
            .bind(before)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
