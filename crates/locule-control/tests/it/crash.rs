//! The control plane dies between row and call, and between call and row: another one settles it.

use std::time::Duration;

use locule_agent_api::ReportedState;
use locule_domain::{Desired, SandboxState, StopReason};
use locule_testkit::{World, builders};
use sqlx::PgPool;

/// W-008: within the budget of a create, by a sweep.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_was_never_placed_is_brought_to_run(pool: PgPool) {
    let mut world = World::start(pool).await;
    let mut conn = world.connection().await;
    let id = builders::sandbox(world.caller.team)
        .insert(&mut conn)
        .await
        .id;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Running);
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_no_host_takes_is_an_error_past_the_budget(pool: PgPool) {
    let mut world = World::start(pool).await;
    let mut conn = world.connection().await;
    sqlx::query("UPDATE hosts SET status = 'unreachable'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let id = builders::sandbox(world.caller.team)
        .insert(&mut conn)
        .await
        .id;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Pending);
    world.pass(Duration::from_mins(4));
    world.sweep().await;
    assert_eq!(
        world.row(id).await.status_reason.as_deref(),
        Some("create_failed")
    );
}

/// Placed, then dead: the order may never have left. Past the budget the host buries what it does not know.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_was_placed_and_never_made_is_an_error_past_the_budget(pool: PgPool) {
    let mut world = World::start(pool).await;
    let mut conn = world.connection().await;
    let row = builders::sandbox(world.caller.team).on(world.host_id, SandboxState::Starting);
    let id = row.insert(&mut conn).await.id;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Starting);
    world.pass(Duration::from_mins(4));
    world.sweep().await;
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.status_reason.as_deref(), row.cleanup_pending),
        (Some("create_failed"), false)
    );
    assert!(world.host.is_buried(id));
}

/// The wish was written, the call was not made, and the control plane died.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_wish_that_was_written_is_fulfilled_by_the_next_control_plane(pool: PgPool) {
    let mut world = World::start(pool).await;
    let cases = [
        (
            Desired::Paused,
            SandboxState::Paused,
            Some(ReportedState::Paused),
        ),
        (
            Desired::Gone,
            SandboxState::Stopped {
                reason: StopReason::Destroyed,
            },
            None,
        ),
    ];
    for (desired, state, held) in cases {
        let id = world.create().await.id;
        world
            .leave(id, |row| {
                row.desired = desired;
                row.generation += 1;
            })
            .await;
        world.restart();
        world.sweep().await;
        assert_eq!(
            (world.row(id).await.state, world.host.holds(id)),
            (state, held)
        );
    }
}

/// The host obeyed, and the control plane died before it could write that down.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_a_host_did_for_a_dead_control_plane_is_written_by_the_next(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = world.create().await.id;
    let before = world.row(id).await;
    world.pause(id).await.unwrap();
    // As it was between the wish and the answer.
    world
        .leave(id, |row| {
            (row.state, row.desired) = (before.state, Desired::Paused);
        })
        .await;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Paused);
}

/// What the host says is of the order before: it does not take the wish back.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_resume_that_was_wished_for_is_not_undone_by_the_pause_before_it(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.pause_by_itself(id, "idle");
    world.sweep().await;
    world
        .leave(id, |row| {
            row.desired = Desired::Running;
            row.generation += 1;
        })
        .await;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Running);
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
}
