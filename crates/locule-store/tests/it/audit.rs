//! Table `audit_logs`: what was written to the trail stays in it (B-080).

use locule_ids::{AuditId, TeamId};
use locule_store::{PgConnection, StoreError, audit};
use locule_testkit::builders::noon;
use serde_json::json;
use sqlx::PgPool;

fn entry(action: &str) -> audit::Entry<'_> {
    audit::Entry {
        id: AuditId::random(),
        team: TeamId::PLATFORM,
        actor_type: "system",
        actor_id: None,
        actor_name: "",
        resource_type: "sandbox",
        resource_id: Some("sb-1".to_owned()),
        action,
        scope: "team",
        status: "info",
        metadata: json!({ "a": 1 }),
        created_at: noon(),
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_entry_is_neither_changed_nor_removed(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    audit::insert(&mut conn, entry("create")).await.unwrap();
    for statement in [
        "UPDATE audit_logs SET action = 'nothing'",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
    ] {
        let refused = sqlx::query(statement)
            .execute(&mut *conn)
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains("append only"),
            "{statement}: {refused}"
        );
    }
    let left = audit::actions_of(&mut conn, "sb-1").await.unwrap();
    assert_eq!(left, ["create"]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_entry_of_a_change_that_is_rolled_back_is_not_there(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    audit::insert(&mut tx, entry("create")).await.unwrap();
    tx.rollback().await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    assert!(
        audit::actions_of(&mut conn, "sb-1")
            .await
            .unwrap()
            .is_empty()
    );
}

async fn refused(conn: &mut PgConnection, entry: audit::Entry<'_>) {
    let error = audit::insert(conn, entry).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn actors_scopes_and_statuses_are_the_known_ones(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let unknown = [
        audit::Entry {
            actor_type: "nobody",
            ..entry("create")
        },
        audit::Entry {
            scope: "world",
            ..entry("create")
        },
        audit::Entry {
            status: "fine",
            ..entry("create")
        },
    ];
    for entry in unknown {
        refused(&mut conn, entry).await;
    }
}
