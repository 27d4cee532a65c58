//! The host of a new sandbox: which hosts, in which order, and never more than a host gives (B-115, B-116, B-180, W-047).

use std::collections::BTreeMap;

use locule_control::{ControlConfig, Machine, SandboxError, SchedulerKind};
use locule_domain::{HostState, SandboxState};
use locule_ids::HostId;
use locule_store::hosts;
use locule_testkit::{World, roomy, with_minimal};
use serde_json::{Value, json};
use sqlx::PgPool;

/// 4 GiB, of which a tenth is kept back, promised twice: 14 sandboxes of 512 MiB.
const SMALL_HOST_HOLDS: usize = 14;

fn small() -> Machine {
    Machine {
        memory_mib: 4096,
        ..roomy()
    }
}

/// The number of sandboxes that each host has.
async fn placed(world: &World) -> BTreeMap<HostId, usize> {
    let mut conn = world.connection().await;
    let loads = hosts::loads(&mut conn).await.unwrap();
    let counts = loads
        .into_iter()
        .map(|(host, load)| (host, usize::try_from(load.running).unwrap()));
    counts.collect()
}

/// Makes the first host of the world a small one.
async fn shrink_first(world: &World) {
    let mut conn = world.connection().await;
    let host = hosts::get(&mut conn, world.host_id).await.unwrap().unwrap();
    hosts::register(
        &mut conn,
        host.id,
        &host.address,
        &small(),
        world.clock_now(),
    )
    .await
    .unwrap();
}

/// Lets the team of the world fill several hosts.
async fn raise_limits(world: &World) {
    let own = locule_control::OwnLimits {
        sandboxes_max: Some(1000),
        vcpus_max: Some(1000),
        memory_mib_max: Some(1 << 20),
        creates_per_minute_max: Some(1000),
        ..locule_control::OwnLimits::default()
    };
    let limits = world
        .accounts
        .set_limits(&world.person, world.caller.team, own);
    limits.await.unwrap();
}

fn least_loaded(config: &mut ControlConfig) {
    config.sandboxes.scheduler.kind = SchedulerKind::LeastLoaded;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn round_robin_uses_every_host_in_turn(pool: PgPool) {
    let world = World::start(pool).await;
    let (second, _) = world.add_host(None, &roomy()).await;
    let (third, host) = world.add_host(None, &roomy()).await;
    for _ in 0..6 {
        world.create().await;
    }
    let each = [world.host_id, second, third].map(|id| (id, 2));
    assert_eq!(placed(&world).await, BTreeMap::from(each));
    assert_eq!(host.count(), 2);
}

/// The row is written with its host, and once more by the host's report. A host that refuses costs one write more.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_create_commits_twice_unless_the_first_host_refuses(pool: PgPool) {
    let world = World::start(pool).await;
    let kept_for = std::time::Duration::from_secs(1);
    let control = world.another_control(|config| config.sandboxes.candidates_kept = kept_for);
    let create = async || {
        let created = control
            .sandboxes
            .create_sandbox(&world.caller, World::request());
        created.await.unwrap()
    };
    let (second, _) = world.add_host(None, &roomy()).await;
    let created = [create().await, create().await];
    assert_eq!(created.map(|sandbox| sandbox.version), [2, 2]);
    // Cordoned by another process: the lock shows it.
    let cordoned = world
        .control
        .hosts
        .cordon_host(&world.person, world.host_id, true);
    cordoned.await.unwrap();
    let created = [create().await, create().await];
    assert!(created.iter().all(|sandbox| sandbox.host == Some(second)));
    let writes: i64 = created.iter().map(|sandbox| sandbox.version).sum();
    assert_eq!(writes, 3 + 2, "the first host refuses once");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_least_loaded_host_is_the_one_with_the_largest_free_part(pool: PgPool) {
    let world = World::start(pool).await;
    shrink_first(&world).await;
    world.create().await;
    let (roomy_host, _) = world.add_host(None, &roomy()).await;
    let control = world.another_control(least_loaded);
    for _ in 0..5 {
        let created = control
            .sandboxes
            .create_sandbox(&world.caller, World::request());
        assert_eq!(created.await.unwrap().host, Some(roomy_host));
    }
}

/// Two processes create at the same time, and the hosts have capacity for fewer sandboxes than are asked for.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn parallel_creates_of_two_processes_never_exceed_what_the_hosts_give(pool: PgPool) {
    let world = World::start(pool).await;
    shrink_first(&world).await;
    let (second, _) = world.add_host(None, &small()).await;
    let other = world.another_control(least_loaded);
    raise_limits(&world).await;
    let processes = [&world.sandboxes, &other.sandboxes];
    let creates = (0..40)
        .map(|number: usize| processes[number % 2].create_sandbox(&world.caller, World::request()));
    let created = futures::future::join_all(creates).await;
    let refused = created.iter().filter(|created| created.is_err());
    for error in refused.clone() {
        assert!(matches!(error, Err(SandboxError::NoCapacity)), "{error:?}");
    }
    assert_eq!(refused.count(), 40 - 2 * SMALL_HOST_HOLDS);
    let full = [world.host_id, second].map(|id| (id, SMALL_HOST_HOLDS));
    assert_eq!(placed(&world).await, BTreeMap::from(full));
    // The end of a sandbox ends its reservation.
    let one = created.into_iter().find_map(Result::ok).unwrap();
    world.destroy(one.id).await.unwrap();
    assert_eq!(world.create().await.host, one.host);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_team_that_brings_hosts_has_its_sandboxes_there_and_no_other_team_has(pool: PgPool) {
    let world = World::start(pool).await;
    let team = world.caller.team;
    let (own, _) = world.add_host(Some(team), &roomy()).await;
    // The team's own host is not for the team before the team may bring hosts.
    for _ in 0..3 {
        assert_eq!(world.create().await.host, Some(world.host_id));
    }
    let allowed = world.accounts.set_byoc(&world.person, team, true);
    allowed.await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.create().await.host, Some(own));
    }
    // A host that is away is not replaced by a host of the platform.
    let mut conn = world.connection().await;
    let away = HostState::Unreachable;
    hosts::set_state(&mut conn, own, away, world.clock_now())
        .await
        .unwrap();
    let refused = world
        .sandboxes
        .create_sandbox(&world.caller, World::request());
    let refused = refused.await.unwrap_err();
    assert!(matches!(refused, SandboxError::NoCapacity), "{refused:?}");
}

