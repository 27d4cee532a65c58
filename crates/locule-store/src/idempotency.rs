//! Table `idempotency_keys`: the request that a key belongs to, and the answer to it.

use chrono::{DateTime, Utc};
use locule_ids::{SandboxId, TeamId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

statements! {
    INSERT: (Uuid, &str, &str, Uuid, DateTime<Utc>) =
        "INSERT INTO idempotency_keys (team_id, key, request_hash, sandbox_id, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    GET: (Uuid, &str) => (String, Uuid, Option<Value>) =
        "SELECT request_hash, sandbox_id, failure FROM idempotency_keys WHERE team_id = $1 AND key = $2";
    SET_FAILURE: (Uuid, &str, &Value) =
        "UPDATE idempotency_keys SET failure = $3 WHERE team_id = $1 AND key = $2";
}

/// An earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    pub request_hash: String,
    pub sandbox: SandboxId,
    /// The error that answered the request, where it created no sandbox.
    pub failure: Option<Value>,
}

/// Claims a key for a new sandbox. `Some`: an earlier request claimed it.
pub async fn claim(
    conn: &mut PgConnection,
    team: TeamId,
    key: &str,
    request_hash: &str,
    sandbox: SandboxId,
    now: DateTime<Utc>,
) -> Result<Option<Earlier>, StoreError> {
    let values = (team.as_uuid(), key, request_hash, sandbox.as_uuid(), now);
    if INSERT.execute(conn, values).await? == 1 {
        return Ok(None);
    }
    get(conn, team, key).await
}

/// The request that claimed a key.
pub async fn get(
    conn: &mut PgConnection,
    team: TeamId,
    key: &str,
) -> Result<Option<Earlier>, StoreError> {
    let row = GET.fetch_optional(conn, (team.as_uuid(), key)).await?;
    Ok(row.map(|(request_hash, sandbox, failure)| Earlier {
        request_hash,
        sandbox: SandboxId::from_uuid(sandbox),
        failure,
    }))
}

/// Records the error that answers the request of a key.
pub async fn fail(
    conn: &mut PgConnection,
    team: TeamId,
    key: &str,
    failure: &Value,
) -> Result<(), StoreError> {
    let values = (team.as_uuid(), key, failure);
    SET_FAILURE.execute(conn, values).await.map(drop)
}
