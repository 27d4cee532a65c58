//! Table `cluster` and sequence `write_counter`: which database this is, and how far it has come.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

statements! {
    INSERT: (Uuid, DateTime<Utc>) =
        "INSERT INTO cluster (id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    NEXT_WRITE: () => (Uuid, i64) = "SELECT id, nextval('write_counter') FROM cluster";
    LAST_WRITE: () => (Uuid, i64) = "SELECT id, last_value FROM cluster, write_counter";
    CLAIM_FIRST: (DateTime<Utc>,) =
        "UPDATE cluster SET first_administrator_at = $1 WHERE first_administrator_at IS NULL";
    NEVER_CLAIMED: () => (bool,) =
        "SELECT EXISTS (SELECT 1 FROM cluster WHERE first_administrator_at IS NULL)";
    PING: () = "SELECT 1";
}

/// Writes the cluster's id once; later calls keep the first.
pub async fn ensure(
    conn: &mut PgConnection,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    INSERT.execute(conn, (id, now)).await.map(drop)
}

/// Makes the account that the caller activates the first one, whose owner administers the platform. Of all accounts that the
/// installation ever has, exactly one gets `true`. A concurrent claim waits until this transaction ends.
pub async fn claim_first_account(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    Ok(CLAIM_FIRST.execute(conn, (now,)).await? == 1)
}

/// Whether no account was ever the first one.
pub async fn never_had_account(conn: &mut PgConnection) -> Result<bool, StoreError> {
    let (never,) = NEVER_CLAIMED.fetch_one(conn, ()).await?;
    Ok(never)
}

/// A number of the database's write counter, with the database's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub cluster: Uuid,
    pub counter: i64,
}

/// Draws the next number of the write counter.
pub async fn next_write(conn: &mut PgConnection) -> Result<Written, StoreError> {
    let (cluster, counter) = NEXT_WRITE.fetch_one(conn, ()).await?;
    Ok(Written { cluster, counter })
}

/// The last number that was drawn.
pub async fn last_write(conn: &mut PgConnection) -> Result<Written, StoreError> {
    let (cluster, counter) = LAST_WRITE.fetch_one(conn, ()).await?;
    Ok(Written { cluster, counter })
}

/// Fails unless the database answers.
pub async fn ping(conn: &mut PgConnection) -> Result<(), StoreError> {
    PING.execute(conn, ()).await.map(drop)
}
