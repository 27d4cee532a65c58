//! Updates of a sandbox: what changes, what its host is told, what the quota allows.

use std::time::Duration;

use locule_control::{OwnLimits, SandboxError};
use locule_domain::{
    Desired, Expiry, OnTimeout, QuotaLimit, Sandbox, SandboxState, SandboxUpdate, Timeouts,
};
use locule_ids::SandboxId;
use locule_testkit::{Call, World};
use sqlx::PgPool;

async fn update(
    world: &World,
    id: SandboxId,
    update: &SandboxUpdate,
) -> Result<Sandbox, SandboxError> {
    let updated = world.sandboxes.update_sandbox(&world.caller, id, update);
    updated.await
}

fn label(name: &str, value: Option<&str>) -> SandboxUpdate {
    SandboxUpdate {
        labels: [(name.to_owned(), value.map(str::to_owned))].into(),
        ..SandboxUpdate::default()
    }
}

fn idle(seconds: u32) -> SandboxUpdate {
    SandboxUpdate {
        timeout_sec: Some(seconds),
        ..SandboxUpdate::default()
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_update_changes_what_it_names_and_is_recorded_once(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let before = world.row(id).await;
    update(&world, id, &label("a", Some("1"))).await.unwrap();
    let more = SandboxUpdate {
        auto_resume: Some(true),
        public_traffic: Some(true),
        ..label("b", Some("2"))
    };
    let answer = update(&world, id, &more).await.unwrap();
    let row = world.row(id).await;
    assert_eq!(answer.labels, row.labels);
    assert_eq!(row.labels.len(), 2);
    assert!(row.auto_resume && row.public_traffic);
    assert_eq!(row.timeouts, before.timeouts);
    // Neither is the host's matter, and the second time nothing changes.
    update(&world, id, &more).await.unwrap();
    update(&world, id, &SandboxUpdate::default()).await.unwrap();
    assert_eq!(world.host.asked(Call::Update, id), 0);
    assert_eq!(world.row(id).await.generation, before.generation);
    update(&world, id, &label("a", None)).await.unwrap();
    assert_eq!(world.row(id).await.labels.len(), 1);
    let entries = world.audit_log(id).await;
    assert_eq!(
        entries[1..],
        [
            r#"api_key update info {"labels":["a"]}"#,
            r#"api_key update info {"auto_resume":true,"labels":["b"],"public_traffic":true}"#,
            r#"api_key update info {"labels":["a"]}"#,
        ]
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn new_timeouts_reach_the_host_of_a_running_sandbox(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let wanted = SandboxUpdate {
        expiry: Some(Expiry::After(600)),
        on_timeout: Some(OnTimeout::Pause),
        ..idle(60)
    };
    let answer = update(&world, id, &wanted).await.unwrap();
    let expected = Timeouts {
        timeout_sec: 60,
        expires_at: Some(world.clock_now() + Duration::from_mins(10)),
        on_timeout: OnTimeout::Pause,
    };
    assert_eq!(answer.timeouts, expected);
    assert_eq!(world.host.report(id).unwrap().timeouts, expected);
    let never = SandboxUpdate {
        expiry: Some(Expiry::Never),
        ..SandboxUpdate::default()
    };
    update(&world, id, &never).await.unwrap();
    let report = world.host.report(id).unwrap();
    assert_eq!(report.timeouts.expires_at, None);
    assert_eq!(report.generation, world.row(id).await.generation);
}

/// A host that cannot be reached learns the timeouts from the sweep.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_sweep_sends_timeouts_that_did_not_reach_the_host(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.go_away();
    let error = update(&world, id, &idle(60)).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::HostUnavailable(_)),
        "{error:?}"
    );
    assert_eq!(world.host.report(id).unwrap().timeouts.timeout_sec, 0);
    world.host.come_back();
    world.sweep().await;
    assert_eq!(world.host.report(id).unwrap().timeouts.timeout_sec, 60);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_paused_sandbox_resumes_with_its_new_timeouts(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.pause(id).await.unwrap();
    update(&world, id, &idle(60)).await.unwrap();
    assert_eq!(world.host.asked(Call::Update, id), 0);
    world.resume(id).await.unwrap();
    assert_eq!(world.host.report(id).unwrap().timeouts.timeout_sec, 60);
}

/// "Create without a timeout, then set one" gains no place among the paused sandboxes.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_timeout_that_pauses_needs_a_place(pool: PgPool) {
    let world = World::start(pool).await;
    let own = OwnLimits {
        paused_max: Some(1),
        ..OwnLimits::default()
    };
    let limited = world
        .accounts
        .set_limits(&world.person, world.caller.team, own);
    limited.await.unwrap();
    let (one, other) = (world.create().await.id, world.create().await.id);
    update(&world, one, &idle(60)).await.unwrap();
    let error = update(&world, other, &idle(60)).await.unwrap_err();
    let SandboxError::QuotaExceeded(exceeded) = error else {
        panic!("{error:?}");
    };
    assert_eq!(exceeded.what, QuotaLimit::Paused);
    assert_eq!(world.row(other).await.timeouts.timeout_sec, 0);
    // What has a place may change its timeouts, and gives the place back.
    update(&world, one, &idle(30)).await.unwrap();
    update(&world, one, &idle(0)).await.unwrap();
    update(&world, other, &idle(60)).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_ends_or_changes_its_state_is_not_updated(pool: PgPool) {
    let world = World::start(pool).await;
    let ended = world.create().await.id;
    world.destroy(ended).await.unwrap();
    let error = update(&world, ended, &label("a", Some("1"))).await;
    assert_eq!(error.unwrap_err().to_string(), "the sandbox is stopped");
    let id = world.create().await.id;
    for (state, desired, refused) in [
        (SandboxState::Running, Desired::Gone, "being destroyed"),
        (SandboxState::Running, Desired::Paused, "being paused"),
        (SandboxState::Paused, Desired::Running, "being resumed"),
        (
            SandboxState::Starting,
            Desired::Running,
            "starting, not running or paused",
        ),
    ] {
        world
            .change_row(id, |row| (row.state, row.desired) = (state, desired))
            .await;
        let error = update(&world, id, &idle(60)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the sandbox is {refused}"));
        let labelled = update(&world, id, &label("a", Some("1"))).await;
        assert_eq!(labelled.is_ok(), desired != Desired::Gone, "{refused}");
        update(&world, id, &label("a", None)).await.ok();
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_author_of_an_end_is_who_asked_for_it_or_the_platform(pool: PgPool) {
    let world = World::start(pool).await;
    let described = async |id| {
        let team = world.caller.team;
        world.sandboxes.get_described(team, id).await.unwrap()
    };
    let (asked, expired) = (world.create().await.id, world.create().await.id);
    assert_eq!(described(asked).await.ended_by, None);
    world.pass(Duration::from_secs(5));
    world.destroy(asked).await.unwrap();
    let ended = described(asked).await;
    assert_eq!(ended.ended_at, Some(world.clock_now()));
    assert_eq!(ended.ended_by, Some(ended.created_by.clone()));
    assert_eq!(ended.created_by.name.as_deref(), Some("first key"));
    assert_eq!(ended.team_name, "Administrator's Team");
    world.host.end_by_itself(expired, "expired");
    world.sweep().await;
    let ended = described(expired).await;
    assert_eq!(ended.ended_by, Some(locule_control::Author::SYSTEM));
}
