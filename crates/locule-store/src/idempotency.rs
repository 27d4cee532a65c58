//! Table `idempotency_keys`: which request a key belongs to, and what came of it.

use chrono::{DateTime, Utc};
use locule_ids::{SandboxId, TeamId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

/// An earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    pub request_hash: String,
    pub sandbox: SandboxId,
    /// What it was answered, where nothing came of it.
    pub failure: Option<Value>,
}

/// Claims a key for a new sandbox. `Some`: somebody was first.
pub async fn claim(
    conn: &mut PgConnection,
    team: TeamId,
    key: &str,
    request_hash: &str,
    sandbox: SandboxId,
    now: DateTime<Utc>,
) -> Result<Option<Earlier>, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO idempotency_keys (team_id, key, request_hash, sandbox_id, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(team.as_uuid())
    .bind(key)
    .bind(request_hash)
    .bind(sandbox.as_uuid())
    .bind(now)
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    get(conn, team, key).await
}

/// What a key belongs to.
pub async fn get(
    conn: &mut PgConnection,
    team: TeamId,
    key: &str,
) -> Result<Option<Earlier>, StoreError> {
    let row: Option<(String, Uuid, Option<Value>)> = sqlx::query_as(
        "SELECT request_hash, sandbox_id, failure FROM idempotency_keys WHERE team_id = $1 AND key = $2",
    )
    .bind(team.as_uuid())
    .bind(key)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(request_hash, sandbox, failure)| Earlier {
        request_hash,
        sandbox: SandboxId::from_uuid(sandbox),
        failure,
    }))
}

/// Writes what the request of a key is answered: nothing came of it.
pub async fn fail(
    conn: &mut PgConnection,
    team: TeamId,
    key: &str,
    failure: &Value,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE idempotency_keys SET failure = $3 WHERE team_id = $1 AND key = $2")
        .bind(team.as_uuid())
        .bind(key)
        .bind(failure)
        .execute(conn)
        .await?;
    Ok(())
}
