//! Which database this is, and how far it has come.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

/// Writes the cluster's id once; later calls keep the first.
pub async fn ensure(
    conn: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO cluster (id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(id)
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// Which database this is, and a number of its write counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub cluster: Uuid,
    pub counter: i64,
}

/// Draws the next number of the write counter.
pub async fn next_write(conn: &mut PgConnection) -> Result<Written, StoreError> {
    read(conn, "SELECT id, nextval('write_counter') FROM cluster").await
}

/// The last number that was drawn.
pub async fn last_write(conn: &mut PgConnection) -> Result<Written, StoreError> {
    read(conn, "SELECT id, last_value FROM cluster, write_counter").await
}

async fn read(conn: &mut PgConnection, sql: &'static str) -> Result<Written, StoreError> {
    let (cluster, counter): (Uuid, i64) = sqlx::query_as(sql).fetch_one(conn).await?;
    Ok(Written { cluster, counter })
}

/// Whether the database answers.
pub async fn ping(conn: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT 1").execute(conn).await?;
    Ok(())
}
