//! Table `oauth_providers`: the accounts at other platforms that users sign in with.

use chrono::{DateTime, Utc};
use locule_ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

statements! {
    OWNER: (&str, &str) => (Uuid,) =
        "SELECT user_id FROM oauth_providers WHERE provider = $1 AND provider_id = $2";
    INSERT: (&str, &str, Uuid, &str, DateTime<Utc>) =
        "INSERT INTO oauth_providers (provider, provider_id, user_id, email, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    OF_USER: (Uuid,) => (String,) =
        "SELECT provider FROM oauth_providers WHERE user_id = $1 ORDER BY provider";
    ADDED: (Uuid,) => (String, String, DateTime<Utc>) =
        "SELECT p.provider, p.email, p.created_at FROM oauth_providers p JOIN users u ON u.id = p.user_id
         WHERE u.id = $1 AND p.created_at > coalesce(u.password_set_at, u.created_at) ORDER BY p.provider";
    DELETE_ADDED: (Uuid,) => (String, String, DateTime<Utc>) =
        "DELETE FROM oauth_providers p USING users u
         WHERE u.id = $1 AND p.user_id = u.id AND p.created_at > coalesce(u.password_set_at, u.created_at)
         RETURNING p.provider, p.email, p.created_at";
    DELETE: (Uuid, &str) = "DELETE FROM oauth_providers WHERE user_id = $1 AND provider = $2";
    DELETE_ALL: (Uuid,) = "DELETE FROM oauth_providers WHERE user_id = $1";
}

/// An account at another platform, by an id that the platform never gives to another account.
#[derive(Debug, Clone, Copy)]
pub struct ProviderIdentity<'a> {
    pub provider: &'a str,
    pub provider_id: &'a str,
}

/// The user who signs in with this account.
pub async fn owner(
    conn: &mut PgConnection,
    identity: ProviderIdentity<'_>,
) -> Result<Option<UserId>, StoreError> {
    let values = (identity.provider, identity.provider_id);
    let row = OWNER.fetch_optional(conn, values).await?;
    Ok(row.map(|(user,)| UserId::from_uuid(user)))
}

/// `false`: the account belongs to a user, or the user has another account of this provider. Waits for a concurrent insert.
pub async fn insert(
    conn: &mut PgConnection,
    identity: ProviderIdentity<'_>,
    user: UserId,
    email: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let ProviderIdentity {
        provider,
        provider_id,
    } = identity;
    let values = (provider, provider_id, user.as_uuid(), email, now);
    Ok(INSERT.execute(conn, values).await? == 1)
}

/// The providers that a user signs in with.
pub async fn of_user(conn: &mut PgConnection, user: UserId) -> Result<Vec<String>, StoreError> {
    let rows = OF_USER.fetch_all(conn, (user.as_uuid(),)).await?;
    Ok(rows.into_iter().map(|(provider,)| provider).collect())
}

/// An account at another platform that was connected to a user's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub provider: String,
    /// Empty if the platform told none.
    pub email: String,
    pub connected_at: DateTime<Utc>,
}

fn read((provider, email, connected_at): (String, String, DateTime<Utc>)) -> Added {
    Added {
        provider,
        email,
        connected_at,
    }
}

/// The accounts that were connected since the user's password was last set.
pub async fn added(conn: &mut PgConnection, user: UserId) -> Result<Vec<Added>, StoreError> {
    let rows = ADDED.fetch_all(conn, (user.as_uuid(),)).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Removes the accounts that [`added`] lists, and returns them.
pub async fn remove_added(conn: &mut PgConnection, user: UserId) -> Result<Vec<Added>, StoreError> {
    let rows = DELETE_ADDED.fetch_all(conn, (user.as_uuid(),)).await?;
    Ok(rows.into_iter().map(read).collect())
}

pub async fn remove(
    conn: &mut PgConnection,
    user: UserId,
    provider: &str,
) -> Result<(), StoreError> {
    let values = (user.as_uuid(), provider);
    DELETE.execute(conn, values).await.map(drop)
}

/// Removes all accounts of a user. Another user may connect them then.
pub async fn remove_all(conn: &mut PgConnection, user: UserId) -> Result<(), StoreError> {
    DELETE_ALL.execute(conn, (user.as_uuid(),)).await.map(drop)
}
