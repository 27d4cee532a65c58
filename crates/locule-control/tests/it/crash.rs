//! The control plane dies between row and call, and between call and row: another one settles it.

use std::time::Duration;

use locule_agent_api::{AgentError, ReportedState};
use locule_domain::{Desired, SandboxState, StopReason};
use locule_ids::SandboxId;
use locule_testkit::{Call, Fault, World, builders};
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

/// As a control plane left it that died between choosing a host and hearing from it.
async fn cut_short(world: &World) -> SandboxId {
    let mut conn = world.connection().await;
    let row = builders::sandbox(world.caller.team).on(world.host_id, SandboxState::Starting);
    row.insert(&mut conn).await.id
}

/// The order never left: it is given by the next control plane, in its first sweep (W-008).
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_was_placed_and_never_made_is_made(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = cut_short(&world).await;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Running);
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
}

/// The order is still under way when it is given again: both are one.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_order_that_comes_late_is_the_one_that_was_given_again(pool: PgPool) {
    let mut world = World::start(pool).await;
    world.host.fail(Call::Create, Fault::Late);
    let create = || {
        world
            .sandboxes
            .create_sandbox_once(&world.caller, World::wish(), "key")
    };
    create().await.unwrap_err();
    let id = world.only_row().await.id;
    // The control plane that would have said so died first.
    world
        .leave(id, |row| {
            (row.state, row.status_reason) = (SandboxState::Starting, None);
            row.cleanup_pending = false;
        })
        .await;
    world.restart();
    world.sweep().await;
    let made = world.host.report(id).unwrap();
    world.host.deliver_late();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Running);
    assert_eq!((world.host.report(id), world.host.count()), (Some(made), 1));
}

/// Its host answers that it will not: an error at once, and a grave that an order which comes late finds.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_was_placed_and_is_refused_is_an_error_at_once(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = cut_short(&world).await;
    let broken = AgentError::Internal("no kernel".to_owned());
    world.host.fail(Call::Create, Fault::Refuse(broken));
    world.restart();
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(row.status_reason.as_deref(), Some("create_failed"));
    world.sweep().await;
    assert!(!world.row(id).await.cleanup_pending);
    assert!(world.host.is_buried(id));
}

/// Its host does not answer: nothing is concluded, however long that takes.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_whose_host_is_silent_waits_for_its_word(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = cut_short(&world).await;
    world.restart();
    world.host.go_away();
    world.pass(Duration::from_mins(4));
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Starting);
    // Past the budget it is not made any more: whoever asked has left.
    world.host.come_back();
    world.sweep().await;
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.status_reason.as_deref(), row.cleanup_pending),
        (Some("create_failed"), false)
    );
    assert_eq!(world.host.asked(Call::Create, id), 0);
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
