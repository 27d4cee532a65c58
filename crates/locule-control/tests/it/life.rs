//! Pause, resume, connect, timeout and ping, with a host that carries out orders and with a host that fails.

use std::time::Duration;

use locule_agent_api::{AgentError, ReportedState};
use locule_control::{CommonError, Identity, LoginOrigin, NewSandbox, SandboxError, SignedUp};
use locule_domain::{Desired, SandboxState};
use locule_testkit::{Call, Fault, World, person};
use sqlx::PgPool;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_is_paused_resumed_and_recorded(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let paused = world.pause(id).await.unwrap();
    assert_eq!(
        (paused.state, paused.status_reason),
        (SandboxState::Paused, None)
    );
    assert_eq!(world.host.holds(id), Some(ReportedState::Paused));
    let resumed = world.resume(id).await.unwrap();
    assert_eq!(resumed.state, SandboxState::Running);
    assert!(resumed.generation > 2);
    assert_eq!(
        world.audit_log(id).await,
        [
            r#"api_key create success {"template":"minimal"}"#,
            "api_key pause success {}",
            "api_key resume success {}",
        ]
    );
}

/// W-007: the host is asked for the state of the sandbox before the request is answered.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pause_or_resume_whose_answer_was_lost_succeeds(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.fail(Call::Pause, Fault::LoseAnswer);
    assert_eq!(world.pause(id).await.unwrap().state, SandboxState::Paused);
    world.host.fail(Call::Resume, Fault::LoseAnswer);
    assert_eq!(world.resume(id).await.unwrap().state, SandboxState::Running);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_failed_pause_leaves_the_sandbox_running_with_an_error_until_it_is_paused(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let full = AgentError::Internal("no space".to_owned());
    world.host.fail(Call::Pause, Fault::Refuse(full));
    let error = world.pause(id).await.unwrap_err();
    assert!(matches!(error, SandboxError::AgentFailed(_)), "{error:?}");
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.state, row.desired),
        (SandboxState::Running, Desired::Running)
    );
    assert!(row.last_error.unwrap().contains("runs on"));
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
    assert_eq!(world.pause(id).await.unwrap().last_error, None);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_never_repeats_a_failed_resume(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.pause(id).await.unwrap();
    world.host.go_away();
    let error = world.resume(id).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::HostUnavailable(_)),
        "{error:?}"
    );
    world.host.come_back();
    world.sweep().await;
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.state, row.desired),
        (SandboxState::Paused, Desired::Paused)
    );
    assert!(row.last_error.unwrap().contains("still paused"));
    assert_eq!(world.host.asked(Call::Resume, id), 1);
}

/// The order arrives after its request failed: the sandbox stays paused until a request resumes it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_late_pause_order_leaves_the_sandbox_paused(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.fail(Call::Pause, Fault::Late);
    world.pause(id).await.unwrap_err();
    world.host.deliver_late();
    world.sweep().await;
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Paused);
    assert_eq!(world.host.holds(id), Some(ReportedState::Paused));
    world.resume(id).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_a_late_order_resumed_is_paused_again(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.pause(id).await.unwrap();
    world.host.fail(Call::Resume, Fault::Late);
    world.resume(id).await.unwrap_err();
    world.host.deliver_late();
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
    world.sweep().await;
    assert_eq!(world.row(id).await.state, SandboxState::Paused);
    assert_eq!(world.host.holds(id), Some(ReportedState::Paused));
}

/// A host that has received a newer order refuses the late one.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_refuses_a_late_order_after_a_newer_one(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.fail(Call::Pause, Fault::Late);
    world.pause(id).await.unwrap_err();
    world.sweep().await;
    world.host.deliver_late();
    assert_eq!(world.host.holds(id), Some(ReportedState::Running));
    assert_eq!(world.row(id).await.state, SandboxState::Running);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pause_of_a_lost_sandbox_writes_that_it_is_lost(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.lose(id);
    let error = world.pause(id).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::Common(CommonError::NotFound { .. })),
        "{error:?}"
    );
    assert_eq!(
        world.row(id).await.status_reason.as_deref(),
        Some("vm_lost")
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_operation_in_the_wrong_state_is_refused_and_changes_nothing(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let before = world.row(id).await;
    let error = world.resume(id).await.unwrap_err();
    assert!(
        matches!(error, SandboxError::InvalidState { .. }),
        "{error:?}"
    );
    assert_eq!(world.row(id).await, before);
    world.pause(id).await.unwrap();
    let before = world.row(id).await;
    let refused = [
        world.pause(id).await.map(drop),
        world
            .sandboxes
            .set_timeout(&world.caller, id, 9)
            .await
            .map(drop),
        world.sandboxes.ping_sandbox(&world.caller, id).await,
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, SandboxError::InvalidState { .. }),
            "{error:?}"
        );
    }
    assert_eq!(world.row(id).await, before);
    assert_eq!(world.audit_log(id).await.len(), 2);
}

