//! The schema as a whole: what its columns are, and what it refuses.

use locule_ids::TeamId;
use locule_store::{StoreError, migrate};
use locule_testkit::builders;
use sqlx::PgPool;

/// B-001.
#[test]
fn one_migration_makes_the_whole_schema() {
    assert_eq!(locule_store::MIGRATIONS.iter().count(), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn migrating_again_changes_nothing_and_another_schema_is_refused(pool: PgPool) {
    migrate(&pool).await.unwrap();
    sqlx::query("UPDATE _sqlx_migrations SET checksum = '\\x00'")
        .execute(&pool)
        .await
        .unwrap();
    let refused = migrate(&pool).await.unwrap_err();
    assert!(matches!(refused, StoreError::Schema(_)), "{refused:?}");
}

/// B-002: every entity id is a UUID; only the trail's actor and resource are text.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_id_is_a_uuid(pool: PgPool) {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name || '.' || column_name, data_type FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'
           AND (column_name = 'id' OR column_name LIKE '%\\_id' OR column_name = 'created_by') ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(columns.len() > 20, "{columns:?}");
    let text: Vec<&str> = columns
        .iter()
        .filter(|(_, kind)| kind != "uuid")
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(text, ["audit_logs.actor_id", "audit_logs.resource_id"]);
}

/// W-031: an id that is missing is missing; none becomes the platform team by a default.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn no_id_has_a_default(pool: PgPool) {
    let defaults: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND data_type = 'uuid' AND column_default IS NOT NULL",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(defaults.is_empty(), "{defaults:?}");
    let zeros: Vec<String> = sqlx::query_scalar("SELECT slug FROM teams WHERE id = $1")
        .bind(TeamId::PLATFORM.as_uuid())
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(zeros, ["platform"]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn times_are_with_time_zone(pool: PgPool) {
    let without: Vec<String> = sqlx::query_scalar(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(without.is_empty(), "{without:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_no_sandbox_may_be_is_refused(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    builders::sandbox(team).insert(&mut conn).await;
    for change in [
        "status = 'asleep'",
        "desired = 'better'",
        "on_timeout = 'wait'",
        // It runs somewhere, or it does not run.
        "status = 'running'",
        "status = 'starting'",
        "status = 'paused'",
        "team_id = gen_random_uuid()",
        "generation = NULL",
    ] {
        let sql = format!("UPDATE sandboxes SET {change}");
        let refused = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *conn)
            .await;
        assert!(refused.is_err(), "{change} was let in");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn words_of_the_other_tables_are_the_known_ones(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (user, team) = builders::team(&mut conn, "ada").await;
    let key = "INSERT INTO team_api_keys (id, team_id, name, key_hash, key_prefix, created_by, created_at)
               VALUES (gen_random_uuid(), $1, '', '', '', $2, now())";
    let key = sqlx::query(key).bind(team.as_uuid()).bind(user.as_uuid());
    key.execute(&mut *conn).await.unwrap();
    let host =
        "INSERT INTO hosts (id, created_at, updated_at) VALUES (gen_random_uuid(), now(), now())";
    sqlx::query(host).execute(&mut *conn).await.unwrap();
    for change in [
        "UPDATE users SET status = 'tired'",
        "UPDATE users_teams SET role = 'guest'",
        "UPDATE team_api_keys SET scope = 'all'",
        "UPDATE hosts SET status = 'draining'",
        "UPDATE hosts SET type = 'rented'",
        "UPDATE templates SET type = 'other'",
        "INSERT INTO cluster (only_row, id, created_at) VALUES (FALSE, gen_random_uuid(), now())",
    ] {
        let refused = sqlx::query(change).execute(&mut *conn).await;
        assert!(refused.is_err(), "{change} was let in");
    }
}
