//! Tables `sessions` and `user_tokens`: logins, and the single-use tokens that are sent by e-mail.

use chrono::{DateTime, Utc};
use locule_ids::{SessionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::{row, statements};
use crate::users::{self, User, UserRow};

statements! {
    INSERT: (Uuid, Uuid, DateTime<Utc>, DateTime<Utc>, &str, &str) =
        "INSERT INTO sessions (id, user_id, created_at, expires_at, address, user_agent) VALUES ($1, $2, $3, $4, $5, $6)";
    CAME_FROM: (&str, &str) => (bool,) =
        "SELECT EXISTS (SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id
                        WHERE lower(u.email) = lower($1) AND u.deleted_at IS NULL AND s.address = $2)";
    GET: (Uuid, DateTime<Utc>) => SessionRow =
        "SELECT u.id, u.email, u.email_verified, u.password_hash, u.name, u.is_admin, u.status, u.created_at,
                s.created_at AS began_at, s.expires_at
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.deleted_at IS NULL";
    LIFETIME: (Uuid,) => (DateTime<Utc>, DateTime<Utc>, Option<DateTime<Utc>>) =
        "SELECT created_at, expires_at, renewed_at FROM sessions WHERE id = $1";
    RENEW: (Uuid, DateTime<Utc>, DateTime<Utc>) = "UPDATE sessions SET expires_at = $2, renewed_at = $3 WHERE id = $1";
    LIST: (Uuid, DateTime<Utc>, i64) => ListedRow =
        "SELECT id, created_at, last_used_at, expires_at, address, user_agent FROM sessions
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT $3";
    // A session that another transaction holds is skipped: nothing waits, and the next use of the session is written.
    TOUCH: (Vec<Uuid>, Vec<DateTime<Utc>>) =
        "WITH used AS (
             SELECT s.id, one.at FROM unnest($1::uuid[], $2::timestamptz[]) AS one (id, at) JOIN sessions s ON s.id = one.id
             FOR NO KEY UPDATE OF s SKIP LOCKED)
         UPDATE sessions s SET last_used_at = greatest(s.last_used_at, u.at) FROM used u WHERE s.id = u.id";
    // All lock the user before the sessions, as every other transaction does.
    REVOKE: (Uuid, DateTime<Utc>) =
        "WITH person AS (
             UPDATE users SET revocation = revocation + 1
             WHERE id = (SELECT user_id FROM sessions WHERE id = $1 AND revoked_at IS NULL) RETURNING id)
         UPDATE sessions s SET revoked_at = $2 FROM person p
         WHERE s.id = $1 AND s.user_id = p.id AND s.revoked_at IS NULL";
    REVOKE_ALL: (Uuid, DateTime<Utc>) =
        "WITH person AS (UPDATE users SET revocation = revocation + 1 WHERE id = $1 RETURNING id)
         UPDATE sessions s SET revoked_at = $2 FROM person p WHERE s.user_id = p.id AND s.revoked_at IS NULL";
    REVOKE_ONE: (Uuid, Uuid, DateTime<Utc>) =
        "WITH person AS (
             UPDATE users u SET revocation = revocation + 1
             WHERE u.id = $1 AND EXISTS (SELECT 1 FROM sessions s
                                         WHERE s.id = $2 AND s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > $3)
             RETURNING id)
         UPDATE sessions s SET revoked_at = $3 FROM person p
         WHERE s.id = $2 AND s.user_id = p.id AND s.revoked_at IS NULL AND s.expires_at > $3";
    REVOKE_OTHERS: (Uuid, Uuid, DateTime<Utc>) =
        "WITH person AS (
             UPDATE users u SET revocation = revocation + 1
             WHERE u.id = $1 AND EXISTS (SELECT 1 FROM sessions s
                                         WHERE s.id <> $2 AND s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > $3)
             RETURNING id)
         UPDATE sessions s SET revoked_at = $3 FROM person p
         WHERE s.id <> $2 AND s.user_id = p.id AND s.revoked_at IS NULL AND s.expires_at > $3";
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
        began_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    }
}

row! {
    struct ListedRow {
        id: Uuid,
        created_at: DateTime<Utc>,
        last_used_at: Option<DateTime<Utc>>,
        expires_at: DateTime<Utc>,
        address: String,
        user_agent: String,
    }
}

/// Where a session is used from, as far as its login told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'a> {
    pub address: &'a str,
    pub user_agent: &'a str,
}

/// A valid session with its user.
#[derive(Debug, Clone)]
pub struct Found {
    pub user: User,
    /// The moment of the login.
    pub began_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// When a session began and ends, and when its end was last moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    pub began_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub renewed_at: Option<DateTime<Utc>>,
}

/// A session as its user sees it in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
    /// Empty: not known, as is `user_agent`.
    pub address: String,
    pub user_agent: String,
}

pub async fn insert(
    conn: &mut PgConnection,
    session: SessionId,
    user: UserId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    from: Origin<'_>,
) -> Result<(), StoreError> {
    let (session, user) = (session.as_uuid(), user.as_uuid());
    let values = (
        session,
        user,
        now,
        expires_at,
        from.address,
        from.user_agent,
    );
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

/// A session that is neither expired nor revoked.
pub async fn get(
    conn: &mut PgConnection,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<Found>, StoreError> {
    let row = GET.fetch_optional(conn, (session.as_uuid(), now)).await?;
    let found = |row: SessionRow| {
        Ok(Found {
            user: row.user.try_into()?,
            began_at: row.began_at,
            expires_at: row.expires_at,
        })
    };
    row.map(found).transpose()
}

pub async fn lifetime(
    conn: &mut PgConnection,
    session: SessionId,
) -> Result<Option<Lifetime>, StoreError> {
    let row = LIFETIME.fetch_optional(conn, (session.as_uuid(),)).await?;
    Ok(row.map(|(began_at, expires_at, renewed_at)| Lifetime {
        began_at,
        expires_at,
        renewed_at,
    }))
}

/// Moves the end of a session. The transaction has locked the user.
pub async fn renew(
    conn: &mut PgConnection,
    session: SessionId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (session.as_uuid(), expires_at, now);
    RENEW.execute(conn, values).await.map(drop)
}

/// The sessions of a user that have not ended, newest first.
pub async fn list(
    conn: &mut PgConnection,
    user: UserId,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Listed>, StoreError> {
    let rows = LIST.fetch_all(conn, (user.as_uuid(), now, limit)).await?;
    let listed = |row: ListedRow| Listed {
        id: SessionId::from_uuid(row.id),
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        address: row.address,
        user_agent: row.user_agent,
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// Records when sessions were last used, for many sessions at once. The moment never moves back.
pub async fn touch(
    conn: &mut PgConnection,
    used: &[(SessionId, DateTime<Utc>)],
) -> Result<(), StoreError> {
    let values = used.iter().map(|(id, at)| (id.as_uuid(), *at)).unzip();
    TOUCH.execute(conn, values).await.map(drop)
}

/// Ends one login of a user, as [`revoke`] does. `false`: the user has no such login.
pub async fn revoke_one(
    conn: &mut PgConnection,
    user: UserId,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let values = (user.as_uuid(), session.as_uuid(), now);
    Ok(REVOKE_ONE.execute(conn, values).await? > 0)
}

/// Ends all logins of a user but one, as [`revoke`] does. Returns their number.
pub async fn revoke_others(
    conn: &mut PgConnection,
    user: UserId,
    kept: SessionId,
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let values = (user.as_uuid(), kept.as_uuid(), now);
    REVOKE_OTHERS.execute(conn, values).await
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
