//! Table `jobs`: work that a change leaves behind, written in the change's own transaction and done at least once.
//!
//! ```text
//! inserted ──► due ──claim──► leased ──finish──► gone
//!               ▲               │ postpone, or the lease runs out
//!               └───────────────┘
//! ```

use chrono::{DateTime, Utc};
use locule_ids::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub payload: serde_json::Value,
    /// With this one.
    pub attempts: i32,
}

/// Due at `run_at`: whoever writes it may keep the first try to itself.
pub async fn insert(
    conn: &mut PgConnection,
    id: JobId,
    kind: &str,
    payload: &serde_json::Value,
    now: DateTime<Utc>,
    run_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO jobs (id, kind, payload, created_at, run_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(id.as_uuid())
    .bind(kind)
    .bind(payload)
    .bind(now)
    .bind(run_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes jobs that are due, for as long as the lease. Nobody else gets them meanwhile.
pub async fn claim(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Job>, StoreError> {
    let rows: Vec<(Uuid, String, serde_json::Value, i32)> = sqlx::query_as(
        "UPDATE jobs SET attempts = attempts + 1, run_at = $2
         WHERE id IN (SELECT id FROM jobs WHERE run_at <= $1 ORDER BY run_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING id, kind, payload, attempts",
    )
    .bind(now)
    .bind(leased_until)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, kind, payload, attempts)| Job {
            id: JobId::from_uuid(id),
            kind,
            payload,
            attempts,
        })
        .collect())
}

pub async fn finish(conn: &mut PgConnection, id: JobId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM jobs WHERE id = $1")
        .bind(id.as_uuid())
        .execute(conn)
        .await?;
    Ok(())
}

/// Tried again at `run_at`.
pub async fn postpone(
    conn: &mut PgConnection,
    id: JobId,
    run_at: DateTime<Utc>,
    error: &str,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE jobs SET run_at = $2, last_error = $3 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(run_at)
        .bind(error)
        .execute(conn)
        .await?;
    Ok(())
}
