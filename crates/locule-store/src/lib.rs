//! Every line of SQL.
//!
//! Functions per table; the connection is the first argument and the caller owns the transaction. Rows become domain values
//! here; a row that holds an impossible value is an error that names table and id, never a panic. Writers name the version of
//! the row that they saw; a writer whose version is old changes nothing. Statements are declared with their types and checked
//! against the schema by a test (`statement.rs`).
//!
//! # The order of locks
//!
//! Every transaction locks rows in this order, so that no two transactions wait for each other:
//!
//! | | rows | locked by |
//! |---|---|---|
//! | 1 | teams, by id | changes of a team, its members and keys, creates, resumes and pauses by clients: `FOR NO KEY UPDATE` |
//! | 2 | users, by id | [`authority`] and who takes part in a change: `FOR KEY SHARE`; whatever changes a user or ends logins or keys: `FOR UPDATE` |
//! | 3 | sessions | [`authority`]: `FOR SHARE`; a logout and a renewal update them |
//! | 4 | memberships | [`authority`]: `FOR SHARE`; a removal deletes them |
//! | 5 | API keys | [`authority`]: `FOR KEY SHARE`; a revocation deletes them |
//! | 6 | everything else | sandboxes, idempotency keys, tokens of e-mails, invitations, jobs, the audit log |
//!
//! A transaction that locks several users locks them by one statement or in the order of their ids, each as strongly as the transaction needs:
//! a shared lock is never made stronger. No transaction waits for a row that another one has inserted and not committed, except for a taken
//! address or slug: a sign-up may insert its user before it locks a team. A logout confirms nothing: it takes only the caller's own
//! rights away, and locks the user before the session.

pub mod api_keys;
pub mod audit;
pub mod authority;
pub mod changes;
pub mod cluster;
mod database;
pub mod host_tokens;
pub mod hosts;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
pub mod members;
pub mod oauth_providers;
pub mod periodic;
pub mod port_links;
pub mod sandbox_callers;
pub mod sandboxes;
pub mod sessions;
mod statement;
pub mod teams;
pub mod templates;
pub mod users;

pub use database::{
    SERVE_ROLE, check_schema, ensure_database, ensure_serve_role, grant_to_serve, is_owner, role_of,
};
pub use sqlx::{PgConnection, PgPool};

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// The schema, in the binary.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The server does not answer, or the connection broke: the same call may work later.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
    #[error("row {id} of table {table} holds a value that this version does not know")]
    Impossible { table: &'static str, id: String },
    #[error("the database has the schema of another version; nothing in it was changed")]
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

/// Reads a column that holds one of a fixed set of words.
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

/// Opens a pool of connections without waiting for the first connection.
pub fn connect(url: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)?.application_name("locule");
    // One of them listens to changes.
    let pool = PgPoolOptions::new()
        .max_connections(21)
        .acquire_timeout(Duration::from_secs(5));
    Ok(pool.connect_lazy_with(options))
}

/// Brings the schema up to date, under a lock that other replicas wait for. A schema with migrations that this version does not
/// know is refused before anything in it changes (B-001).
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

/// A connection that returns to its pool when it is dropped.
pub type PooledConnection = sqlx::pool::PoolConnection<sqlx::Postgres>;
/// Rolled back unless committed.
pub type Transaction = sqlx::Transaction<'static, sqlx::Postgres>;
