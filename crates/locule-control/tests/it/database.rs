//! A database that is older than its hosts: hosts remember the last write mark, and no sandbox is changed because of lost rows.

use locule_agent_api::{HostAgent as _, ReportedState, WriteMark};
use locule_control::{database_mark, is_older_than_host};
use locule_domain::{Desired, SandboxState};
use locule_testkit::{Call, World, builders};
use sqlx::PgPool;

async fn host_mark(world: &World) -> WriteMark {
    world.host.host().await.unwrap().write_mark.unwrap()
}

/// Makes the host's write mark newer than the database, as after a restore from an old backup.
async fn make_host_newer(world: &World) {
    let at = host_mark(world).await;
    let later = WriteMark {
        counter: at.counter + 1000,
        ..at
    };
    world.host.record_mark(later);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_order_carries_a_higher_write_mark(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let mut last = host_mark(&world).await;
    let mut is_higher = async || {
        let now = host_mark(&world).await;
        assert!(now.cluster == last.cluster && now.counter > last.counter);
        last = now;
    };
    world.pause(id).await.unwrap();
    is_higher().await;
    world.resume(id).await.unwrap();
    is_higher().await;
    let set = world.sandboxes.set_timeout(&world.caller, id, 60);
    set.await.unwrap();
    is_higher().await;
    world.destroy(id).await.unwrap();
    is_higher().await;
    let now = database_mark(&world.pool).await.unwrap();
    assert!(!is_older_than_host(&last, &now));
}

/// A sandbox that the host does not hold, one whose row says that it ended, and one without a row: each may be due to lost writes.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sandboxes_are_left_alone_while_the_database_is_older_than_the_host(pool: PgPool) {
    let world = World::start(pool).await;
    let (lost, ended, unknown) = (
        world.create().await.id,
        world.create().await.id,
        world.create().await.id,
    );
    world.host.lose(lost);
    world
        .change_row(ended, |row| {
            row.state = SandboxState::Error {
                reason: locule_domain::ErrorReason::CreateFailed,
            };
            (row.desired, row.cleanup_pending) = (Desired::Gone, true);
        })
        .await;
    let mut conn = world.connection().await;
    let delete = sqlx::query("DELETE FROM sandboxes WHERE id = $1").bind(unknown.as_uuid());
    delete.execute(&mut *conn).await.unwrap();
    make_host_newer(&world).await;
    for _ in 0..3 {
        world.sweep().await;
        assert_eq!(world.row(lost).await.state, SandboxState::Running);
        assert!(world.row(ended).await.cleanup_pending);
        for id in [ended, unknown] {
            assert_eq!(world.host.holds(id), Some(ReportedState::Running));
            let asked = [Call::Destroy, Call::Pause].map(|call| world.host.asked(call, id));
            assert_eq!(asked, [0, 0]);
        }
    }
    // Requests are still carried out.
    let made = world.create().await.id;
    world.destroy(made).await.unwrap();

    let now = database_mark(&world.pool).await.unwrap();
    world.host.accept_database(now).await.unwrap();
    world.sweep().await;
    assert!(world.row(lost).await.state.is_final());
    assert_eq!(world.host.holds(ended), None);
    assert_eq!(world.host.holds(unknown), Some(ReportedState::Paused));
}

/// The same holds for a database that the host has never seen.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sandboxes_are_left_alone_while_the_database_is_another_one(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.lose(id);
    let mut conn = world.connection().await;
    sqlx::query("UPDATE cluster SET id = gen_random_uuid()")
        .execute(&mut *conn)
        .await
        .unwrap();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Running);
    let now = database_mark(&world.pool).await.unwrap();
    world.host.accept_database(now).await.unwrap();
    world.sweep().await;
    assert!(world.row(id).await.state.is_final());
}

/// `locule serve` on a database that `locule migrate` made, without `locule up`.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_database_that_was_only_migrated_gets_the_id_of_its_cluster_once(pool: PgPool) {
    database_mark(&pool).await.unwrap_err();
    locule_control::prepare(&pool, builders::noon())
        .await
        .unwrap();
    let first = database_mark(&pool).await.unwrap();
    locule_control::prepare(&pool, builders::noon())
        .await
        .unwrap();
    let again = database_mark(&pool).await.unwrap();
    assert_eq!(first.cluster, again.cluster);
}