/// A paused sandbox is on one host, and is resumed there, whatever that host has left.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_is_resumed_where_its_snapshot_is(pool: PgPool) {
    let world = World::start(pool).await;
    world.add_host(None, &roomy()).await;
    for _ in 0..4 {
        let created = world.create().await;
        world.pause(created.id).await.unwrap();
        let resumed = world.resume(created.id).await.unwrap();
        assert_eq!(resumed.host, created.host);
        assert_eq!(resumed.state, SandboxState::Running);
    }
}

/// W-004.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_gets_no_sandbox_before_its_heartbeat_says_that_it_has_the_template(pool: PgPool) {
    let world = World::start(pool).await;
    let (other, _) = world.add_host(None, &roomy()).await;
    let says = async |report: Value| {
        let mut conn = world.connection().await;
        let host = hosts::get(&mut conn, other).await.unwrap().unwrap();
        let online = (HostState::Online, host.address.as_str());
        let written = hosts::heartbeat(&mut conn, other, online, &report, world.clock_now());
        written.await.unwrap();
    };
    let another = json!({ "templates": [{ "name": "another", "sha256": "0" }] });
    for without in [Value::Null, json!({ "templates": [] }), another] {
        says(without.clone()).await;
        for _ in 0..2 {
            let created = world.create().await;
            assert_eq!(created.host, Some(world.host_id), "{without}");
        }
    }
    says(with_minimal()).await;
    for _ in 0..2 {
        world.create().await;
    }
    assert_eq!(placed(&world).await[&other], 1);
}

/// The lock of a host decides, so candidates that are out of date cost a sandbox its turn and never its place.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn candidates_are_kept_for_a_moment_and_hide_no_host_with_capacity(pool: PgPool) {
    let world = World::start(pool).await;
    shrink_first(&world).await;
    raise_limits(&world).await;
    let kept_for = std::time::Duration::from_secs(1);
    let control = world.another_control(|config| config.sandboxes.candidates_kept = kept_for);
    let create = async || {
        let created = control
            .sandboxes
            .create_sandbox(&world.caller, World::request());
        created.await.unwrap().host.unwrap()
    };
    assert_eq!(create().await, world.host_id);
    let (second, _) = world.add_host(None, &small()).await;
    // The second host is not known yet, until the first one is full.
    for _ in 1..SMALL_HOST_HOLDS {
        assert_eq!(create().await, world.host_id);
    }
    assert_eq!(create().await, second);
    // Cordoned by another process: the lock shows it.
    let cordoned = world.control.hosts.cordon_host(&world.person, second, true);
    cordoned.await.unwrap();
    let (third, _) = world.add_host(None, &roomy()).await;
    assert_eq!(create().await, third);
    // A moment later all candidates are read.
    let (fourth, _) = world.add_host(None, &roomy()).await;
    world.pass(kept_for);
    let placed = [create().await, create().await];
    assert!(placed.contains(&fourth), "{placed:?}");
}
