//! The quota of a team for what it keeps: paused sandboxes and stored bytes. The rules themselves are in `locule-domain`.

use std::time::Duration;

use locule_control::{NewSandbox, OwnLimits, SandboxError};
use locule_domain::{Desired, QuotaLimit, Sandbox, SandboxState};
use locule_ids::SandboxId;
use locule_testkit::World;
use sqlx::PgPool;

const IDLE: Duration = Duration::from_mins(1);

async fn limit(world: &World, own: OwnLimits) {
    let team = world.caller.team;
    let set = world.accounts.set_limits(&world.person, team, own).await;
    set.unwrap();
}

/// A sandbox that the platform pauses after a minute without use.
async fn try_create_idle(world: &World) -> Result<Sandbox, SandboxError> {
    let request = NewSandbox {
        timeout_sec: 60,
        ..World::request()
    };
    world.sandboxes.create_sandbox(&world.caller, request).await
}

async fn try_create(world: &World) -> Result<Sandbox, SandboxError> {
    let request = World::request();
    world.sandboxes.create_sandbox(&world.caller, request).await
}

fn exceeded<T: std::fmt::Debug>(result: Result<T, SandboxError>) -> QuotaLimit {
    let error = result.unwrap_err();
    let SandboxError::QuotaExceeded(exceeded) = error else {
        panic!("{error:?}");
    };
    exceeded.what
}

async fn time_out(world: &World) {
    world.pass(IDLE + Duration::from_secs(1));
    world.host.check_timeouts();
    world.sweep().await;
}

async fn stored(world: &World, id: SandboxId, mib: u64) {
    let bytes = Some(mib << 20);
    world.host.set(id, |report| report.stored_bytes = bytes);
    world.sweep().await;
}

/// A team with a limit of one sandbox created and paused four in a row.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pause_beyond_the_limit_of_paused_sandboxes_is_refused_and_the_sandbox_runs_on(
    pool: PgPool,
) {
    let world = World::start(pool).await;
    let own = OwnLimits {
        sandboxes_max: Some(1),
        paused_max: Some(2),
        ..OwnLimits::default()
    };
    limit(&world, own).await;
    let mut paused = Vec::new();
    for _ in 0..2 {
        let id = world.create().await.id;
        world.pause(id).await.unwrap();
        paused.push(id);
    }
    let third = world.create().await.id;
    let before = world.row(third).await;
    assert_eq!(exceeded(world.pause(third).await), QuotaLimit::Paused);
    assert_eq!(
        world.row(third).await,
        before,
        "a refused pause wrote the row"
    );
    // A destroy frees the place, and needs none.
    world.destroy(paused[0]).await.unwrap();
    world.pause(third).await.unwrap();
    // A team at its limit resumes.
    world.resume(paused[1]).await.unwrap();
}

/// "Create, let it time out, create" gains nothing: a sandbox that pauses at a timeout occupies its place from its creation.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sandboxes_that_time_out_do_not_exceed_the_limit_of_paused_sandboxes(pool: PgPool) {
    let world = World::start(pool).await;
    let own = OwnLimits {
        sandboxes_max: Some(5),
        paused_max: Some(3),
        ..OwnLimits::default()
    };
    limit(&world, own).await;
    let first = try_create_idle(&world).await.unwrap().id;
    time_out(&world).await;
    assert_eq!(world.row(first).await.state, SandboxState::Paused);
    try_create_idle(&world).await.unwrap();
    try_create_idle(&world).await.unwrap();
    assert_eq!(exceeded(try_create_idle(&world).await), QuotaLimit::Paused);
    time_out(&world).await;
    assert_eq!(exceeded(try_create_idle(&world).await), QuotaLimit::Paused);
    // A sandbox that ends at its timeout needs no place.
    let ends = world.create().await.id;
    assert_eq!(exceeded(world.pause(ends).await), QuotaLimit::Paused);
    world.resume(first).await.unwrap();
    // The pause of a sandbox that has its place is no further use.
    world.pause(first).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pause_by_the_platform_is_never_refused_and_nothing_is_created_above_the_limit(
    pool: PgPool,
) {
    let world = World::start(pool).await;
    let own = OwnLimits {
        sandboxes_max: Some(2),
        paused_max: Some(0),
        ..OwnLimits::default()
    };
    limit(&world, own).await;
    let (one, other) = (world.create().await.id, world.create().await.id);
    for (id, reason) in [(one, "memory_pressure"), (other, "host_stopping")] {
        world.host.pause_by_itself(id, reason);
    }
    world.sweep().await;
    for id in [one, other] {
        let row = world.row(id).await;
        assert_eq!(
            (row.state, row.desired),
            (SandboxState::Paused, Desired::Paused)
        );
    }
    assert_eq!(exceeded(try_create(&world).await), QuotaLimit::Paused);
    world.resume(one).await.unwrap();
    assert_eq!(exceeded(try_create(&world).await), QuotaLimit::Paused);
    world.destroy(other).await.unwrap();
    try_create(&world).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn stored_bytes_at_their_limit_refuse_creates_and_pauses_and_no_resume(pool: PgPool) {
    let world = World::start(pool).await;
    let own = OwnLimits {
        storage_mib_max: Some(1000),
        ..OwnLimits::default()
    };
    limit(&world, own).await;
    let (paused, running) = (world.create().await.id, world.create().await.id);
    world.pause(paused).await.unwrap();
    stored(&world, paused, 700).await;
    stored(&world, running, 299).await;
    try_create(&world).await.unwrap();
    stored(&world, running, 300).await;
    assert_eq!(world.row(running).await.stored_bytes, 300 << 20);
    assert_eq!(exceeded(try_create(&world).await), QuotaLimit::Storage);
    assert_eq!(exceeded(world.pause(running).await), QuotaLimit::Storage);
    assert_eq!(world.row(running).await.state, SandboxState::Running);
    world.resume(paused).await.unwrap();
    // A host that has not measured yet, after its restart, takes nothing back.
    world.host.set(paused, |report| report.stored_bytes = None);
    world.sweep().await;
    assert_eq!(exceeded(try_create(&world).await), QuotaLimit::Storage);
    world.destroy(paused).await.unwrap();
    try_create(&world).await.unwrap();
    world.pause(running).await.unwrap();
}

/// The count and the change are one transaction under the lock of the team, whichever replica runs it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn concurrent_pauses_do_not_exceed_the_limit(pool: PgPool) {
    let world = World::start(pool).await;
    let own = OwnLimits {
        paused_max: Some(2),
        ..OwnLimits::default()
    };
    limit(&world, own).await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(world.create().await.id);
    }
    let pauses = ids.iter().map(|id| world.pause(*id));
    let results = futures::future::join_all(pauses).await;
    let paused = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(paused, 2, "{results:?}");
}
