//! Table `oauth_providers`: by which identities of other platforms people come in.

use chrono::{DateTime, Utc};
use locule_ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

/// Somebody at another platform, by an id that it never gives to anybody else.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    pub provider: &'a str,
    pub provider_id: &'a str,
}

/// Who comes in by it.
pub async fn owner(
    conn: &mut PgConnection,
    identity: Identity<'_>,
) -> Result<Option<UserId>, StoreError> {
    let user: Option<Uuid> = sqlx::query_scalar(
        "SELECT user_id FROM oauth_providers WHERE provider = $1 AND provider_id = $2",
    )
    .bind(identity.provider)
    .bind(identity.provider_id)
    .fetch_optional(conn)
    .await?;
    Ok(user.map(UserId::from_uuid))
}

/// `false`: it is somebody's, or the user has another one of this provider. Whoever is just getting it is waited for.
pub async fn insert(
    conn: &mut PgConnection,
    identity: Identity<'_>,
    user: UserId,
    email: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO oauth_providers (provider, provider_id, user_id, email, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(identity.provider)
    .bind(identity.provider_id)
    .bind(user.as_uuid())
    .bind(email)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The providers by which somebody comes in.
pub async fn of_user(conn: &mut PgConnection, user: UserId) -> Result<Vec<String>, StoreError> {
    let providers = sqlx::query_scalar(
        "SELECT provider FROM oauth_providers WHERE user_id = $1 ORDER BY provider",
    );
    Ok(providers.bind(user.as_uuid()).fetch_all(conn).await?)
}

pub async fn remove(
    conn: &mut PgConnection,
    user: UserId,
    provider: &str,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM oauth_providers WHERE user_id = $1 AND provider = $2")
        .bind(user.as_uuid())
        .bind(provider)
        .execute(conn)
        .await?;
    Ok(())
}

/// They are free again, for another account.
pub async fn remove_all(conn: &mut PgConnection, user: UserId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM oauth_providers WHERE user_id = $1")
        .bind(user.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}
