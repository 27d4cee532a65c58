//! The schema as a whole: the types of its columns, and the values that it refuses.

use locule_ids::TeamId;
use locule_store::{StoreError, connect, migrate};
use locule_testkit::builders;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr as _};

/// B-001.
#[test]
fn one_migration_creates_the_whole_schema() {
    assert_eq!(locule_store::MIGRATIONS.iter().count(), 1);
}

/// Our migrations as another build has them.
fn of_another_build(change: impl Fn(&str) -> String, more: &[(i64, &'static str)]) -> Migrator {
    let migration = |version, sql| {
        let sql = AssertSqlSafe(sql).into_sql_str();
        Migration::new(version, "".into(), MigrationType::Simple, sql, false)
    };
    let ours = locule_store::MIGRATIONS.iter();
    let ours = ours.map(|one| migration(one.version, change(one.sql.as_str())));
    let more = more
        .iter()
        .map(|(version, sql)| migration(*version, (*sql).to_owned()));
    Migrator::with_migrations(ours.chain(more).collect())
}

/// Every table with its columns and what is in it.
async fn everything(pool: &PgPool) -> Vec<(String, String)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut all = Vec::new();
    for table in tables {
        let rows = format!(
            "SELECT (SELECT json_agg(c ORDER BY ordinal_position)::text FROM information_schema.columns c WHERE table_name = '{table}')
             || coalesce((SELECT json_agg(t)::text FROM {table} t), '')"
        );
        let rows = sqlx::query_scalar(AssertSqlSafe(rows));
        all.push((table, rows.fetch_one(pool).await.unwrap()));
    }
    all
}

/// B-001: not in part, and not by a build that knows less.
#[sqlx::test(migrations = false)]
async fn a_schema_of_another_version_is_refused_and_left_unchanged(pool: PgPool) {
    let earlier = |sql: &str| sql.replace("    failure         JSONB,\n", "");
    let later = [(2, "CREATE TABLE later (id UUID)")];
    let builds = [
        (of_another_build(earlier, &[]), "has been modified"),
        (of_another_build(str::to_owned, &later), "is missing"),
    ];
    for (build, why) in builds {
        build.run(&pool).await.unwrap();
        sqlx::query("INSERT INTO users (id, email, created_at, updated_at) VALUES (gen_random_uuid(), 'ada@locule.test', now(), now())")
            .execute(&pool)
            .await
            .unwrap();
        let before = everything(&pool).await;
        let refused = migrate(&pool).await.unwrap_err();
        let StoreError::Schema(cause) = &refused else {
            panic!("{refused:?}");
        };
        assert!(cause.to_string().contains(why), "{cause}");
        assert_eq!(everything(&pool).await, before);
        sqlx::raw_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            .execute(&pool)
            .await
            .unwrap();
    }
    migrate(&pool).await.unwrap();
    let ours = everything(&pool).await;
    migrate(&pool).await.unwrap();
    assert_eq!(everything(&pool).await, ours);
}

#[tokio::test]
async fn an_unreachable_database_is_not_reported_as_another_version() {
    let nowhere = connect("postgres://locule@localhost/locule?host=/nowhere").unwrap();
    let error = migrate(&nowhere).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

/// B-002: every entity id is a UUID; only the actor and the resource of an audit entry are text.
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
    let text_on_purpose = [
        "audit_logs.actor_id",
        "audit_logs.resource_id",
        // The id belongs to another platform.
        "oauth_providers.provider_id",
    ];
    assert_eq!(text, text_on_purpose);
}

/// W-031: a missing id stays missing; a default never turns it into the platform team.
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
async fn every_time_column_has_a_time_zone(pool: PgPool) {
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
async fn the_schema_refuses_invalid_values_of_a_sandbox(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    builders::sandbox(team).insert(&mut conn).await;
    for change in [
        "status = 'asleep'",
        "desired = 'better'",
        "on_timeout = 'wait'",
        // A sandbox that runs has a host.
        "status = 'running'",
        "status = 'starting'",
        "status = 'paused'",
        "team_id = gen_random_uuid()",
        "generation = NULL",
    ] {
        let sql = format!("UPDATE sandboxes SET {change}");
        let refused = sqlx::query(AssertSqlSafe(sql)).execute(&mut *conn).await;
        assert!(refused.is_err(), "{change} was let in");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_schema_refuses_unknown_words_in_the_other_tables(pool: PgPool) {
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
        "UPDATE hosts SET team_id = (SELECT id FROM teams LIMIT 1)",
        "INSERT INTO cluster (only_row, id, created_at) VALUES (FALSE, gen_random_uuid(), now())",
    ] {
        let refused = sqlx::query(change).execute(&mut *conn).await;
        assert!(refused.is_err(), "{change} was let in");
    }
}
