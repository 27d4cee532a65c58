//! Table `team_api_keys`: the credentials of programs. Only hashes of keys are stored.

use chrono::{DateTime, Utc};
use locule_domain::Scope;
use locule_ids::{ApiKeyId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::statement::{row, statements};
use crate::{StoreError, word};

type InsertValues = (
    Uuid,
    Uuid,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<DateTime<Utc>>,
    Option<Uuid>,
    DateTime<Utc>,
);

statements! {
    INSERT: InsertValues =
        "INSERT INTO team_api_keys (id, team_id, name, key_hash, key_prefix, scope, expires_at, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    BY_HASH: (&str, DateTime<Utc>) => KeyRow =
        "SELECT k.id, k.team_id, k.name, k.key_prefix, k.scope, k.created_by, NULL AS creator_email, NULL AS creator_name, k.created_at, k.expires_at,
                k.last_used
         FROM team_api_keys k JOIN teams t ON t.id = k.team_id
         WHERE k.key_hash = $1 AND t.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)";
    LIST: (Uuid,) => KeyRow =
        "SELECT k.id, k.team_id, k.name, k.key_prefix, k.scope, k.created_by, u.email AS creator_email, u.name AS creator_name, k.created_at,
                k.expires_at, k.last_used
         FROM team_api_keys k LEFT JOIN users u ON u.id = k.created_by
         WHERE k.team_id = $1 ORDER BY k.created_at DESC, k.id DESC LIMIT 10000";
    LOCK: (Uuid, Uuid) => KeyRow =
        "SELECT id, team_id, name, key_prefix, scope, created_by, NULL AS creator_email, NULL AS creator_name, created_at, expires_at, last_used
         FROM team_api_keys WHERE team_id = $1 AND id = $2 FOR UPDATE";
    DELETE: (Uuid, Uuid) = "DELETE FROM team_api_keys WHERE team_id = $1 AND id = $2";
    DELETE_CREATED_BY: (Uuid,) => (Uuid,) = "DELETE FROM team_api_keys WHERE created_by = $1 RETURNING id";
    ADDED: (Uuid,) => KeyRow =
        "SELECT k.id, k.team_id, k.name, k.key_prefix, k.scope, k.created_by, NULL AS creator_email, NULL AS creator_name, k.created_at, k.expires_at,
                k.last_used
         FROM team_api_keys k JOIN users u ON u.id = k.created_by
         WHERE u.id = $1 AND k.created_at > coalesce(u.password_set_at, u.created_at)
         ORDER BY k.created_at DESC, k.id DESC LIMIT 1000";
    DELETE_ADDED: (Uuid,) => KeyRow =
        "DELETE FROM team_api_keys k USING users u
         WHERE u.id = $1 AND k.created_by = u.id AND k.created_at > coalesce(u.password_set_at, u.created_at)
         RETURNING k.id, k.team_id, k.name, k.key_prefix, k.scope, k.created_by, NULL AS creator_email, NULL AS creator_name, k.created_at, k.expires_at,
                   k.last_used";
    COUNT: (Uuid,) => (i64,) = "SELECT count(*) FROM team_api_keys WHERE team_id = $1";
    TOUCH: (Vec<Uuid>, Vec<DateTime<Utc>>) =
        "UPDATE team_api_keys k SET last_used = greatest(k.last_used, u.at)
         FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at) WHERE k.id = u.id";
}

/// A key's row, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub team: TeamId,
    pub name: String,
    /// The first ten characters of the key, by which a user recognizes it.
    pub prefix: String,
    pub scope: Scope,
    pub created_by: Option<UserId>,
    pub creator_email: Option<String>,
    pub creator_name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used: Option<DateTime<Utc>>,
}

row! {
    struct KeyRow {
        id: Uuid,
        team_id: Uuid,
        name: String,
        key_prefix: String,
        scope: String,
        created_by: Option<Uuid>,
        creator_email: Option<String>,
        creator_name: Option<String>,
        created_at: DateTime<Utc>,
        expires_at: Option<DateTime<Utc>>,
        last_used: Option<DateTime<Utc>>,
    }
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let id = ApiKeyId::from_uuid(row.id);
        Ok(Self {
            id,
            team: TeamId::from_uuid(row.team_id),
            name: row.name,
            prefix: row.key_prefix,
            scope: word("team_api_keys", id, &row.scope)?,
            created_by: row.created_by.map(UserId::from_uuid),
            creator_email: row.creator_email,
            creator_name: row.creator_name,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used: row.last_used,
        })
    }
}

pub async fn insert(
    conn: &mut PgConnection,
    key: &ApiKey,
    key_hash: &str,
) -> Result<(), StoreError> {
    let values = (
        key.id.as_uuid(),
        key.team.as_uuid(),
        key.name.as_str(),
        key_hash,
        key.prefix.as_str(),
        key.scope.as_str(),
        key.expires_at,
        key.created_by.map(UserId::as_uuid),
        key.created_at,
    );
    INSERT.execute(conn, values).await.map(drop)
}

/// A key that has not expired, of a team that is not deleted.
pub async fn by_hash(
    conn: &mut PgConnection,
    key_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<ApiKey>, StoreError> {
    let row = BY_HASH.fetch_optional(conn, (key_hash, now)).await?;
    row.map(ApiKey::try_from).transpose()
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, team: TeamId) -> Result<Vec<ApiKey>, StoreError> {
    let rows = LIST.fetch_all(conn, (team.as_uuid(),)).await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// The number of a team's keys, also of those that have expired.
pub async fn count(conn: &mut PgConnection, team: TeamId) -> Result<i64, StoreError> {
    let (count,) = COUNT.fetch_one(conn, (team.as_uuid(),)).await?;
    Ok(count)
}

/// A key of a team. No other transaction revokes it before this one ends.
pub async fn lock(
    conn: &mut PgConnection,
    team: TeamId,
    id: ApiKeyId,
) -> Result<Option<ApiKey>, StoreError> {
    let values = (team.as_uuid(), id.as_uuid());
    let row = LOCK.fetch_optional(conn, values).await?;
    row.map(ApiKey::try_from).transpose()
}

pub async fn delete(conn: &mut PgConnection, team: TeamId, id: ApiKeyId) -> Result<(), StoreError> {
    let values = (team.as_uuid(), id.as_uuid());
    DELETE.execute(conn, values).await.map(drop)
}

/// Deletes the keys that a user created, in every team (B-184), and returns them.
pub async fn delete_made_by(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Vec<ApiKeyId>, StoreError> {
    let rows = DELETE_CREATED_BY.fetch_all(conn, (user.as_uuid(),)).await?;
    Ok(rows
        .into_iter()
        .map(|(key,)| ApiKeyId::from_uuid(key))
        .collect())
}

/// The keys that a user created since the user's password was last set, in every team; newest first.
pub async fn added(conn: &mut PgConnection, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
    let rows = ADDED.fetch_all(conn, (user.as_uuid(),)).await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// Deletes the keys that [`added`] lists, without its limit, and returns them.
pub async fn delete_added(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Vec<ApiKey>, StoreError> {
    let rows = DELETE_ADDED.fetch_all(conn, (user.as_uuid(),)).await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// Records when keys were last used, for many keys at once. The moment never moves back.
pub async fn touch(
    conn: &mut PgConnection,
    used: &[(ApiKeyId, DateTime<Utc>)],
) -> Result<(), StoreError> {
    let values = used.iter().map(|(id, at)| (id.as_uuid(), *at)).unzip();
    TOUCH.execute(conn, values).await.map(drop)
}
