//! Table `jobs`: work that a change leaves for later, written in the transaction of the change and done at least once.
//!
//! ```text
//! inserted ──► due ──claim──► leased ──finish──► deleted
//!               ▲               │ postpone, or the lease runs out
//!               └───────────────┘
//! ```

use chrono::{DateTime, Utc};
use locule_ids::JobId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

statements! {
    INSERT: (Uuid, &str, &Value, DateTime<Utc>, DateTime<Utc>) =
        "INSERT INTO jobs (id, kind, payload, created_at, run_at) VALUES ($1, $2, $3, $4, $5)";
    CLAIM: (DateTime<Utc>, DateTime<Utc>, i64) => (Uuid, String, Value, i32) =
        "UPDATE jobs SET attempts = attempts + 1, run_at = $2
         WHERE id IN (SELECT id FROM jobs WHERE run_at <= $1 ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING id, kind, payload, attempts";
    DELETE: (Uuid,) = "DELETE FROM jobs WHERE id = $1";
    POSTPONE: (Uuid, DateTime<Utc>, &str) = "UPDATE jobs SET run_at = $2, last_error = $3 WHERE id = $1";
}

#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub payload: Value,
    /// Including the current attempt.
    pub attempts: i32,
}

/// Inserts a job that is due at `run_at`: a caller that makes the first attempt itself sets a later moment.
pub async fn insert(
    conn: &mut PgConnection,
    id: JobId,
    kind: &str,
    payload: &Value,
    now: DateTime<Utc>,
    run_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), kind, payload, now, run_at);
    INSERT.execute(conn, values).await.map(drop)
}

/// Leases jobs that are due. No other caller gets them before the lease ends.
pub async fn claim(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let rows = CLAIM.fetch_all(conn, (now, leased_until, limit)).await?;
    let jobs = rows.into_iter().map(|(id, kind, payload, attempts)| Job {
        id: JobId::from_uuid(id),
        kind,
        payload,
        attempts,
    });
    Ok(jobs.collect())
}

/// Deletes a job that is done.
pub async fn finish(conn: &mut PgConnection, id: JobId) -> Result<(), StoreError> {
    DELETE.execute(conn, (id.as_uuid(),)).await.map(drop)
}

/// Schedules the next attempt of a job that failed.
pub async fn postpone(
    conn: &mut PgConnection,
    id: JobId,
    run_at: DateTime<Utc>,
    error: &str,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), run_at, error);
    POSTPONE.execute(conn, values).await.map(drop)
}
