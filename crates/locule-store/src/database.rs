//! Databases as a whole: a database that does not exist yet, the state of its schema, and the role of `locule serve`.
//!
//! The owner of the tables migrates them, and gives the role of `locule serve` what that role needs and no more
//! (`grant_to_serve` in the migration). The role may not change the schema, nor an entry of the audit log.

use std::str::FromStr as _;

use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::statement::statements;
use crate::{MIGRATIONS, StoreError};

/// The role of `locule serve` in the database of `locule up`.
pub const SERVE_ROLE: &str = "locule_serve";

statements! {
    EXISTS: (&str,) => (bool,) = "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)";
    ROLE_EXISTS: (&str,) => (bool,) = "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)";
    GRANT_TO_SERVE: (&str,) = "SELECT grant_to_serve($1)";
    /// Whether the role may do what the owner of the tables may. No row: there are no tables yet.
    IS_OWNER: () => (bool,) =
        "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('audit_logs')";
    APPLIED: () => (i64, Vec<u8>) = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";
}

/// Creates a database unless it exists. The name is a constant of this program, never a user's text.
pub async fn ensure_database(pool: &PgPool, name: &'static str) -> Result<(), StoreError> {
    let mut conn = pool.acquire().await?;
    let (exists,) = EXISTS.fetch_one(&mut conn, (name,)).await?;
    if !exists {
        create(&mut conn, format!("CREATE DATABASE {name}")).await?;
    }
    Ok(())
}

/// Creates [`SERVE_ROLE`] unless it exists. How it logs in is a matter of the server's configuration.
pub async fn ensure_serve_role(conn: &mut PgConnection) -> Result<(), StoreError> {
    let (exists,) = ROLE_EXISTS.fetch_one(conn, (SERVE_ROLE,)).await?;
    if !exists {
        let sql = format!("CREATE ROLE {SERVE_ROLE} LOGIN NOINHERIT");
        if let Err(error) = create(conn, sql).await {
            // Another process may have created it in the meantime.
            let (exists,) = ROLE_EXISTS.fetch_one(conn, (SERVE_ROLE,)).await?;
            return if exists { Ok(()) } else { Err(error) };
        }
    }
    Ok(())
}

/// Names cannot be parameters of a statement.
async fn create(conn: &mut PgConnection, sql: String) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Gives an existing role the rights of `locule serve`. For the owner of the tables, after each migration.
pub async fn grant_to_serve(conn: &mut PgConnection, role: &str) -> Result<(), StoreError> {
    GRANT_TO_SERVE.execute(conn, (role,)).await.map(drop)
}

/// The role that a URL connects as.
pub fn role_of(url: &str) -> Result<String, StoreError> {
    let options = PgConnectOptions::from_str(url)?;
    Ok(options.get_username().to_owned())
}

/// Whether the connections of the pool may do what the owner of the tables may, as on a database without tables.
pub async fn is_owner(pool: &PgPool) -> Result<bool, StoreError> {
    let mut conn = pool.acquire().await?;
    let found = IS_OWNER.fetch_optional(&mut conn, ()).await?;
    Ok(found.is_none_or(|(is_owner,)| is_owner))
}

/// Checks that the schema is that of this version, without the right to change it.
pub async fn check_schema(pool: &PgPool) -> Result<(), StoreError> {
    let mut conn = pool.acquire().await?;
    let applied = APPLIED.fetch_all(&mut conn, ()).await?;
    let newest = MIGRATIONS.iter().map(|one| one.version).max().unwrap_or(0);
    for (version, checksum) in &applied {
        let Some(ours) = MIGRATIONS.iter().find(|one| one.version == *version) else {
            return Err(StoreError::Schema(MigrateError::VersionMissing(*version)));
        };
        if *checksum != *ours.checksum {
            return Err(StoreError::Schema(MigrateError::VersionMismatch(*version)));
        }
    }
    if applied.last().map_or(0, |(version, _)| *version) < newest {
        return Err(StoreError::Schema(MigrateError::VersionNotPresent(newest)));
    }
    Ok(())
}
