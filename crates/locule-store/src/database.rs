//! Databases as a whole: creating one that does not exist yet.

use sqlx::{AssertSqlSafe, PgPool};

use crate::StoreError;
use crate::statement::statements;

statements! {
    EXISTS: (&str,) => (bool,) = "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)";
}

/// Creates a database unless it exists. The name is a constant of this program, never a user's text.
pub async fn ensure_database(pool: &PgPool, name: &'static str) -> Result<(), StoreError> {
    let mut conn = pool.acquire().await?;
    let (exists,) = EXISTS.fetch_one(&mut conn, (name,)).await?;
    if !exists {
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut *conn).await?;
    }
    Ok(())
}
