//! The watch of a host: its news is written at once, and after a break from the beginning.

use locule_domain::SandboxState;
use locule_testkit::{World, eventually};
use sqlx::PgPool;

/// Until the row is as it should be. The clock stands still: no sweep concludes anything.
async fn becomes(world: &World, id: locule_ids::SandboxId, state: SandboxState) {
    eventually("the row follows its host", async || {
        world.row(id).await.state == state
    })
    .await;
}

/// Ends what runs in the background.
async fn stop(world: World) {
    let grace = std::time::Duration::from_secs(10);
    world.tasks.shutdown(grace).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn news_is_written_at_once(pool: PgPool) {
    let world = World::start(pool).await;
    world.control.start();
    let id = world.create().await.id;
    world.host.pause_by_itself(id, "idle");
    becomes(&world, id, SandboxState::Paused).await;
    assert_eq!(world.trail(id).await[1..], ["system auto_pause info {}"]);
    stop(world).await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_watch_that_broke_tells_everything_that_was_missed(pool: PgPool) {
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
async fn a_row_that_cannot_be_read_does_not_hide_the_news_of_others(pool: PgPool) {
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
