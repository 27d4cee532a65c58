//! Every line of SQL.
//!
//! Functions per table; the connection is the first argument and the caller owns the transaction. Rows become domain values
//! here; a row that cannot be is an error that names table and id, never a panic. Writers name the generation they saw;
//! stale ones lose.

pub mod api_keys;
pub mod audit;
pub mod cluster;
pub mod hosts;
pub mod idempotency;
pub mod jobs;
pub mod members;
pub mod oauth_providers;
pub mod sandboxes;
pub mod sessions;
pub mod teams;
pub mod templates;
pub mod users;

pub use sqlx::{PgConnection, PgPool};

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// The schema, in the binary.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nobody answers, or the connection broke: the same call may work later.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
    #[error("row {id} of {table} holds a value that cannot be")]
    Impossible { table: &'static str, id: String },
    #[error("the database has the schema of another version, and nothing in it was changed")]
    Schema(#[source] MigrateError),
}

impl From<sqlx::Error> for StoreError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum may grow"
    )]
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_) => Self::Unavailable(error),
            // Class 57: the server is shutting down or starting; class 08: the connection failed.
            sqlx::Error::Database(database)
                if database
                    .code()
                    .is_some_and(|code| code.starts_with("57P") || code.starts_with("08")) =>
            {
                Self::Unavailable(error)
            }
            _ => Self::Database(error),
        }
    }
}

/// Reads a column that holds one of a few words.
fn word<T: std::str::FromStr>(
    table: &'static str,
    id: impl std::fmt::Display,
    text: &str,
) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Impossible {
        table,
        id: id.to_string(),
    })
}

/// Opens a pool of connections. Does not wait for the first one.
pub fn connect(url: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)?.application_name("locule");
    let pool = PgPoolOptions::new()
        .max_connections(20)
        .acquire_timeout(Duration::from_secs(5));
    Ok(pool.connect_lazy_with(options))
}

/// Brings the schema up to date, under a lock that other replicas wait for. One that another version made, with migrations
/// that are not ours, is refused before anything is done to it (B-001).
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum may grow"
    )]
    MIGRATIONS.run(pool).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Schema(other),
    })
}

/// A connection that goes back to its pool.
pub type PooledConnection = sqlx::pool::PoolConnection<sqlx::Postgres>;
/// Rolled back unless committed.
pub type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;

/// Makes a database that is not there yet. The name is one of ours, never a user's.
pub async fn ensure_database(pool: &PgPool, name: &'static str) -> Result<(), StoreError> {
    let there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_optional(pool)
        .await?;
    if there.is_none() {
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(pool)
            .await?;
    }
    Ok(())
}
