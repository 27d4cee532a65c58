//! Destroy, and ends that no request asked for.

use locule_agent_api::AgentError;
use locule_control::SandboxError;
use locule_domain::{Desired, SandboxState, StopReason};
use locule_testkit::{Call, Fault, World, run_as_owner};
use sqlx::PgPool;

const DESTROYED: SandboxState = SandboxState::Stopped {
    reason: StopReason::Destroyed,
};

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_destroyed_sandbox_is_gone_from_its_host_and_has_one_audit_entry(pool: PgPool) {
    let world = World::start(pool).await;
    for paused in [false, true] {
        let id = world.create().await.id;
        if paused {
            world.pause(id).await.unwrap();
        }
        world.destroy(id).await.unwrap();
        world.destroy(id).await.unwrap();
        world.sweep().await;
        let row = world.row(id).await;
        assert_eq!((row.state, row.cleanup_pending), (DESTROYED, false));
        assert!(world.host.has_tombstone(id));
        let entries = world.audit_log(id).await;
        let ends: Vec<_> = entries
            .iter()
            .filter(|entry| entry.contains("destroy"))
            .collect();
        assert_eq!(ends, ["api_key destroy warning {}"]);
    }
}

/// B-162: a host that answers "not found" has destroyed the sandbox; no other error counts as success.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_destroy_succeeds_if_the_host_does_not_know_the_sandbox(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.lose(id);
    world.destroy(id).await.unwrap();
    assert_eq!(world.row(id).await.state, DESTROYED);
}

/// B-162: the request fails with the host's error, the status stays, and the sweep tries again.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_failed_destroy_is_reported_and_tried_again_by_the_sweep(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let broken = AgentError::Internal("a disk is slow".to_owned());
    world.host.fail(Call::Destroy, Fault::Refuse(broken));
    let error = world.destroy(id).await.unwrap_err();
    assert!(matches!(error, SandboxError::AgentFailed(_)), "{error:?}");
    let row = world.row(id).await;
    assert_eq!(
        (row.state, row.desired),
        (SandboxState::Running, Desired::Gone)
    );
    // A pause or a new timeout does not revert the desired state `gone`.
    for refused in [
        world.pause(id).await.map(drop),
        world
            .sandboxes
            .set_timeout(&world.caller, id, 60)
            .await
            .map(drop),
        world
            .sandboxes
            .connect_sandbox(&world.caller, id, 60)
            .await
            .map(drop),
    ] {
        assert!(
            matches!(refused, Err(SandboxError::InvalidState { .. })),
            "{refused:?}"
        );
    }
    world.sweep().await;
    assert_eq!(world.row(id).await.state, DESTROYED);
    assert_eq!(world.host.count(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_completes_a_destroy_whose_answer_was_lost(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.fail(Call::Destroy, Fault::LoseAnswer);
    world.destroy(id).await.unwrap_err();
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!((row.state, row.cleanup_pending), (DESTROYED, false));
}

/// W-014: the sandbox is stopped at once, and cleaned up when the host returns.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_on_an_unreachable_host_can_be_destroyed(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.go_away();
    world.destroy(id).await.unwrap();
    let row = world.row(id).await;
    assert_eq!((row.state, row.cleanup_pending), (DESTROYED, true));
    world.sweep().await;
    assert!(world.row(id).await.cleanup_pending);
    world.host.come_back();
    assert_eq!(world.host.count(), 1);
    world.sweep().await;
    assert_eq!(world.host.count(), 0);
    let row = world.row(id).await;
    assert_eq!((row.state, row.cleanup_pending), (DESTROYED, false));
}

/// A sandbox that was inferred lost and then destroyed does not return with its host.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_lost_sandbox_that_was_destroyed_stays_destroyed_when_its_host_returns(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let held = world.host.lose(id).unwrap();
    world.sweep().await;
    assert_eq!(
        world.row(id).await.status_reason.as_deref(),
        Some("vm_lost")
    );
    world.destroy(id).await.unwrap();
    world.host.hold(held);
    world.sweep().await;
    assert!(world.row(id).await.state.is_final());
    assert_eq!(world.host.count(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_end_without_a_request_is_in_the_audit_log_with_its_reason(pool: PgPool) {
    let world = World::start(pool).await;
    for reason in ["guest_shutdown", "vm_lost", "expired"] {
        let id = world.create().await.id;
        world.host.end_by_itself(id, reason);
        world.sweep().await;
        world.sweep().await;
        let row = world.row(id).await;
        assert_eq!(row.status_reason.as_deref(), Some(reason));
        assert_eq!(
            world.audit_log(id).await[1..],
            [format!(r#"system destroy warning {{"reason":"{reason}"}}"#)]
        );
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pause_by_policy_is_in_the_audit_log_once_with_the_platform_as_actor(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.pause_by_itself(id, "idle");
    world.sweep().await;
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.state, row.desired),
        (SandboxState::Paused, Desired::Paused)
    );
    assert_eq!(row.status_reason.as_deref(), Some("idle"));
    assert_eq!(
        world.audit_log(id).await[1..],
        ["system auto_pause info {}"]
    );
    assert_eq!(world.resume(id).await.unwrap().status_reason, None);
}

/// A change and its audit entry are one transaction (D-21): if the entry cannot be written, the change is not written.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_change_is_not_written_without_its_audit_entry(pool: PgPool) {
    let world = World::start(pool).await;
    let ids = [world.create().await.id, world.create().await.id];
    let before = [world.row(ids[0]).await, world.row(ids[1]).await];
    let refuse = "ALTER TABLE audit_logs ADD CHECK (action = 'create') NOT VALID";
    run_as_owner(&world.pool, refuse).await;
    world.pause(ids[0]).await.unwrap_err();
    world.destroy(ids[0]).await.unwrap_err();
    world.host.pause_by_itself(ids[0], "idle");
    world.host.end_by_itself(ids[1], "guest_shutdown");
    world.sweep().await;
    for before in before {
        assert_eq!(world.row(before.id).await, before);
    }
    let allow = "ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_action_check";
    run_as_owner(&world.pool, allow).await;
    world.sweep().await;
    assert_eq!(
        world.row(ids[0]).await.status_reason.as_deref(),
        Some("idle")
    );
    assert_eq!(
        world.row(ids[1]).await.status_reason.as_deref(),
        Some("guest_shutdown")
    );
}
