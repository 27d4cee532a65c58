//! Table `team_api_keys`: what programs come in with. Only hashes of keys are kept.

use chrono::{DateTime, Utc};
use locule_domain::Scope;
use locule_ids::{ApiKeyId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{StoreError, word};

/// A key's row, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub team: TeamId,
    pub name: String,
    /// Its first ten characters, to know it by.
    pub prefix: String,
    pub scope: Scope,
    pub created_by: Option<UserId>,
    pub creator_email: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    team_id: Uuid,
    name: String,
    key_prefix: String,
    scope: String,
    created_by: Option<Uuid>,
    creator_email: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ApiKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let id = ApiKeyId::from_uuid(row.id);
        Ok(Self {
            id,
            team: TeamId::from_uuid(row.team_id),
            name: row.name,
            prefix: row.key_prefix,
            scope: word("team_api_keys", id, &row.scope)?,
            created_by: row.created_by.map(UserId::from_uuid),
            creator_email: row.creator_email,
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
    sqlx::query(
        "INSERT INTO team_api_keys (id, team_id, name, key_hash, key_prefix, scope, expires_at, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(key.id.as_uuid())
    .bind(key.team.as_uuid())
    .bind(&key.name)
    .bind(key_hash)
    .bind(&key.prefix)
    .bind(key.scope.as_str())
    .bind(key.expires_at)
    .bind(key.created_by.map(UserId::as_uuid))
    .bind(key.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// A key that works now, of a team that lives.
pub async fn by_hash(
    conn: &mut PgConnection,
    key_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<ApiKey>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT k.id, k.team_id, k.name, k.key_prefix, k.scope, k.created_by, NULL AS creator_email, k.created_at, k.expires_at,
                k.last_used
         FROM team_api_keys k JOIN teams t ON t.id = k.team_id
         WHERE k.key_hash = $1 AND t.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2)",
    )
    .bind(key_hash)
    .bind(now)
    .fetch_optional(conn)
    .await?;
    row.map(ApiKey::try_from).transpose()
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, team: TeamId) -> Result<Vec<ApiKey>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT k.id, k.team_id, k.name, k.key_prefix, k.scope, k.created_by, u.email AS creator_email, k.created_at,
                k.expires_at, k.last_used
         FROM team_api_keys k LEFT JOIN users u ON u.id = k.created_by
         WHERE k.team_id = $1 ORDER BY k.created_at DESC, k.id DESC LIMIT 10000",
    )
    .bind(team.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// A key of a team, which nobody else revokes before this transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    team: TeamId,
    id: ApiKeyId,
) -> Result<Option<ApiKey>, StoreError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, team_id, name, key_prefix, scope, created_by, NULL AS creator_email, created_at, expires_at, last_used
         FROM team_api_keys WHERE team_id = $1 AND id = $2 FOR UPDATE",
    )
    .bind(team.as_uuid())
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.map(ApiKey::try_from).transpose()
}

pub async fn delete(conn: &mut PgConnection, team: TeamId, id: ApiKeyId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM team_api_keys WHERE team_id = $1 AND id = $2")
        .bind(team.as_uuid())
        .bind(id.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Every key that somebody made, for whichever team (B-184).
pub async fn delete_made_by(conn: &mut PgConnection, user: UserId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM team_api_keys WHERE created_by = $1")
        .bind(user.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes down when keys were last used: many at once, none of them backwards.
pub async fn touch(
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
