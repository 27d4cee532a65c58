//! Table `audit_logs`: an entry stays as it was written (B-080).

use locule_domain::UserStatus;
use locule_ids::{AuditId, TeamId, UserId};
use locule_store::{PgConnection, StoreError, audit, users};
use locule_testkit::builders::{self, noon};
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

async fn listed(conn: &mut PgConnection, filter: &audit::Filter) -> Vec<audit::Listed> {
    audit::list(conn, TeamId::PLATFORM, filter).await.unwrap()
}

async fn actions(conn: &mut PgConnection) -> Vec<String> {
    let all = audit::Filter {
        admin_scope: true,
        limit: 1000,
        ..audit::Filter::default()
    };
    let listed = listed(conn, &all).await;
    listed.into_iter().map(|entry| entry.action).collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_audit_entry_can_be_neither_changed_nor_removed(pool: PgPool) {
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
            refused.to_string().contains("append-only"),
            "{statement}: {refused}"
        );
    }
    assert_eq!(actions(&mut conn).await, ["create"]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_audit_entry_of_a_change_that_is_rolled_back_does_not_exist(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    audit::insert(&mut tx, entry("create")).await.unwrap();
    tx.rollback().await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    assert!(actions(&mut conn).await.is_empty());
}

async fn refused(conn: &mut PgConnection, entry: audit::Entry<'_>) {
    let error = audit::insert(conn, entry).await.unwrap_err();
    assert!(matches!(error, StoreError::Database(_)), "{error:?}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_schema_refuses_unknown_actors_scopes_and_statuses(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let unknown = [
        audit::Entry {
            actor_type: "unknown",
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

/// The one change that is allowed: a purge of a user removes the identity of the actor.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn only_the_identity_of_the_actor_can_be_removed_from_an_entry(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (ada, _) = builders::team(&mut conn, "ada").await;
    let of_ada = audit::Entry {
        actor_type: "user",
        actor_id: Some(ada.to_string()),
        actor_name: "Ada",
        ..entry("create")
    };
    let about_ada = audit::Entry {
        resource_type: "member",
        resource_id: Some(ada.to_string()),
        metadata: json!({ "email": "ada@locule.test", "role": "member" }),
        ..entry("add")
    };
    // An invitation names the address of a person, and no user.
    let invited = audit::Entry {
        resource_type: "member",
        resource_id: Some("usr-1".to_owned()),
        metadata: json!({ "email": "ada@locule.test", "role": "member" }),
        ..entry("invite")
    };
    let of_the_next_owner = audit::Entry {
        id: AuditId::random(),
        action: "invite again",
        created_at: noon() + chrono::Duration::days(1),
        ..invited.clone()
    };
    for entry in [
        of_ada,
        about_ada,
        entry("pause"),
        invited,
        of_the_next_owner,
    ] {
        audit::insert(&mut conn, entry).await.unwrap();
    }
    users::set_status(&mut conn, ada, UserStatus::Deleted, noon())
        .await
        .unwrap();
    // The setting alone allows no other change.
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SET LOCAL locule.anonymizing = 'on'")
        .execute(&mut *tx)
        .await
        .unwrap();
    let refused = sqlx::query("UPDATE audit_logs SET action = 'nothing'")
        .execute(&mut *tx)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("append-only"), "{refused}");
    tx.rollback().await.unwrap();

    let anonymize = sqlx::query("SELECT audit_anonymize($1)").bind(ada.as_uuid());
    anonymize.execute(&mut *conn).await.unwrap();
    let all = audit::Filter {
        admin_scope: true,
        limit: 10,
        ..audit::Filter::default()
    };
    let entries = listed(&mut conn, &all).await;
    let of = |action| entries.iter().find(|entry| entry.action == action).unwrap();
    assert_eq!(
        (
            of("create").actor_id.as_deref(),
            of("create").actor_name.as_str()
        ),
        (None, "deleted-user")
    );
    assert_eq!(of("create").resource_id.as_deref(), Some("sb-1"));
    assert_eq!(
        (of("add").resource_id.as_deref(), &of("add").metadata),
        (None, &json!({ "role": "member" }))
    );
    assert_eq!(
        (of("pause").resource_id.as_deref(), &of("pause").metadata),
        (Some("sb-1"), &json!({ "a": 1 }))
    );
    assert_eq!(of("invite").metadata, json!({ "role": "member" }));
    assert!(of("invite again").metadata["email"].is_string());
    // Changes are refused again.
    let later = sqlx::query("UPDATE audit_logs SET actor_id = NULL")
        .execute(&mut *conn)
        .await;
    later.unwrap_err();
    assert!(
        !entries
            .iter()
            .any(|entry| entry.actor_id == Some(UserId::random().to_string()))
    );
}

/// B-087, B-088, B-089: filters are OR inside and AND between, pages neither repeat nor skip.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_pages_contain_every_entry_once_also_of_the_same_moment(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    for number in 0..50_i64 {
        let entry = audit::Entry {
            resource_type: if number % 2 == 0 { "sandbox" } else { "member" },
            scope: if number % 2 == 0 { "team" } else { "admin" },
            action: if number % 5 == 0 { "pause" } else { "create" },
            // Ten entries have the same microsecond.
            created_at: noon() + chrono::Duration::microseconds(number / 10),
            ..entry("create")
        };
        audit::insert(&mut conn, entry).await.unwrap();
    }
    let mut filter = audit::Filter {
        admin_scope: true,
        limit: 7,
        ..audit::Filter::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = listed(&mut conn, &filter).await;
        let Some(last) = page.last() else { break };
        filter.before = Some((last.created_at, last.id));
        seen.extend(page.into_iter().map(|entry| (entry.created_at, entry.id)));
    }
    assert_eq!(seen.len(), 50);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    let mut count = async |admin_scope, resources: &[&str], actions: &[&str]| {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let filter = audit::Filter {
            admin_scope,
            resource_types: owned(resources),
            actions: owned(actions),
            limit: 100,
            ..audit::Filter::default()
        };
        listed(&mut conn, &filter).await.len()
    };
    assert_eq!(count(false, &[], &[]).await, 25);
    assert_eq!(count(false, &["member"], &[]).await, 0);
    assert_eq!(count(true, &["member", "sandbox"], &["pause"]).await, 10);
    assert_eq!(count(true, &["member"], &["pause", "create"]).await, 25);
}
