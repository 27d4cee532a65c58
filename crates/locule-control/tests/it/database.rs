//! A database that went back in time: hosts remember how far it had come, and nothing is judged by what it lost.

use locule_agent_api::{HostAgent as _, ReportedState, WriteMark};
use locule_control::{database_mark, went_back_in_time};
use locule_domain::{Desired, SandboxState};
use locule_testkit::{Call, World};
use sqlx::PgPool;

async fn seen(world: &World) -> WriteMark {
    world.host.host().await.unwrap().write_mark.unwrap()
}

/// As by a backup from long ago.
async fn go_back(world: &World) {
    let at = seen(world).await;
    let later = WriteMark {
        counter: at.counter + 1000,
        ..at
    };
    world.host.record_mark(later);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_order_comes_with_how_far_the_database_is(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let mut last = seen(&world).await;
    let mut further = async || {
        let now = seen(&world).await;
        assert!(now.cluster == last.cluster && now.counter > last.counter);
        last = now;
    };
    world.pause(id).await.unwrap();
    further().await;
    world.resume(id).await.unwrap();
    further().await;
    let set = world.sandboxes.set_timeout(&world.caller, id, 60);
    set.await.unwrap();
    further().await;
    world.destroy(id).await.unwrap();
    further().await;
    let now = database_mark(&world.pool).await.unwrap();
    assert!(!went_back_in_time(&last, &now));
}

/// Rows that the host does not hold, rows of what it holds that say it ended, and none at all: all of it may be the lost time.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn nothing_is_judged_by_a_database_that_went_back_in_time(pool: PgPool) {
    let world = World::start(pool).await;
    let (lost, ended, unknown) = (
        world.create().await.id,
        world.create().await.id,
        world.create().await.id,
    );
    world.host.lose(lost);
    world
        .leave(ended, |row| {
            row.state = SandboxState::Error {
                reason: locule_domain::ErrorReason::CreateFailed,
            };
            (row.desired, row.cleanup_pending) = (Desired::Gone, true);
        })
        .await;
    let mut conn = world.connection().await;
    let forget = sqlx::query("DELETE FROM sandboxes WHERE id = $1").bind(unknown.as_uuid());
    forget.execute(&mut *conn).await.unwrap();
    go_back(&world).await;
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
    // What users ask for goes on.
    let made = world.create().await.id;
    world.destroy(made).await.unwrap();

    let now = database_mark(&world.pool).await.unwrap();
    world.host.accept_database(now).await.unwrap();
    world.sweep().await;
    assert!(world.row(lost).await.state.is_final());
    assert_eq!(world.host.holds(ended), None);
    assert_eq!(world.host.holds(unknown), Some(ReportedState::Paused));
}

/// Nor by one that was never this host's.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn nothing_is_judged_by_another_database(pool: PgPool) {
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
