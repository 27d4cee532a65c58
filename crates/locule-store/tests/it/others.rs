//! The small tables: cluster, hosts, templates, idempotency keys.

use locule_domain::{HostKind, HostState};
use locule_ids::{HostId, SandboxId, TeamId, TemplateId};
use locule_store::idempotency::{self, Earlier};
use locule_store::{PgConnection, StoreError, cluster, hosts, templates};
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_clusters_id_is_written_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let first = TeamId::random().as_uuid();
    cluster::ensure(&mut conn, first, noon()).await.unwrap();
    cluster::ensure(&mut conn, TeamId::random().as_uuid(), noon())
        .await
        .unwrap();
    let kept: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT id FROM cluster")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(kept, [first]);
    cluster::ping(&mut conn).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_write_counter_only_grows_even_when_a_transaction_is_rolled_back(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = TeamId::random().as_uuid();
    cluster::ensure(&mut conn, id, noon()).await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let first = cluster::next_write(&mut tx).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(cluster::last_write(&mut conn).await.unwrap(), first);
    let second = cluster::next_write(&mut conn).await.unwrap();
    assert_eq!((first.cluster, second.cluster), (id, id));
    assert!(second.counter > first.counter);
    assert_eq!(cluster::last_write(&mut conn).await.unwrap(), second);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_is_listed_by_its_state_and_found_by_its_address(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let new = hosts::NewHost {
        id: HostId::random(),
        kind: HostKind::Regular,
        team: None,
        provider: "",
        availability_zone: "",
        address: "unix:/a",
        created_by: None,
    };
    hosts::insert(&mut conn, new, noon()).await.unwrap();
    assert_eq!(hosts::at(&mut conn, "unix:/a").await.unwrap(), Some(new.id));
    assert_eq!(hosts::at(&mut conn, "unix:/b").await.unwrap(), None);
    let expected = [
        // B-115: sandboxes are placed on a host that is `online` and on no other.
        (HostState::Pending, false, false),
        (HostState::Online, true, true),
        (HostState::Unreachable, false, true),
    ];
    for (state, is_online, is_registered) in expected {
        hosts::set_state(&mut conn, new.id, state, noon())
            .await
            .unwrap();
        let row = [(new.id, "unix:/a".to_owned())];
        let online = hosts::online(&mut conn).await.unwrap();
        let online: Vec<_> = online
            .into_iter()
            .map(|host| (host.id, host.address))
            .collect();
        assert_eq!(online == row, is_online, "{state}");
        let registered = hosts::registered(&mut conn).await.unwrap();
        assert_eq!(registered == row, is_registered, "{state}");
    }
}

async fn insert_template(
    conn: &mut PgConnection,
    id: TemplateId,
    team: TeamId,
    name: &str,
) -> Result<(), sqlx::Error> {
    let insert = sqlx::query(
        "INSERT INTO templates (id, team_id, name, created_at) VALUES ($1, $2, $3, now())",
    );
    let insert = insert.bind(id.as_uuid()).bind(team.as_uuid()).bind(name);
    insert.execute(conn).await.map(drop)
}

/// W-054: the own template comes first, in either order of creation.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_teams_own_template_takes_precedence_over_the_platforms(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    let shared = templates::find(&mut conn, team, "minimal")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (shared.id, shared.default_user.as_str()),
        (TemplateId::MINIMAL, "user")
    );
    let (own, later) = (TemplateId::random(), TemplateId::random());
    for (id, owner, name) in [(own, team, "base"), (later, TeamId::PLATFORM, "base")] {
        insert_template(&mut conn, id, owner, name).await.unwrap();
    }
    for (asks, means) in [(team, own), (other, later)] {
        let found = templates::find(&mut conn, asks, "base").await.unwrap();
        assert_eq!(found.unwrap().id, means);
    }
    // A team cannot use a name that the platform uses already.
    let taken = insert_template(&mut conn, TemplateId::random(), team, "minimal").await;
    assert!(
        taken
            .unwrap_err()
            .as_database_error()
            .unwrap()
            .is_unique_violation()
    );
    assert_eq!(
        templates::find(&mut conn, team, "nothing").await.unwrap(),
        None
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_idempotency_key_belongs_to_the_first_request_of_its_team(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    let (first, second) = (SandboxId::random(), SandboxId::random());
    let claimed = idempotency::claim(&mut conn, team, "key", "hash", first, noon())
        .await
        .unwrap();
    assert_eq!(claimed, None);
    let again = idempotency::claim(&mut conn, team, "key", "other", second, noon())
        .await
        .unwrap();
    let earlier = Earlier {
        request_hash: "hash".to_owned(),
        sandbox: first,
        failure: None,
    };
    assert_eq!(again.as_ref(), Some(&earlier));
    let foreign = idempotency::claim(&mut conn, other, "key", "hash", second, noon())
        .await
        .unwrap();
    assert_eq!(foreign, None);
    let failure = serde_json::json!({ "is": "no_capacity" });
    idempotency::fail(&mut conn, team, "key", &failure)
        .await
        .unwrap();
    let failed = idempotency::get(&mut conn, team, "key").await.unwrap();
    assert_eq!(failed.unwrap().failure, Some(failure));
    let foreign = idempotency::get(&mut conn, other, "key").await.unwrap();
    assert_eq!(foreign.unwrap().failure, None);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_second_of_two_concurrent_claims_waits_for_the_first(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let (first, second) = (SandboxId::random(), SandboxId::random());
    let mut tx = pool.begin().await.unwrap();
    idempotency::claim(&mut tx, team, "key", "hash", first, noon())
        .await
        .unwrap();
    let waiting = async {
        let claimed = idempotency::claim(&mut conn, team, "key", "hash", second, noon()).await;
        claimed.unwrap().map(|earlier| earlier.sandbox)
    };
    let (found, ()) = tokio::join!(waiting, async { tx.commit().await.unwrap() });
    assert_eq!(found, Some(first));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_unreachable_database_is_distinguished_from_a_refused_statement(pool: PgPool) {
    let refused = sqlx::query("SELECT nothing")
        .execute(&pool)
        .await
        .unwrap_err();
    assert!(matches!(StoreError::from(refused), StoreError::Database(_)));
    pool.close().await;
    let away = sqlx::query("SELECT 1").execute(&pool).await.unwrap_err();
    assert!(matches!(StoreError::from(away), StoreError::Unavailable(_)));
}
