//! The watch of a host: reports are written at once, and after an interruption all of them again.

use locule_domain::SandboxState;
use locule_testkit::{World, eventually};
use sqlx::PgPool;

/// Waits until the row has this state. The clock does not advance, so that no sweep changes the row.
async fn becomes(world: &World, id: locule_ids::SandboxId, state: SandboxState) {
    eventually("the row follows its host", async || {
        world.row(id).await.state == state
    })
    .await;
}

/// Stops the background tasks.
async fn stop(world: World) {
    let grace = std::time::Duration::from_secs(10);
    world.tasks.shutdown(grace).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_report_is_written_at_once(pool: PgPool) {
    let world = World::start(pool).await;
    world.control.start();
    let id = world.create().await.id;
    world.host.pause_by_itself(id, "idle");
    becomes(&world, id, SandboxState::Paused).await;
    assert_eq!(
        world.audit_log(id).await[1..],
        ["system auto_pause info {}"]
    );
    stop(world).await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_new_watch_reports_the_changes_that_the_interrupted_one_missed(pool: PgPool) {
    let world = World::start(pool).await;
    let (paused, ended) = (world.create().await.id, world.create().await.id);
    world.control.start();
    world.host.go_away();
    world.host.pause_by_itself(paused, "idle");
    world.host.end_by_itself(ended, "guest_shutdown");
    world.host.come_back();
    becomes(&world, paused, SandboxState::Paused).await;
    eventually("the end is written", async || {
        world.row(ended).await.state.is_final()
    })
    .await;
    stop(world).await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_cannot_be_read_does_not_stop_the_reports_of_others(pool: PgPool) {
    let world = World::start(pool).await;
    let ids = [world.create().await.id, world.create().await.id];
    let mut conn = world.connection().await;
    let first = *ids.iter().min().unwrap();
    let spoil = sqlx::query("UPDATE sandboxes SET vcpus = -1 WHERE id = $1").bind(first.as_uuid());
    spoil.execute(&mut *conn).await.unwrap();
    world.control.start();
    let other = *ids.iter().max().unwrap();
    world.host.pause_by_itself(first, "idle");
    world.host.pause_by_itself(other, "idle");
    becomes(&world, other, SandboxState::Paused).await;
    stop(world).await;
}