/// Every operation on another team's sandbox answers "not found".
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn another_teams_sandbox_is_not_found_and_unchanged(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let before = world.row(id).await;
    let signed_up = world.accounts.sign_up(
        "bob@locule.test",
        "long enough",
        "bob",
        None,
        LoginOrigin::default(),
    );
    let session = signed_up.await.and_then(SignedUp::session).unwrap();
    let bob = person(&world.accounts, &session.token).await;
    let stranger = Identity::Person(bob).caller().unwrap();
    let sandboxes = &world.sandboxes;
    let refused = [
        sandboxes.pause_sandbox(&stranger, id).await.map(drop),
        sandboxes.resume_sandbox(&stranger, id).await.map(drop),
        sandboxes.connect_sandbox(&stranger, id, 60).await.map(drop),
        sandboxes.set_timeout(&stranger, id, 60).await.map(drop),
        sandboxes.ping_sandbox(&stranger, id).await,
        sandboxes.destroy_sandbox(&stranger, id).await,
        sandboxes.get_sandbox(stranger.team, id).await.map(drop),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(
            matches!(error, SandboxError::Common(CommonError::NotFound { .. })),
            "{error:?}"
        );
    }
    assert_eq!(world.row(id).await, before);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_timeout_counts_from_now_and_a_connect_only_extends_it(pool: PgPool) {
    let world = World::start(pool).await;
    let request = NewSandbox {
        expires_in: Some(Duration::from_mins(5)),
        ..World::request()
    };
    let created = world.create_as(request).await;
    let (id, start) = (created.id, created.created_at);
    let at = |seconds| Some(start + Duration::from_secs(seconds));
    assert_eq!(created.timeouts.expires_at, at(300));
    world.pass(Duration::from_secs(10));
    let set = world
        .sandboxes
        .set_timeout(&world.caller, id, 60)
        .await
        .unwrap();
    assert_eq!(
        (set.timeouts.expires_at, set.timeout_given_sec),
        (at(70), Some(60))
    );
    let same = world
        .sandboxes
        .connect_sandbox(&world.caller, id, 30)
        .await
        .unwrap();
    assert_eq!((same.0.timeouts.expires_at, same.1), (at(70), false));
    // A connect that changes no time writes nothing, though it is activity.
    assert_eq!(same.0.version, set.version);
    assert_eq!(world.row(id).await.version, set.version);
    let more = world
        .sandboxes
        .connect_sandbox(&world.caller, id, 120)
        .await
        .unwrap();
    assert_eq!((more.0.timeouts.expires_at, more.1), (at(130), false));
    assert_eq!(world.host.report(id).unwrap().timeouts.expires_at, at(130));
    world.pause(id).await.unwrap();
    world.pass(Duration::from_secs(990));
    let woken = world
        .sandboxes
        .connect_sandbox(&world.caller, id, 60)
        .await
        .unwrap();
    assert_eq!((woken.0.timeouts.expires_at, woken.1), (at(1060), true));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_resume_after_the_end_starts_the_last_timeout_again(pool: PgPool) {
    let world = World::start(pool).await;
    let request = NewSandbox {
        expires_in: Some(Duration::from_mins(5)),
        ..World::request()
    };
    let created = world.create_as(request).await;
    world.pause(created.id).await.unwrap();
    world.pass(Duration::from_secs(1000));
    let resumed = world.resume(created.id).await.unwrap();
    let wanted = created.created_at + Duration::from_secs(1300);
    assert_eq!(resumed.timeouts.expires_at, Some(wanted));
    assert_eq!(
        world.host.report(created.id).unwrap().timeouts.expires_at,
        Some(wanted)
    );
}

/// W-047.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_timeout_above_the_maximum_is_refused_and_changes_nothing(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let before = world.row(id).await;
    for refused in [
        world
            .sandboxes
            .set_timeout(&world.caller, id, u32::MAX)
            .await
            .map(drop),
        world
            .sandboxes
            .connect_sandbox(&world.caller, id, u32::MAX)
            .await
            .map(drop),
    ] {
        assert!(
            matches!(refused, Err(SandboxError::Common(CommonError::Invalid(_)))),
            "{refused:?}"
        );
    }
    assert_eq!(world.row(id).await, before);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_ping_is_activity_on_the_host_and_in_the_row(pool: PgPool) {
    let world = World::start(pool).await;
    let created = world.create().await;
    world.pass(Duration::from_mins(1));
    world
        .sandboxes
        .ping_sandbox(&world.caller, created.id)
        .await
        .unwrap();
    let now = Some(created.created_at + Duration::from_mins(1));
    assert_eq!(world.row(created.id).await.last_active_at, now);
    assert_eq!(world.host.report(created.id).unwrap().last_active_at, now);
}

/// Two simultaneous connects to a paused sandbox both return it running.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn simultaneous_connects_resume_the_sandbox_once(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.pause(id).await.unwrap();
    let connect = || world.sandboxes.connect_sandbox(&world.caller, id, 60);
    let (first, second) = tokio::join!(connect(), connect());
    let woke = [first.unwrap(), second.unwrap()].map(|(sandbox, woke)| {
        assert_eq!(sandbox.state, SandboxState::Running);
        woke
    });
    assert_ne!(woke[0], woke[1]);
    assert_eq!(world.host.asked(Call::Resume, id), 1);
}
