//! Clocks: hosts act on them, and where one does not, the sweep does (2.4).

use std::time::Duration;

use locule_agent_api::{AgentError, ReportedState};
use locule_control::NewSandbox;
use locule_domain::{Desired, OnTimeout, SandboxState, StopReason};
use locule_testkit::{Call, Fault, World};
use sqlx::PgPool;

const MINUTE: Duration = Duration::from_mins(1);
const EXPIRED: SandboxState = SandboxState::Stopped {
    reason: StopReason::Expired,
};

fn until(on_timeout: OnTimeout) -> NewSandbox {
    NewSandbox {
        expires_in: Some(MINUTE),
        on_timeout,
        ..World::wish()
    }
}

fn idle() -> NewSandbox {
    NewSandbox {
        timeout_sec: 60,
        ..World::wish()
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_that_acts_in_time_is_not_helped(pool: PgPool) {
    let world = World::start(pool).await;
    let killed = world.create_as(until(OnTimeout::Kill)).await.id;
    let paused = world.create_as(until(OnTimeout::Pause)).await.id;
    let slept = world.create_as(idle()).await.id;
    world.pass(MINUTE);
    world.pass(Duration::from_secs(1));
    world.host.look_at_the_clocks();
    world.sweep().await;
    assert_eq!(world.row(killed).await.state, EXPIRED);
    for (id, reason) in [(paused, "expired"), (slept, "idle")] {
        let row = world.row(id).await;
        assert_eq!(
            (row.state, row.status_reason.as_deref()),
            (SandboxState::Paused, Some(reason))
        );
        assert_eq!(world.host.asked(Call::Pause, id), 0);
    }
    assert_eq!(world.host.asked(Call::Destroy, killed), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_a_host_lets_run_past_its_time_is_ended_or_paused(pool: PgPool) {
    let world = World::start(pool).await;
    let killed = world.create_as(until(OnTimeout::Kill)).await.id;
    let paused = world.create_as(until(OnTimeout::Pause)).await.id;
    let slept = world.create_as(idle()).await.id;
    world.pass(MINUTE);
    // The host may still do it.
    world.sweep().await;
    for id in [killed, paused, slept] {
        assert_eq!(world.row(id).await.state, SandboxState::Running);
    }
    world.pass(MINUTE);
    world.sweep().await;
    world.sweep().await;
    assert_eq!(world.row(killed).await.state, EXPIRED);
    assert!(world.host.is_buried(killed));
    assert_eq!(
        world.trail(killed).await[1..],
        [r#"system destroy warning {"reason":"expired"}"#]
    );
    for (id, reason) in [(paused, "expired"), (slept, "idle")] {
        let row = world.row(id).await;
        assert_eq!(
            (row.state, row.desired),
            (SandboxState::Paused, Desired::Paused)
        );
        assert_eq!(row.status_reason.as_deref(), Some(reason));
        assert_eq!(world.host.holds(id), Some(ReportedState::Paused));
        assert_eq!(world.trail(id).await[1..], ["system auto_pause info {}"]);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn activity_moves_the_idle_time_and_not_the_end(pool: PgPool) {
    let world = World::start(pool).await;
    let wish = NewSandbox {
        timeout_sec: 60,
        ..until(OnTimeout::Kill)
    };
    let both = world.create_as(wish).await.id;
    let slept = world.create_as(idle()).await.id;
    for _ in 0..4 {
        world.pass(Duration::from_secs(30));
        for id in [both, slept] {
            world
                .sandboxes
                .ping_sandbox(&world.caller, id)
                .await
                .unwrap();
        }
    }
    world.sweep().await;
    assert_eq!(world.row(slept).await.state, SandboxState::Running);
    assert_eq!(world.row(both).await.state, EXPIRED);
}

/// Nothing is concluded about a host that is away: it may have paused the sandbox before its time came, and what is paused
/// does not expire.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_a_host_that_was_away_paused_in_time_is_kept(pool: PgPool) {
    let world = World::start(pool).await;
    let wish = NewSandbox {
        timeout_sec: 20,
        ..until(OnTimeout::Kill)
    };
    let (kept, late) = (
        world.create_as(wish).await.id,
        world.create_as(until(OnTimeout::Kill)).await.id,
    );
    world.host.go_away();
    world.host.pause_by_itself(kept, "idle");
    world.pass(Duration::from_mins(5));
    world.sweep().await;
    assert_eq!(world.row(kept).await.state, SandboxState::Running);
    world.host.come_back();
    world.sweep().await;
    assert_eq!(world.row(kept).await.state, SandboxState::Paused);
    assert_eq!(world.row(late).await.state, EXPIRED);
}

/// The end came and its pause failed; whoever gives it more time means it to run.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn more_time_takes_back_a_pause_that_was_due(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create_as(until(OnTimeout::Pause)).await.id;
    let full = AgentError::Internal("no space".to_owned());
    world.host.fail(Call::Pause, Fault::Refuse(full));
    world.pass(2 * MINUTE);
    world.sweep().await;
    assert_eq!(world.row(id).await.desired, Desired::Paused);
    world
        .sandboxes
        .set_timeout(&world.caller, id, 600)
        .await
        .unwrap();
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.state, row.desired, row.status_reason),
        (SandboxState::Running, Desired::Running, None)
    );
}
