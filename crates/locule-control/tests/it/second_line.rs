//! Timeouts: hosts enforce them, and the sweep does where a host fails to.

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
        ..World::request()
    }
}

fn idle() -> NewSandbox {
    NewSandbox {
        timeout_sec: 60,
        ..World::request()
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_sweep_does_not_act_where_the_host_enforced_the_timeouts(pool: PgPool) {
    let world = World::start(pool).await;
    let killed = world.create_as(until(OnTimeout::Kill)).await.id;
    let paused = world.create_as(until(OnTimeout::Pause)).await.id;
    let slept = world.create_as(idle()).await.id;
    world.pass(MINUTE);
    world.pass(Duration::from_secs(1));
    world.host.check_timeouts();
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
async fn the_sweep_enforces_timeouts_that_the_host_did_not(pool: PgPool) {
    let world = World::start(pool).await;
    let killed = world.create_as(until(OnTimeout::Kill)).await.id;
    let paused = world.create_as(until(OnTimeout::Pause)).await.id;
    let slept = world.create_as(idle()).await.id;
    world.pass(MINUTE);
    // The host still has time to enforce them.
    world.sweep().await;
    for id in [killed, paused, slept] {
        assert_eq!(world.row(id).await.state, SandboxState::Running);
    }
    world.pass(MINUTE);
    world.sweep().await;
    world.sweep().await;
    assert_eq!(world.row(killed).await.state, EXPIRED);
    assert!(world.host.has_tombstone(killed));
    assert_eq!(
        world.audit_log(killed).await[1..],
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
        assert_eq!(
            world.audit_log(id).await[1..],
            ["system auto_pause info {}"]
        );
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn activity_moves_the_idle_timeout_and_not_the_end(pool: PgPool) {
    let world = World::start(pool).await;
    let request = NewSandbox {
        timeout_sec: 60,
        ..until(OnTimeout::Kill)
    };
    let both = world.create_as(request).await.id;
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

/// An unreachable host may have paused the sandbox before its end, and a paused sandbox does not expire.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_an_unreachable_host_paused_in_time_is_kept(pool: PgPool) {
    let world = World::start(pool).await;
    let request = NewSandbox {
        timeout_sec: 20,
        ..until(OnTimeout::Kill)
    };
    let (kept, late) = (
        world.create_as(request).await.id,
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

/// The pause at the end failed; a new timeout sets the desired state to `running` again.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_new_timeout_cancels_a_pause_that_was_due(pool: PgPool) {
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
