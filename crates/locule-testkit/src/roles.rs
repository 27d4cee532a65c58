//! The roles of a database: tests use the rights of `locule serve`, as the platform does.

use locule_store::{PgPool, SERVE_ROLE, ensure_serve_role, grant_to_serve};
use sqlx::{Connection as _, PgConnection};

/// Gives the connections of a pool the rights of `locule serve`, before the pool is used: the connections that a pool has open keep
/// the owner's rights.
pub async fn as_serve(pool: &PgPool) {
    let mut conn = as_owner(pool).await;
    ensure_serve_role(&mut conn).await.expect("create the role");
    let granted = grant_to_serve(&mut conn, SERVE_ROLE).await;
    granted.expect("grant the rights of serve");
    let options = pool.connect_options();
    pool.set_connect_options((*options).clone().options([("role", SERVE_ROLE)]));
    conn.close().await.expect("close a connection");
    if let Some(open) = pool.try_acquire() {
        open.close().await.expect("close a connection");
    }
}

/// A connection of the owner of the tables, for what the platform may not do.
pub async fn as_owner(pool: &PgPool) -> PgConnection {
    let options = pool.connect_options();
    let mut conn = PgConnection::connect_with(&options).await.expect("connect");
    sqlx::query("SET ROLE NONE")
        .execute(&mut conn)
        .await
        .expect("become the owner");
    conn
}

/// Runs statements as the owner of the tables.
pub async fn run_as_owner(pool: &PgPool, sql: &'static str) {
    let mut conn = as_owner(pool).await;
    sqlx::raw_sql(sql)
        .execute(&mut conn)
        .await
        .expect("run as the owner");
    conn.close().await.expect("close a connection");
}
