//! The control plane exits between the row and the order, or between the order and the row: the next control plane completes it.

use std::time::Duration;

use locule_agent_api::{AgentError, ReportedState};
use locule_domain::{Desired, SandboxState, StopReason};
use locule_ids::SandboxId;
use locule_testkit::{Call, Fault, World, builders};
use sqlx::PgPool;

/// W-008: within the budget of a create, by a sweep.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_runs_a_sandbox_that_was_never_placed(pool: PgPool) {
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
async fn a_sandbox_that_no_host_takes_fails_after_the_create_budget(pool: PgPool) {
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

/// Inserts a row as a control plane leaves it that exits between placing a sandbox and the answer of the host.
async fn insert_interrupted_create(world: &World) -> SandboxId {
    let mut conn = world.connection().await;
    let row = builders::sandbox(world.caller.team).on(world.host_id, SandboxState::Starting);
    row.insert(&mut conn).await.id
}

/// The order was not sent: the next control plane sends it in its first sweep (W-008).
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_creates_a_sandbox_that_was_placed_but_not_ordered(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = insert_interrupted_create(&world).await;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Running);
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
}

/// The first order is still on its way when the order is sent again: both create one sandbox.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_late_create_order_and_its_repetition_create_one_sandbox(pool: PgPool) {
    let mut world = World::start(pool).await;
    world.host.fail(Call::Create, Fault::Late);
    let create = || {
        world
            .sandboxes
            .create_sandbox_once(&world.caller, World::request(), "key")
    };
    create().await.unwrap_err();
    let id = world.only_row().await.id;
    // As if the control plane had exited before it wrote the failure.
    world
        .change_row(id, |row| {
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

/// The host refuses the repeated order: the sandbox fails at once, and its tombstone makes the host refuse a late order.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_placed_sandbox_that_its_host_refuses_fails_at_once(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = insert_interrupted_create(&world).await;
    let broken = AgentError::Internal("no kernel".to_owned());
    world.host.fail(Call::Create, Fault::Refuse(broken));
    world.restart();
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(row.status_reason.as_deref(), Some("create_failed"));
    world.sweep().await;
    assert!(!world.row(id).await.cleanup_pending);
    assert!(world.host.has_tombstone(id));
}

/// As long as the host does not answer, the row stays as it is.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_starting_sandbox_waits_for_the_answer_of_its_host(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = insert_interrupted_create(&world).await;
    world.restart();
    world.host.go_away();
    world.pass(Duration::from_mins(4));
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Starting);
    // After the create budget the sandbox is not created any more.
    world.host.come_back();
    world.sweep().await;
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.status_reason.as_deref(), row.cleanup_pending),
        (Some("create_failed"), false)
    );
    assert_eq!(world.host.asked(Call::Create, id), 0);
    assert!(world.host.has_tombstone(id));
}

/// The control plane exits after it wrote the desired state and before it sent the order.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_next_control_plane_carries_out_a_desired_state_that_was_written(pool: PgPool) {
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
            .change_row(id, |row| {
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

/// The control plane exits after the host carried out the order and before it wrote the result.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_next_control_plane_writes_the_result_of_an_order_that_an_earlier_one_sent(
    pool: PgPool,
) {
    let mut world = World::start(pool).await;
    let id = world.create().await.id;
    let before = world.row(id).await;
    world.pause(id).await.unwrap();
    // The row as it was between the desired state and the answer.
    world
        .change_row(id, |row| {
            (row.state, row.desired) = (before.state, Desired::Paused);
        })
        .await;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Paused);
}

/// The host's report belongs to the earlier order: it does not revert the newer desired state.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_report_of_an_earlier_pause_does_not_revert_a_desired_resume(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.pause_by_itself(id, "idle");
    world.sweep().await;
    world
        .change_row(id, |row| {
            row.desired = Desired::Running;
            row.generation += 1;
        })
        .await;
    world.restart();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Running);
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
}
