//! Sandboxes that a host holds and that have no row: they are paused, kept and imported (truth table, the row "no row at all").

use std::collections::BTreeMap;
use std::time::Duration;

use locule_agent_api::{ReportedState, SandboxReport, WriteMark};
use locule_control::{CommonError, HostError, HostSandbox, database_mark};
use locule_domain::{Desired, NewSandbox, OnTimeout, Sandbox, SandboxState};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_testkit::{Call, World, builders, roomy};
use sqlx::PgPool;

/// A request that sets everything that an import must bring back.
fn request() -> NewSandbox {
    let texts = |name: &str| BTreeMap::from([(name.to_owned(), "value".to_owned())]);
    NewSandbox {
        vcpus: Some(2),
        memory_mib: Some(1024),
        timeout_sec: 600,
        expires_in: Some(Duration::from_hours(2)),
        on_timeout: OnTimeout::Pause,
        auto_resume: true,
        public_traffic: true,
        env: texts("env"),
        labels: texts("label"),
        ..World::request()
    }
}

async fn delete_row(world: &World, id: SandboxId) {
    let mut conn = world.connection().await;
    let delete = sqlx::query("DELETE FROM sandboxes WHERE id = $1").bind(id.as_uuid());
    delete.execute(&mut *conn).await.unwrap();
}

/// A sandbox whose row is lost, and what the row was.
async fn lost_row(world: &World) -> Sandbox {
    let sandbox = world.create_as(request()).await;
    delete_row(world, sandbox.id).await;
    sandbox
}

async fn has_row(world: &World, id: SandboxId) -> bool {
    let mut conn = world.connection().await;
    let count = sqlx::query_scalar("SELECT count(*) FROM sandboxes WHERE id = $1");
    let count: i64 = count
        .bind(id.as_uuid())
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    count == 1
}

async fn import(
    world: &World,
    host: HostId,
    id: SandboxId,
    team: Option<TeamId>,
) -> Result<HostSandbox, HostError> {
    let hosts = &world.control.hosts;
    hosts.import_sandbox(&world.person, host, id, team).await
}

/// The ids in the quarantine of a host, and the names of their teams.
async fn quarantine(world: &World, host: HostId) -> Vec<(SandboxId, Option<String>)> {
    let held = world.control.hosts.quarantine(&world.person, host).await;
    let held = held.unwrap().into_iter();
    held.map(|one| (one.id, one.team_name)).collect()
}

