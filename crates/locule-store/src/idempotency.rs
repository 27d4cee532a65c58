//! Table `idempotency_keys`: which request a key belongs to, and what came of it.

use chrono::{DateTime, Utc};
use locule_ids::{SandboxId, TeamId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

/// An earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    pub request_hash: String,
    pub sandbox: SandboxId,
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
    let row: Option<(String, Uuid)> = sqlx::query_as(
        "SELECT request_hash, sandbox_id FROM idempotency_keys WHERE team_id = $1 AND key = $2",
    )
    .bind(team.as_uuid())
    .bind(key)
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(request_hash, sandbox)| Earlier {
        request_hash,
        sandbox: SandboxId::from_uuid(sandbox),
    }))
}
