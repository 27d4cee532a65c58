//! Tables `host_tokens` and `host_refresh_tokens`: how a host agent registers, and how it gets new credentials. Only hashes of
//! tokens are stored.

use chrono::{DateTime, Utc};
use locule_ids::{HostId, HostRefreshTokenId, HostTokenId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::{row, statements};

type InsertValues = (
    Uuid,
    Uuid,
    &'static str,
    Option<Uuid>,
    DateTime<Utc>,
    DateTime<Utc>,
);

statements! {
    INSERT: InsertValues =
        "INSERT INTO host_tokens (id, host_id, token_hash, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
    REVOKE: (Uuid,) = "DELETE FROM host_tokens WHERE host_id = $1 AND used_at IS NULL";
    TAKE: (&str, DateTime<Utc>) => (Uuid,) =
        "UPDATE host_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING host_id";
    INSERT_REFRESH: (Uuid, Uuid, &str, DateTime<Utc>, DateTime<Utc>) =
        "INSERT INTO host_refresh_tokens (id, host_id, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
    LOCK_REFRESH: (&str, DateTime<Utc>) => RefreshRow =
        "SELECT id, host_id, revoked_at, replaced_by FROM host_refresh_tokens WHERE token_hash = $1 AND expires_at > $2
         FOR NO KEY UPDATE";
    REPLACE_REFRESH: (Uuid, Uuid, DateTime<Utc>) =
        "UPDATE host_refresh_tokens SET replaced_by = $2, revoked_at = coalesce(revoked_at, $3),
             confirmed_at = coalesce(confirmed_at, $3) WHERE id = $1";
    WITHDRAW_REFRESH: (Uuid, DateTime<Utc>) => (Uuid,) =
        "UPDATE host_refresh_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND confirmed_at IS NULL RETURNING id";
    CONFIRM_REFRESH: (Uuid, DateTime<Utc>) =
        "UPDATE host_refresh_tokens SET confirmed_at = $2 WHERE id = $1 AND confirmed_at IS NULL";
    STATE: (Uuid, Uuid) => (Option<DateTime<Utc>>,) =
        "SELECT confirmed_at FROM host_refresh_tokens WHERE id = $1 AND host_id = $2";
    FORGET_REFRESH: (Uuid,) = "DELETE FROM host_refresh_tokens WHERE host_id = $1";
    PURGE: (DateTime<Utc>,) = "DELETE FROM host_tokens WHERE expires_at < $1";
    PURGE_REFRESH: (DateTime<Utc>,) = "DELETE FROM host_refresh_tokens WHERE expires_at < $1";
}

/// Adds a registration token. Those that the host did not use are deleted.
pub async fn insert(
    conn: &mut PgConnection,
    (id, host): (HostTokenId, HostId),
    token_hash: &str,
    created_by: Option<UserId>,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), StoreError> {
    REVOKE.execute(conn, (host.as_uuid(),)).await?;
    let created_by = created_by.map(UserId::as_uuid);
    let values = (
        id.as_uuid(),
        host.as_uuid(),
        token_hash,
        created_by,
        now,
        expires_at,
    );
    INSERT.execute(conn, values).await.map(drop)
}

/// Uses a registration token, which no other call can use then, and returns its host.
pub async fn take(
    conn: &mut PgConnection,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<HostId>, StoreError> {
    let row = TAKE.fetch_optional(conn, (token_hash, now)).await?;
    Ok(row.map(|(host,)| HostId::from_uuid(host)))
}

/// A refresh token that has not expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    pub id: HostRefreshTokenId,
    pub host: HostId,
    pub is_revoked: bool,
    /// The token that the host got for this one.
    pub replaced_by: Option<HostRefreshTokenId>,
}

row! {
    struct RefreshRow {
        id: Uuid,
        host_id: Uuid,
        revoked_at: Option<DateTime<Utc>>,
        replaced_by: Option<Uuid>,
    }
}

pub async fn insert_refresh(
    conn: &mut PgConnection,
    (id, host): (HostRefreshTokenId, HostId),
    token_hash: &str,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), host.as_uuid(), token_hash, now, expires_at);
    INSERT_REFRESH.execute(conn, values).await.map(drop)
}

/// A refresh token that has not expired, revoked or not, locked until the transaction ends.
pub async fn lock_refresh(
    conn: &mut PgConnection,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<RefreshToken>, StoreError> {
    let row = LOCK_REFRESH.fetch_optional(conn, (token_hash, now)).await?;
    Ok(row.map(|row| RefreshToken {
        id: HostRefreshTokenId::from_uuid(row.id),
        host: HostId::from_uuid(row.host_id),
        is_revoked: row.revoked_at.is_some(),
        replaced_by: row.replaced_by.map(HostRefreshTokenId::from_uuid),
    }))
}

/// Revokes a token for which the host gets `next`.
pub async fn replace_refresh(
    conn: &mut PgConnection,
    id: HostRefreshTokenId,
    next: HostRefreshTokenId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), next.as_uuid(), now);
    REPLACE_REFRESH.execute(conn, values).await.map(drop)
}

/// Revokes a token that its host has never used. Returns whether the host had not used the token.
pub async fn withdraw_refresh(
    conn: &mut PgConnection,
    id: HostRefreshTokenId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let row = WITHDRAW_REFRESH
        .fetch_optional(conn, (id.as_uuid(), now))
        .await?;
    Ok(row.is_some())
}

/// Whether the refresh token exists that came with an access token of the host. Writes that the host has both.
pub async fn confirm_refresh(
    conn: &mut PgConnection,
    (id, host): (HostRefreshTokenId, HostId),
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let row = STATE
        .fetch_optional(conn, (id.as_uuid(), host.as_uuid()))
        .await?;
    if row == Some((None,)) {
        CONFIRM_REFRESH.execute(conn, (id.as_uuid(), now)).await?;
    }
    Ok(row.is_some())
}

/// Deletes every refresh token of a host, and so ends its access tokens.
pub async fn forget_refresh(conn: &mut PgConnection, host: HostId) -> Result<(), StoreError> {
    FORGET_REFRESH
        .execute(conn, (host.as_uuid(),))
        .await
        .map(drop)
}

/// Deletes the tokens that expired before a moment.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    PURGE.execute(conn, (before,)).await?;
    PURGE_REFRESH.execute(conn, (before,)).await.map(drop)
}
