//! Create: the row after the host creates the sandbox, refuses it, or does not answer.

use std::time::Duration;

use futures::future::join_all;
use locule_agent_api::{AgentError, ReportedState};
use locule_control::{
    Caller, CommonError, Credential, Identity, ListFilter, LoginOrigin, NewSandbox, SandboxError,
    SignedUp,
};
use locule_domain::SandboxState;
use locule_testkit::{Call, Fault, Gate, PASSWORD, World, eventually};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

async fn failing_create(world: &World) -> SandboxError {
    let created = world
        .sandboxes
        .create_sandbox(&world.caller, World::request());
    created.await.unwrap_err()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_new_sandbox_runs_on_the_host_that_its_row_names(pool: PgPool) {
    let world = World::start(pool).await;
    let request = NewSandbox {
        template: "base".to_owned(),
        ..World::request()
    };
    let created = world.create_as(request).await;
    assert_eq!(
        (created.state, created.host),
        (SandboxState::Running, Some(world.host_id))
    );
    assert_eq!(
        (created.template.as_str(), created.guest_ip.as_str()),
        ("minimal", "169.254.0.21")
    );
    assert!(created.started_at.is_some() && created.last_active_at.is_some());
    assert_eq!(created, world.row(created.id).await);
    assert_eq!(world.host.holds(created.id), Some(ReportedState::Running));
}

/// W-008: after the request the sandbox is running or in error, never pending.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_create_that_the_host_refuses_fails_in_the_same_request(pool: PgPool) {
    let world = World::start(pool).await;
    let full = AgentError::ResourceExhausted("no memory".to_owned());
    world.host.fail(Call::Create, Fault::Refuse(full));
    let error = failing_create(&world).await;
    assert!(matches!(error, SandboxError::NoCapacity), "{error:?}");
    let row = world.only_row().await;
    assert_eq!(row.status_reason.as_deref(), Some("create_failed"));
    assert!(row.cleanup_pending);
    assert_eq!(
        world.audit_log(row.id).await,
        [
            r#"api_key create success {"template":"minimal"}"#,
            r#"system destroy warning {"reason":"create_failed"}"#,
        ]
    );
    let listed = world
        .sandboxes
        .list_sandboxes(world.caller.team, ListFilter::default())
        .await;
    assert!(listed.unwrap().sandboxes.is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_create_whose_answer_was_lost_leaves_a_running_sandbox(pool: PgPool) {
    let world = World::start(pool).await;
    world.host.fail(Call::Create, Fault::LoseAnswer);
    let created = world.create().await;
    assert_eq!(created.state, SandboxState::Running);
    assert!(!created.cleanup_pending);
}

/// The host writes a tombstone for a sandbox that it does not know, and refuses the late order.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_late_create_order_creates_no_sandbox_after_a_destroy(pool: PgPool) {
    let world = World::start(pool).await;
    world.host.fail(Call::Create, Fault::Late);
    failing_create(&world).await;
    let row = world.only_row().await;
    assert!(row.cleanup_pending);
    // The first order to destroy it fails; the second succeeds.
    let broken = AgentError::Internal("a disk is slow".to_owned());
    world.host.fail(Call::Destroy, Fault::Refuse(broken));
    world.sweep().await;
    assert!(world.row(row.id).await.cleanup_pending);
    world.sweep().await;
    assert!(!world.row(row.id).await.cleanup_pending);
    assert!(world.host.has_tombstone(row.id));
    world.host.deliver_late();
    assert_eq!(world.host.count(), 0);
}

/// The late order arrives before the sweep: the sandbox is destroyed, since its row says that the create failed.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_a_late_create_order_created_is_destroyed(pool: PgPool) {
    let world = World::start(pool).await;
    world.host.fail(Call::Create, Fault::Late);
    failing_create(&world).await;
    world.host.deliver_late();
    assert_eq!(world.host.count(), 1);
    world.sweep().await;
    assert_eq!(world.host.count(), 0);
    let row = world.only_row().await;
    assert!(!row.cleanup_pending);
    assert_eq!(row.status_reason.as_deref(), Some("create_failed"));
}

