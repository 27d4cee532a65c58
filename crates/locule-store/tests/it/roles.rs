//! What the role of `locule serve` may do, and what only the owner of the tables may.

use locule_ids::{AuditId, TeamId};
use locule_store::{StoreError, audit, check_schema, is_owner, migrate, users};
use locule_testkit::as_serve;
use locule_testkit::builders::{self, noon};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgPool};

fn entry() -> audit::Entry<'static> {
    audit::Entry {
        id: AuditId::random(),
        team: TeamId::PLATFORM,
        actor_type: "system",
        actor_id: None,
        actor_name: "",
        resource_type: "sandbox",
        resource_id: Some("sb-1".to_owned()),
        action: "create",
        scope: "team",
        status: "info",
        metadata: json!({}),
        created_at: noon(),
    }
}

/// An attacker who controls `locule serve` has its role.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_role_of_serve_adds_entries_to_the_audit_log_and_changes_none(pool: PgPool) {
    as_serve(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    audit::insert(&mut conn, entry()).await.unwrap();
    for attempt in [
        "UPDATE audit_logs SET action = 'nothing'",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
        "SET locule.anonymizing = 'on'; UPDATE audit_logs SET actor_id = NULL",
        "SET session_replication_role = 'replica'; DELETE FROM audit_logs",
        "ALTER TABLE audit_logs DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_logs_append_only ON audit_logs",
        "CREATE TRIGGER mine BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION audit_logs_are_append_only()",
        "CREATE OR REPLACE FUNCTION audit_logs_are_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "ALTER TABLE audit_logs OWNER TO CURRENT_USER",
        "DROP TABLE audit_logs",
        "CREATE TABLE public.mine (id INT)",
        "INSERT INTO audit_logs SELECT * FROM audit_logs ON CONFLICT (id) DO UPDATE SET action = 'nothing'",
        "SELECT * FROM audit_logs FOR UPDATE",
        "SELECT grant_to_serve('locule_serve')",
        "UPDATE _sqlx_migrations SET checksum = ''",
        "CREATE ROLE mine SUPERUSER",
        // Only a deleted user can be taken out of the entries.
        "SELECT audit_anonymize((SELECT id FROM users LIMIT 1))",
    ] {
        let mut tx = conn.begin().await.unwrap();
        let refused = sqlx::raw_sql(attempt).execute(&mut *tx).await;
        let refused = refused.expect_err(attempt).to_string();
        let causes = [
            "permission denied",
            "must be owner",
            "must be superuser",
            "is not deleted",
        ];
        assert!(
            causes.iter().any(|cause| refused.contains(cause)),
            "{attempt}: {refused}"
        );
        tx.rollback().await.unwrap();
    }
    let filter = audit::Filter {
        admin_scope: true,
        limit: 10,
        ..audit::Filter::default()
    };
    let listed = audit::list(&mut conn, TeamId::PLATFORM, &filter).await;
    assert_eq!(listed.unwrap()[0].action, "create");

    // What the purge of accounts does, with the rights of the owner.
    let deleted = locule_domain::UserStatus::Deleted;
    users::set_status(&mut conn, ada, deleted, noon())
        .await
        .unwrap();
    let purged = users::purge(&mut conn, noon() + chrono::Duration::days(1), 10).await;
    assert_eq!(purged.unwrap(), 1);
}

/// A schema that comes first in the search path does not change what the owner's function does.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_callers_search_path_has_no_effect_on_the_function_that_anonymizes(pool: PgPool) {
    as_serve(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let of_ada = audit::Entry {
        actor_type: "user",
        actor_id: Some(ada.to_string()),
        ..entry()
    };
    audit::insert(&mut conn, of_ada).await.unwrap();
    // A temporary table, which PostgreSQL looks up before any other, says that the user is deleted.
    let bait = format!(
        "CREATE TEMP TABLE users (id UUID, email TEXT, deleted_at TIMESTAMPTZ);
         INSERT INTO pg_temp.users VALUES ('{}', 'ada@locule.test', now());
         SET search_path = pg_temp, public",
        ada.as_uuid()
    );
    sqlx::raw_sql(AssertSqlSafe(bait))
        .execute(&mut *conn)
        .await
        .unwrap();
    let refused = sqlx::query("SELECT audit_anonymize($1)")
        .bind(ada.as_uuid())
        .execute(&mut *conn)
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("is not deleted"), "{refused}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn only_the_owner_is_taken_for_the_owner_and_only_the_owner_migrates(pool: PgPool) {
    let owner = PgPoolOptions::new().connect_lazy_with((*pool.connect_options()).clone());
    assert!(is_owner(&owner).await.unwrap());
    check_schema(&owner).await.unwrap();
    as_serve(&pool).await;
    assert!(!is_owner(&pool).await.unwrap());
    check_schema(&pool).await.unwrap();
    migrate(&pool).await.unwrap_err();
    for (change, back) in [
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (2, '', TRUE, '', 0)",
            "DELETE FROM _sqlx_migrations WHERE version = 2",
        ),
        (
            "UPDATE _sqlx_migrations SET checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))",
            "UPDATE _sqlx_migrations SET checksum = set_byte(checksum, 0, 255 - get_byte(checksum, 0))",
        ),
    ] {
        sqlx::query(change).execute(&owner).await.unwrap();
        let refused = check_schema(&pool).await.unwrap_err();
        assert!(matches!(refused, StoreError::Schema(_)), "{refused:?}");
        sqlx::query(back).execute(&owner).await.unwrap();
    }
    check_schema(&pool).await.unwrap();
    sqlx::query("DELETE FROM _sqlx_migrations")
        .execute(&owner)
        .await
        .unwrap();
    let refused = check_schema(&pool).await.unwrap_err();
    assert!(matches!(refused, StoreError::Schema(_)), "{refused:?}");
    owner.close().await;
}

#[sqlx::test(migrations = false)]
async fn the_role_that_finds_an_empty_database_is_its_owner(pool: PgPool) {
    assert!(is_owner(&pool).await.unwrap());
}
