//! Tables `sessions` and `user_tokens`: logins, and the single-use tokens that are sent by e-mail.

use chrono::{DateTime, Utc};
use locule_ids::{SessionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::{row, statements};
use crate::users::{self, User, UserRow};

statements! {
    INSERT: (Uuid, Uuid, DateTime<Utc>, DateTime<Utc>, &str) =
        "INSERT INTO sessions (id, user_id, created_at, expires_at, address) VALUES ($1, $2, $3, $4, $5)";
    CAME_FROM: (&str, &str) => (bool,) =
        "SELECT EXISTS (SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id
                        WHERE lower(u.email) = lower($1) AND u.deleted_at IS NULL AND s.address = $2)";
    GET: (Uuid, DateTime<Utc>) => SessionRow =
        "SELECT u.id, u.email, u.email_verified, u.password_hash, u.name, u.is_admin, u.status, u.created_at, s.expires_at
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.deleted_at IS NULL";
    // Both lock the user before the sessions, as every other transaction does.
    REVOKE: (Uuid, DateTime<Utc>) =
        "WITH person AS (
             UPDATE users SET revocation = revocation + 1
             WHERE id = (SELECT user_id FROM sessions WHERE id = $1 AND revoked_at IS NULL) RETURNING id)
         UPDATE sessions s SET revoked_at = $2 FROM person p
         WHERE s.id = $1 AND s.user_id = p.id AND s.revoked_at IS NULL";
    REVOKE_ALL: (Uuid, DateTime<Utc>) =
        "WITH person AS (UPDATE users SET revocation = revocation + 1 WHERE id = $1 RETURNING id)
         UPDATE sessions s SET revoked_at = $2 FROM person p WHERE s.user_id = p.id AND s.revoked_at IS NULL";
    PURGE: (DateTime<Utc>,) = "DELETE FROM sessions WHERE expires_at < $1";
    INSERT_TOKEN: (&str, &str, Uuid, DateTime<Utc>) =
        "INSERT INTO user_tokens (token_hash, purpose, user_id, expires_at) VALUES ($1, $2, $3, $4)";
    DELETE_TOKENS: (Uuid, &str) = "DELETE FROM user_tokens WHERE user_id = $1 AND purpose = $2";
    TAKE_TOKEN: (&str, &str, DateTime<Utc>) => (Uuid,) =
        "DELETE FROM user_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING user_id";
    TOKEN_OWNER: (&str, &str, DateTime<Utc>) => (Uuid,) =
        "SELECT user_id FROM user_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3";
    PURGE_TOKENS: (DateTime<Utc>,) = "DELETE FROM user_tokens WHERE expires_at < $1";
}

row! {
    struct SessionRow {
        ..user: UserRow,
        expires_at: DateTime<Utc>,
    }
}

pub async fn insert(
    conn: &mut PgConnection,
    session: SessionId,
    user: UserId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    address: &str,
) -> Result<(), StoreError> {
    let values = (session.as_uuid(), user.as_uuid(), now, expires_at, address);
    INSERT.execute(conn, values).await.map(drop)
}

/// Whether an account was logged in to from an address, as far as sessions are kept.
pub async fn came_from(
    conn: &mut PgConnection,
    email: &str,
    address: &str,
) -> Result<bool, StoreError> {
    let (came,) = CAME_FROM.fetch_one(conn, (email, address)).await?;
    Ok(came)
}

/// The user of a session that is neither expired nor revoked, and when the session expires.
pub async fn get(
    conn: &mut PgConnection,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<(User, DateTime<Utc>)>, StoreError> {
    let row = GET.fetch_optional(conn, (session.as_uuid(), now)).await?;
    row.map(|row| Ok((row.user.try_into()?, row.expires_at)))
        .transpose()
}

/// Ends a login. The tokens of sandboxes that the user was given are no longer valid.
pub async fn revoke(
    conn: &mut PgConnection,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (session.as_uuid(), now);
    REVOKE.execute(conn, values).await.map(drop)
}

/// Ends all logins of a user. The tokens of sandboxes that the user was given are no longer valid.
pub async fn revoke_all(
    conn: &mut PgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (user.as_uuid(), now);
    REVOKE_ALL.execute(conn, values).await.map(drop)
}

/// The purpose of a token that is sent by e-mail.
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

/// Inserts a token and deletes the user's earlier tokens for the same purpose.
pub async fn insert_token(
    conn: &mut PgConnection,
    purpose: Purpose,
    user: UserId,
    token_hash: &str,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (user, purpose) = (user.as_uuid(), purpose.as_str());
    DELETE_TOKENS.execute(conn, (user, purpose)).await?;
    let values = (token_hash, purpose, user, expires_at);
    INSERT_TOKEN.execute(conn, values).await.map(drop)
}

/// Uses a token up, and returns its user, locked as [`lock`](users::lock) locks it. Of several callers with the same token, one gets the
/// user. The user is locked before the token, as by a transaction that replaces the token.
pub async fn take_token(
    conn: &mut PgConnection,
    purpose: Purpose,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<User>, StoreError> {
    let values = (token_hash, purpose.as_str(), now);
    let Some((owner,)) = TOKEN_OWNER.fetch_optional(conn, values).await? else {
        return Ok(None);
    };
    let user = users::lock(conn, UserId::from_uuid(owner)).await?;
    let taken = TAKE_TOKEN.fetch_optional(conn, values).await?;
    Ok(user.filter(|_| taken.is_some()))
}

/// Deletes sessions and tokens that expired before this moment.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    PURGE.execute(conn, (before,)).await?;
    PURGE_TOKENS.execute(conn, (before,)).await.map(drop)
}