/// The text of the conflict that a refused import is, which has added no row.
async fn conflict(world: &World, host: HostId, id: SandboxId, team: Option<TeamId>) -> String {
    let refused = import(world, host, id, team).await.unwrap_err();
    assert!(!has_row(world, id).await);
    let HostError::Common(CommonError::Conflict { why }) = &refused else {
        panic!("{refused}");
    };
    why.clone()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_without_a_row_is_paused_and_its_row_is_imported(pool: PgPool) {
    let world = World::start(pool).await;
    let (before, stays) = (lost_row(&world).await, world.create().await.id);
    let id = before.id;
    world.sweep().await;
    assert_eq!(world.host.holds(id), Some(ReportedState::Paused));
    assert_eq!(world.host.holds(stays), Some(ReportedState::Running));
    let held = quarantine(&world, world.host_id).await;
    assert!(
        held.len() == 1 && held[0].0 == id && held[0].1.is_some(),
        "{held:?}"
    );

    let imported = import(&world, world.host_id, id, None).await.unwrap();
    assert_eq!((imported.id, imported.state), (id, SandboxState::Paused));
    assert_eq!(quarantine(&world, world.host_id).await, []);
    let row = world.row(id).await;
    assert_eq!(
        (row.state, row.desired),
        (SandboxState::Paused, Desired::Paused)
    );
    let what = |row: Sandbox| {
        let shape = (row.vcpus, row.memory_mib, row.disk_size_mb);
        let template = (row.template, row.template_id, row.default_user);
        let end = (row.timeouts, row.timeout_given_sec);
        let texts = (row.env, row.labels, row.auto_resume, row.metadata);
        (
            row.team,
            row.host,
            shape,
            template,
            end,
            texts,
            row.created_at,
        )
    };
    assert!(!row.public_traffic, "the ports are private");
    let generation = row.generation;
    assert_eq!(what(row), what(before));
    let log = world.audit_log(id).await;
    let last = log.last().unwrap();
    assert!(last.starts_with("user import warning"), "{log:?}");

    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Paused);
    let resumed = world.resume(id).await.unwrap();
    assert_eq!(resumed.state, SandboxState::Running);
    assert!(resumed.generation > generation);
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_without_a_row_is_paused_once_and_never_destroyed(pool: PgPool) {
    let world = World::start(pool).await;
    let id = lost_row(&world).await.id;
    for _ in 0..3 {
        world.sweep().await;
        world.pass(Duration::from_hours(24 * 30));
        assert_eq!(world.host.holds(id), Some(ReportedState::Paused));
    }
    let asked = [Call::Pause, Call::Destroy].map(|call| world.host.asked(call, id));
    assert_eq!(asked, [1, 0]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_runs_is_paused_by_its_import(pool: PgPool) {
    let world = World::start(pool).await;
    let id = lost_row(&world).await.id;
    import(&world, world.host_id, id, None).await.unwrap();
    assert_eq!(world.host.holds(id), Some(ReportedState::Paused));
    assert_eq!(world.row(id).await.state, SandboxState::Paused);
    world.resume(id).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_with_a_row_or_without_files_is_not_imported(pool: PgPool) {
    let world = World::start(pool).await;
    let (known, ended) = (world.create().await, lost_row(&world).await.id);
    let refused = import(&world, world.host_id, known.id, None).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("is in the database"), "{refused}");
    assert_eq!(world.row(known.id).await.state, SandboxState::Running);
    world.host.end_by_itself(ended, "guest_shutdown");
    for id in [ended, SandboxId::random()] {
        let missing = import(&world, world.host_id, id, None).await.unwrap_err();
        assert_eq!(missing.to_string(), "sandbox not found");
        assert!(!has_row(&world, id).await);
    }
    assert_eq!(quarantine(&world, world.host_id).await, []);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn nothing_is_imported_while_the_database_is_older_than_the_host(pool: PgPool) {
    let world = World::start(pool).await;
    let id = lost_row(&world).await.id;
    let now = database_mark(&world.pool).await.unwrap();
    world.host.record_mark(WriteMark {
        counter: now.counter + 1000,
        ..now
    });
    let why = conflict(&world, world.host_id, id, None).await;
    assert!(why.contains("locule host accept-database"), "{why}");
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
    let hosts = &world.control.hosts;
    let accepted = hosts.accept_database(&world.person, world.host_id).await;
    assert_eq!(accepted.unwrap().host.id, world.host_id);
    import(&world, world.host_id, id, None).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_of_a_lost_team_gets_the_team_that_is_named(pool: PgPool) {
    let world = World::start(pool).await;
    let (lost, owned) = (lost_row(&world).await.id, lost_row(&world).await.id);
    world
        .host
        .set(lost, |report| report.team = TeamId::random());
    let (_, other) = builders::team(&mut *world.connection().await, "Other").await;
    let names = quarantine(&world, world.host_id).await;
    assert!(names.contains(&(lost, None)), "{names:?}");

    let why = conflict(&world, world.host_id, lost, None).await;
    assert!(why.contains("name the team"), "{why}");
    // The team exists: no other one gets its sandbox.
    let why = conflict(&world, world.host_id, owned, Some(other)).await;
    assert!(why.contains("which exists"), "{why}");
    let unknown = import(&world, world.host_id, lost, Some(TeamId::random())).await;
    assert!(unknown.unwrap_err().to_string().ends_with("does not exist"));
    let imported = import(&world, world.host_id, lost, Some(other))
        .await
        .unwrap();
    assert_eq!(
        (imported.team, imported.team_name.as_str()),
        (other, "Other")
    );
    assert_eq!(world.row(lost).await.team, other);
}

/// The operators of such a host can put any record on it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_that_a_team_brings_gets_sandboxes_of_this_team_only(pool: PgPool) {
    let world = World::start(pool).await;
    let (_, own) = builders::team(&mut *world.connection().await, "Own").await;
    let (id, host) = world.add_host(Some(own), &roomy()).await;
    let other = lost_row(&world).await;
    let claimed = SandboxReport {
        sandbox: SandboxId::random(),
        ..world.host.report(other.id).unwrap()
    };
    let sandbox = claimed.sandbox;
    host.hold(claimed);
    assert_eq!(quarantine(&world, id).await, [(sandbox, None)]);
    for named in [None, Some(other.team), Some(TeamId::random())] {
        let why = conflict(&world, id, sandbox, named).await;
        assert!(why.contains("of this team only"), "{why}");
    }
    let imported = import(&world, id, sandbox, Some(own)).await.unwrap();
    assert_eq!(
        (imported.team, world.row(sandbox).await.host),
        (own, Some(id))
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_record_beyond_the_limits_of_a_request_becomes_no_row(pool: PgPool) {
    let world = World::start(pool).await;
    let wrong: [fn(&mut SandboxReport); 6] = [
        |report| report.vcpus = 1000,
        |report| report.memory_mib = 1,
        |report| report.disk_size_mb = 0,
        |report| report.generation = i64::MAX - 1,
        |report| report.template = "a b".to_owned(),
        |report| report.timeouts.timeout_sec = u32::MAX,
    ];
    for change in wrong {
        let id = lost_row(&world).await.id;
        world.host.pause_by_itself(id, "idle");
        world.host.set(id, change);
        let why = conflict(&world, world.host_id, id, None).await;
        assert!(why.contains("cannot become a row"), "{why}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_that_does_not_answer_imports_nothing(pool: PgPool) {
    let world = World::start(pool).await;
    let id = lost_row(&world).await.id;
    world.host.go_away();
    let refused = import(&world, world.host_id, id, None).await;
    assert!(matches!(refused, Err(HostError::Sandbox(_))), "{refused:?}");
    let hosts = &world.control.hosts;
    hosts
        .quarantine(&world.person, world.host_id)
        .await
        .unwrap_err();
    assert!(!has_row(&world, id).await);
}