/// The sweep goes on with the other sandboxes after one failed clean-up.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_clean_up_that_fails_does_not_hold_up_the_others(pool: PgPool) {
    let world = World::start(pool).await;
    for _ in 0..3 {
        world.host.fail(Call::Create, Fault::Late);
        failing_create(&world).await;
    }
    let broken = AgentError::Internal("a disk is slow".to_owned());
    world.host.fail(Call::Destroy, Fault::Refuse(broken));
    world.sweep().await;
    let mut conn = world.connection().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sandboxes WHERE cleanup_pending")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invalid_request_is_refused_before_a_row_is_written(pool: PgPool) {
    let world = World::start(pool).await;
    let bad = [
        NewSandbox {
            template: "../etc".to_owned(),
            ..World::request()
        },
        NewSandbox {
            vcpus: Some(0),
            ..World::request()
        },
        NewSandbox {
            memory_mib: Some(u32::MAX),
            ..World::request()
        },
        NewSandbox {
            timeout_sec: u32::MAX,
            ..World::request()
        },
    ];
    for request in bad {
        let error = world
            .sandboxes
            .create_sandbox(&world.caller, request)
            .await
            .unwrap_err();
        assert!(
            matches!(error, SandboxError::Common(CommonError::Invalid(_))),
            "{error:?}"
        );
    }
    let unknown = NewSandbox {
        template: "nothing".to_owned(),
        ..World::request()
    };
    let error = world
        .sandboxes
        .create_sandbox(&world.caller, unknown)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            SandboxError::Common(CommonError::NotFound { what: "template" })
        ),
        "{error:?}"
    );
    let mut conn = world.connection().await;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM sandboxes")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!((rows, world.host.count()), (0, 0));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn without_a_host_there_is_no_capacity(pool: PgPool) {
    let world = World::start(pool).await;
    let mut conn = world.connection().await;
    sqlx::query("UPDATE hosts SET status = 'unreachable'")
        .execute(&mut *conn)
        .await
        .unwrap();
    let error = failing_create(&world).await;
    assert!(matches!(error, SandboxError::NoCapacity), "{error:?}");
    let row = world.only_row().await;
    assert_eq!((row.host, row.cleanup_pending), (None, false));
    assert_eq!(row.status_reason.as_deref(), Some("create_failed"));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_client_that_disconnects_does_not_stop_the_create(pool: PgPool) {
    let world = World::start(pool).await;
    let gate = Gate::new();
    world.host.fail(Call::Create, Fault::Delay(gate.clone()));
    tokio::select! {
        _ = world.sandboxes.create_sandbox(&world.caller, World::request()) => unreachable!("the gate is shut"),
        () = gate.reached() => {}
    }
    // A sweep in between leaves the sandbox to the request.
    world.sweep().await;
    assert_eq!(world.only_row().await.state, SandboxState::Starting);
    gate.open();
    eventually("the sandbox runs", async || {
        world.only_row().await.state == SandboxState::Running
    })
    .await;
}

/// W-051, with the page tokens that clients receive.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn pages_show_each_of_several_sandboxes_created_at_the_same_time_once(pool: PgPool) {
    let world = World::start(pool).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.create().await.id);
    }
    let (mut walked, mut cursor) = (Vec::new(), None);
    loop {
        let filter = ListFilter {
            limit: Some(2),
            cursor,
            ..ListFilter::default()
        };
        let page = world
            .sandboxes
            .list_sandboxes(world.caller.team, filter)
            .await
            .unwrap();
        walked.extend(page.sandboxes.iter().map(|sandbox| sandbox.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    made.sort();
    walked.sort();
    assert_eq!(walked, made);
    for cursor in [
        "",
        "1",
        "x.y",
        "1.",
        "99999999999999999999.0000000000000000000000000",
    ] {
        let filter = ListFilter {
            cursor: Some(cursor.to_owned()),
            ..ListFilter::default()
        };
        let refused = world
            .sandboxes
            .list_sandboxes(world.caller.team, filter)
            .await;
        assert!(
            matches!(refused, Err(SandboxError::Common(CommonError::Invalid(_)))),
            "{cursor}"
        );
    }
}

/// The caller of a key of another team.
async fn another_team(world: &World) -> Caller {
    let accounts = &world.accounts;
    let session = accounts
        .sign_up(
            "other@locule.test",
            PASSWORD,
            "Other",
            None,
            LoginOrigin::default(),
        )
        .await;
    let token = session.and_then(SignedUp::session).unwrap().token;
    let identity = accounts.authenticate(Credential::Token(&token)).await;
    identity.and_then(Identity::caller).unwrap()
}

/// Creates of a team wait for the lock on the team's row. Without a limit each of them waits with a connection to the database,
/// until no connection is left.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn creates_of_one_team_leave_connections_to_the_database_for_another(pool: PgPool) {
    let observer = PgPoolOptions::new().connect_lazy_with((*pool.connect_options()).clone());
    let world = World::start(pool.clone()).await;
    let other = another_team(&world).await;
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("SELECT id FROM teams WHERE id = $1 FOR UPDATE")
        .bind(world.caller.team.as_uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    let create = |caller| world.sandboxes.create_sandbox(caller, World::request());
    let mut flood = std::pin::pin!(join_all((0..40).map(|_| create(&world.caller))));
    let beside = async {
        eventually("creates wait for the lock", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&observer).await.unwrap();
            waiting >= 3
        })
        .await;
        tokio::time::timeout(Duration::from_secs(10), create(&other)).await
    };
    let created = tokio::select! {
        created = beside => created,
        _ = &mut flood => panic!("the team is locked"),
    };
    created.expect("a connection in time").unwrap();
    tx.rollback().await.unwrap();
    for created in flood.await {
        created.unwrap();
    }
    observer.close().await;
}
