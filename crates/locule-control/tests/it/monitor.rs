//! Hosts that are silent: the host monitor, and what becomes of their sandboxes (B-117, B-118, B-119, B-127).

use std::time::Duration;

use locule_domain::{Drain, ErrorReason, HostState, SandboxState, StopReason};
use locule_store::hosts;
use locule_testkit::{World, with_minimal};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

const SILENT: Duration = Duration::from_secs(91);

/// Writes a heartbeat of the host, which is online from then on.
async fn beat(world: &World) {
    let mut conn = world.connection().await;
    let host = hosts::get(&mut conn, world.host_id).await.unwrap().unwrap();
    let state = (HostState::Online, host.address.as_str());
    hosts::heartbeat(
        &mut conn,
        host.id,
        state,
        &with_minimal(),
        world.clock_now(),
    )
    .await
    .unwrap();
}

/// Lets the host send a heartbeat, and then none until the control plane has noticed.
async fn fall_silent(world: &World) {
    beat(world).await;
    world.control.monitor_hosts().await.unwrap();
    world.pass(SILENT);
    world.control.monitor_hosts().await.unwrap();
}

async fn state(world: &World) -> HostState {
    let mut conn = world.connection().await;
    let host = hosts::get(&mut conn, world.host_id).await.unwrap();
    host.unwrap().state
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sandboxes_of_a_silent_host_are_missing_until_it_returns(pool: PgPool) {
    let world = World::start(pool).await;
    let (running, paused, lost) = (
        world.create().await.id,
        world.create().await.id,
        world.create().await.id,
    );
    world.pause(paused).await.unwrap();
    beat(&world).await;
    world.control.monitor_hosts().await.unwrap();
    // Two heartbeats may be lost.
    world.pass(Duration::from_secs(89));
    world.control.monitor_hosts().await.unwrap();
    assert_eq!(state(&world).await, HostState::Online);

    world.pass(Duration::from_secs(2));
    let pass = world.control.monitor_hosts().await.unwrap();
    assert_eq!(state(&world).await, HostState::Unreachable);
    // The host and two sandboxes.
    assert_eq!((pass.found, pass.changed, pass.failed), (3, 3, 0));
    for id in [running, lost] {
        assert_eq!(world.row(id).await.state, SandboxState::Missing);
    }
    assert_eq!(world.row(paused).await.state, SandboxState::Paused);
    // A host that is unreachable is not asked: nothing follows from what the host would answer.
    world.host.lose(lost);
    world.sweep().await;
    assert_eq!(world.row(lost).await.state, SandboxState::Missing);
    assert_eq!(world.row(running).await.state, SandboxState::Missing);
    // A second pass finds nothing to change.
    let again = world.control.monitor_hosts().await.unwrap();
    assert_eq!(again.changed, 0);

    beat(&world).await;
    world.sweep().await;
    assert_eq!(world.row(running).await.state, SandboxState::Running);
    assert_eq!(world.row(paused).await.state, SandboxState::Paused);
    let reason = StopReason::VmLost;
    assert_eq!(
        world.row(lost).await.state,
        SandboxState::Stopped { reason }
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_a_silent_host_paused_comes_back_as_paused(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    fall_silent(&world).await;
    assert_eq!(world.row(id).await.state, SandboxState::Missing);
    // The agent pauses its sandboxes when it has lost the control plane (B-124, W-002).
    world.host.pause_by_itself(id, "control_plane_lost");
    beat(&world).await;
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(row.state, SandboxState::Paused);
    assert_eq!(row.status_reason.as_deref(), Some("control_plane_lost"));
    world.resume(id).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_is_not_silent_while_nothing_could_receive_its_heartbeats(pool: PgPool) {
    let mut world = World::start(pool).await;
    world.create().await;
    beat(&world).await;
    world.control.monitor_hosts().await.unwrap();
    // The control plane was away for an hour.
    world.restart();
    world.pass(Duration::from_hours(1));
    world.control.monitor_hosts().await.unwrap();
    assert_eq!(state(&world).await, HostState::Online);
    world.pass(Duration::from_mins(1));
    world.control.monitor_hosts().await.unwrap();
    assert_eq!(state(&world).await, HostState::Online);
    world.pass(Duration::from_secs(31));
    world.control.monitor_hosts().await.unwrap();
    assert_eq!(state(&world).await, HostState::Unreachable);
}

/// W-014: a sandbox whose host is away is destroyed at once for its user, and on the host when it returns.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_missing_sandbox_can_be_destroyed(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    fall_silent(&world).await;
    world.host.go_away();
    world.destroy(id).await.unwrap();
    let reason = StopReason::Destroyed;
    assert_eq!(world.row(id).await.state, SandboxState::Stopped { reason });
    world.host.come_back();
    beat(&world).await;
    world.sweep().await;
    assert!(!world.row(id).await.cleanup_pending);
    assert_eq!(world.host.holds(id), None);
}

/// B-121: no agent is left that could confirm what a deleted host still holds.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_destroyed_sandbox_does_not_wait_for_a_host_that_is_deleted(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.go_away();
    world.destroy(id).await.unwrap();
    world.sweep().await;
    assert!(world.row(id).await.cleanup_pending, "the host may return");
    let hosts = &world.control.hosts;
    let deleted = hosts.delete_host(&world.person, world.host_id, true).await;
    deleted.unwrap();
    world.sweep().await;
    assert!(!world.row(id).await.cleanup_pending);
}

/// B-121: what the host still had to remove is part of the deletion, also without force.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_deletion_orders_the_cleanup_that_the_host_still_owes(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.go_away();
    world.destroy(id).await.unwrap();
    world.host.come_back();
    assert!(world.host.holds(id).is_some());
    let hosts = &world.control.hosts;
    let deleted = hosts.delete_host(&world.person, world.host_id, false).await;
    deleted.unwrap();
    assert_eq!(world.host.holds(id), None);
    assert!(world.host.has_tombstone(id));
}

/// A pool with one connection is enough: a request never takes a second one while it holds the first.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_cordon_or_drain_that_changes_nothing_needs_one_connection(pool: PgPool) {
    let one = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(3))
        .connect_lazy_with((*pool.connect_options()).clone());
    let world = World::start(one).await;
    let hosts = &world.control.hosts;
    for _ in 0..2 {
        let cordoned = hosts.cordon_host(&world.person, world.host_id, true).await;
        assert!(cordoned.unwrap().host.cordoned);
    }
    for _ in 0..2 {
        let drained = hosts.drain_host(&world.person, world.host_id, Drain::Wait);
        assert_eq!(drained.await.unwrap().host.host.drain, Some(Drain::Wait));
    }
}

/// W-008: a create without a host ends in the request.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn nothing_is_created_while_every_host_is_away(pool: PgPool) {
    let world = World::start(pool).await;
    fall_silent(&world).await;
    let created = world
        .sandboxes
        .create_sandbox(&world.caller, World::request());
    created.await.unwrap_err();
    let reason = ErrorReason::CreateFailed;
    assert_eq!(world.only_row().await.state, SandboxState::Error { reason });
}
