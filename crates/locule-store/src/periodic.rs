//! Table `periodic_jobs`: which process runs a pass of a periodic job, and what the latest pass did.
//!
//! A pass holds an advisory lock of PostgreSQL, so that one process at a time runs the job (W-018). One connection of a process holds the
//! locks of all its passes: were each pass to keep a connection of the pool while it waits for others, a full pool would never empty.
//! PostgreSQL gives the locks back with the connection of a process that died.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection, PgPool};
use tokio::sync::Mutex;

use crate::StoreError;
use crate::statement::{Statement, statements};

type Time = DateTime<Utc>;
type Columns = (
    String,
    Option<Time>,
    Option<Time>,
    Option<String>,
    i64,
    i64,
    i64,
);

statements! {
    ENSURE: (&str,) = "INSERT INTO periodic_jobs (name) VALUES ($1) ON CONFLICT DO NOTHING";
    TRY_LOCK: (&str,) => (bool,) =
        "SELECT pg_try_advisory_lock(hashtext('locule periodic job'), hashtext($1))";
    UNLOCK: (&str,) => (bool,) = "SELECT pg_advisory_unlock(hashtext('locule periodic job'), hashtext($1))";
    LAST_STARTED: (&str,) => (Option<DateTime<Utc>>,) = "SELECT last_started_at FROM periodic_jobs WHERE name = $1";
    BEGIN: (&str, DateTime<Utc>) = "UPDATE periodic_jobs SET last_started_at = $2 WHERE name = $1";
    END: (&str, DateTime<Utc>, Option<String>, i64, i64, i64) =
        "UPDATE periodic_jobs SET last_finished_at = $2, last_error = $3, found = $4, changed = $5, failed = $6
         WHERE name = $1";
    LIST: () => Columns =
        "SELECT name, last_started_at, last_finished_at, last_error, found, changed, failed FROM periodic_jobs
         ORDER BY name LIMIT 1000";
}

/// What the latest passes of a periodic job did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodicJob {
    pub name: String,
    pub last_started_at: Option<DateTime<Utc>>,
    pub last_finished_at: Option<DateTime<Utc>>,
    /// Why the pass that finished last failed.
    pub last_error: Option<String>,
    /// What that pass found, changed, and could not change.
    pub counts: Counts,
}

/// Adds the row of a job unless it exists.
pub async fn ensure(conn: &mut PgConnection, name: &str) -> Result<(), StoreError> {
    ENSURE.execute(conn, (name,)).await.map(drop)
}

/// The locks of a process. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct JobLocks {
    options: Arc<PgConnectOptions>,
    connection: Arc<Mutex<Option<PgConnection>>>,
}

impl std::fmt::Debug for JobLocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobLocks").finish_non_exhaustive()
    }
}

impl JobLocks {
    /// Locks in the database of a pool.
    pub fn new(pool: &PgPool) -> Self {
        Self {
            options: pool.connect_options(),
            connection: Arc::default(),
        }
    }

    /// Takes the lock of a job. `false`: another process has it. A process that has the lock already gets it again, because the pass
    /// that took it was dropped.
    pub async fn try_lock(&self, name: &str) -> Result<bool, StoreError> {
        self.ask(&TRY_LOCK, name).await
    }

    /// Gives the lock of a job back.
    pub async fn unlock(&self, name: &str) -> Result<(), StoreError> {
        self.ask(&UNLOCK, name).await.map(drop)
    }

    async fn ask<'t>(
        &self,
        statement: &Statement<(&'t str,), (bool,)>,
        name: &'t str,
    ) -> Result<bool, StoreError> {
        let mut kept = self.connection.lock().await;
        let mut conn = match kept.take() {
            Some(conn) => conn,
            None => self.options.connect().await?,
        };
        // A connection that broke is not kept: its locks are gone with it.
        let (answer,) = statement.fetch_one(&mut conn, (name,)).await?;
        *kept = Some(conn);
        Ok(answer)
    }
}

/// When the latest pass of a job began, in whichever process.
pub async fn last_started(
    conn: &mut PgConnection,
    name: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let row = LAST_STARTED.fetch_optional(conn, (name,)).await?;
    Ok(row.and_then(|(at,)| at))
}

/// Records that a pass begins.
pub async fn begin(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    BEGIN.execute(conn, (name, now)).await.map(drop)
}

/// What a pass found, changed, and could not change.
pub type Counts = (i64, i64, i64);

/// Records that a pass has ended, and why it failed, if it did.
pub async fn end(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
    error: Option<String>,
    (found, changed, failed): Counts,
) -> Result<(), StoreError> {
    let values = (name, now, error, found, changed, failed);
    END.execute(conn, values).await.map(drop)
}

/// Every periodic job that has run.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<PeriodicJob>, StoreError> {
    let rows = LIST.fetch_all(conn, ()).await?.into_iter();
    let jobs = rows.map(
        |(name, started, finished, last_error, found, changed, failed)| PeriodicJob {
            name,
            last_started_at: started,
            last_finished_at: finished,
            last_error,
            counts: (found, changed, failed),
        },
    );
    Ok(jobs.collect())
}
