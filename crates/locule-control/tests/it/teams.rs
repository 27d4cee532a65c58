//! A deleted team: all its sandboxes end, also after restarts of the control plane and while hosts are unreachable (W-015).

use std::time::Duration;

use locule_control::{AccountError, Credential, LoginOrigin, SandboxError};
use locule_domain::{Desired, SandboxState, StopReason};
use locule_testkit::{Call, Fault, Gate, World, builders, eventually, person};
use sqlx::PgPool;

async fn jobs(world: &World) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM jobs");
    count.fetch_one(&world.pool).await.unwrap()
}

/// The entries about teams in the audit log.
async fn team_entries(world: &World) -> Vec<String> {
    let rows = sqlx::query_scalar(
        "SELECT actor_type || ' ' || action FROM audit_logs WHERE resource_type = 'team' ORDER BY created_at, ctid",
    );
    rows.fetch_all(&world.pool).await.unwrap()
}

async fn delete(world: &World) {
    let team = world.caller.team;
    world
        .accounts
        .delete_team(&world.person, team)
        .await
        .unwrap();
}

/// Lets the lease of a failed attempt end, and runs the due jobs.
async fn later(world: &World) {
    world.sweep().await;
    world.pass(Duration::from_mins(10));
    world.control.run_due_jobs().await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_sandboxes_of_a_deleted_team_are_destroyed_and_the_audit_log_records_it(pool: PgPool) {
    let world = World::start(pool).await;
    let (running, paused) = (world.create().await.id, world.create().await.id);
    world.pause(paused).await.unwrap();
    // A sandbox that its host does not hold any more, and a sandbox that was never placed.
    let lost = world.create().await.id;
    world.host.lose(lost);
    let mut conn = world.connection().await;
    let pending = builders::sandbox(world.caller.team)
        .insert(&mut conn)
        .await
        .id;
    drop(conn);
    delete(&world).await;
    assert_eq!(world.host.count(), 0);
    for id in [running, paused, lost, pending] {
        let row = world.row(id).await;
        let ended = SandboxState::Stopped {
            reason: StopReason::Destroyed,
        };
        assert_eq!((row.state, row.desired), (ended, Desired::Gone));
        let entries = world.audit_log(id).await;
        assert_eq!(
            entries.last().unwrap(),
            r#"system destroy warning {"reason":"team_deleted"}"#
        );
    }
    assert_eq!(jobs(&world).await, 0);
    assert_eq!(
        team_entries(&world).await,
        ["user delete", "system emptied"]
    );
    // The key is refused, also for a caller that was authenticated before the deletion.
    let refused = world
        .sandboxes
        .create_sandbox(&world.caller, World::request())
        .await;
    assert!(
        matches!(
            refused,
            Err(SandboxError::Denied(AccountError::Unauthorized))
        ),
        "{refused:?}"
    );
}

/// One create has its row and waits for its host; others come while the team is being deleted.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_team_that_is_deleted_while_its_creates_are_under_way_leaves_nothing(pool: PgPool) {
    let world = World::start(pool).await;
    let gate = Gate::new();
    world.host.fail(Call::Create, Fault::Delay(gate.clone()));
    let create = || {
        world
            .sandboxes
            .create_sandbox(&world.caller, World::request())
    };
    let deleted = async || {
        let deleted = sqlx::query_scalar("SELECT deleted_at IS NOT NULL FROM teams WHERE id = $1");
        let deleted = deleted.bind(world.caller.team.as_uuid());
        deleted.fetch_one(&world.pool).await.unwrap()
    };
    let open = async {
        eventually("the deletion", deleted).await;
        gate.open();
    };
    let deleting = async {
        gate.reached().await;
        tokio::join!(delete(&world), open, create(), create())
    };
    let (early, (.., late, latest)) = tokio::join!(create(), deleting);
    for created in [early, late, latest] {
        let refused = match &created {
            // The team's deletion came after the row, and ends the sandbox.
            Ok(_) | Err(SandboxError::AgentFailed(_)) => true,
            Err(SandboxError::Denied(error)) => matches!(error, AccountError::Unauthorized),
            Err(_) => false,
        };
        assert!(refused, "{created:?}");
    }
    let after = create().await.unwrap_err();
    assert!(matches!(after, SandboxError::Denied(_)), "{after:?}");
    later(&world).await;
    assert_eq!((world.host.count(), jobs(&world).await), (0, 0));
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sandboxes WHERE status NOT IN ('stopped', 'error')",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_unreachable_host_destroys_when_it_returns_also_after_a_restart(pool: PgPool) {
    let mut world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.go_away();
    delete(&world).await;
    assert!(world.row(id).await.cleanup_pending);
    assert_eq!(team_entries(&world).await, ["user delete"]);
    world.restart();
    later(&world).await;
    assert_eq!(
        (jobs(&world).await, team_entries(&world).await.len()),
        (1, 1)
    );
    world.host.come_back();
    later(&world).await;
    assert_eq!(world.host.count(), 0);
    assert!(!world.row(id).await.cleanup_pending);
    assert_eq!(jobs(&world).await, 0);
    assert_eq!(
        team_entries(&world).await,
        ["user delete", "system emptied"]
    );
}

/// A sandbox that was inferred lost returns after its team was deleted.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_returns_after_its_team_was_deleted_is_destroyed(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let report = world.host.lose(id).unwrap();
    world.sweep().await;
    assert!(
        world.row(id).await.state.is_inferred(),
        "{:?}",
        world.row(id).await
    );
    delete(&world).await;
    world.host.hold(report);
    later(&world).await;
    later(&world).await;
    assert_eq!(world.host.count(), 0);
    assert_eq!(jobs(&world).await, 0);
}

/// A job whose process exited is due again when its lease ends, and not before.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_job_is_attempted_again_when_its_lease_ends(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let task = serde_json::json!({
        "task": "destroy_sandboxes",
        "team": world.caller.team,
        "made_until": builders::noon(),
        "reason": "owner_disabled",
        "tell": null,
    });
    sqlx::query(
        "INSERT INTO jobs (id, kind, payload, run_at, created_at) VALUES (gen_random_uuid(), 'destroy_sandboxes', $1, $2, $2)",
    )
    .bind(task)
    .bind(builders::noon() + Duration::from_mins(2))
    .execute(&world.pool)
    .await
    .unwrap();
    world.control.run_due_jobs().await.unwrap();
    assert_eq!((jobs(&world).await, world.host.count()), (1, 1));
    world.pass(Duration::from_mins(2));
    world.control.run_due_jobs().await.unwrap();
    assert_eq!((jobs(&world).await, world.host.count()), (0, 0));
    assert!(world.row(id).await.state.is_final());
}

/// An invitation is open for seven days, and its row is deleted thirty days later.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invitation_ends_after_seven_days(pool: PgPool) {
    const DAY: Duration = Duration::from_hours(24);
    let world = World::start(pool).await;
    let team = world.caller.team;
    let mut tokens = Vec::new();
    for email in ["ada@locule.test", "bob@locule.test"] {
        let invited = world.accounts.invite(&world.person, team, email).await;
        let link = invited.unwrap().link.unwrap();
        tokens.push(link.split_once("token=").unwrap().1.to_owned());
    }
    let sign_up = async |email: &str, token: &str| {
        let (password, token) = ("long enough", Some(token));
        let signed_up = world
            .accounts
            .sign_up(email, password, "x", token, LoginOrigin::default())
            .await;
        signed_up.map(|_| ())
    };
    world.pass(DAY * 6 + Duration::from_hours(23));
    sign_up("ada@locule.test", &tokens[0]).await.unwrap();
    world.pass(Duration::from_hours(1));
    let late = sign_up("bob@locule.test", &tokens[1]).await;
    assert!(
        matches!(late, Err(AccountError::InvitationRequired)),
        "{late:?}"
    );
    let people = world.accounts.list_members(&world.person, team).await;
    let people = people.unwrap();
    assert_eq!((people.joined.len(), people.invited.len()), (2, 0));
    let count = async || -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM invitations");
        count.fetch_one(&world.pool).await.unwrap()
    };
    world.pass(DAY * 29);
    world.control.purge_expired().await.unwrap();
    assert_eq!(count().await, 2);
    world.pass(DAY * 2);
    world.control.purge_expired().await.unwrap();
    assert_eq!(count().await, 0);
}

/// A session ends by the clock of the control plane; W-055, B-080: a deleted account is purged after 15 days.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn sessions_end_and_deleted_accounts_are_purged_by_the_clock(pool: PgPool) {
    let world = World::start(pool).await;
    let signed_up = world
        .accounts
        .sign_up(
            "ada@locule.test",
            "long enough",
            "Ada",
            None,
            LoginOrigin::default(),
        )
        .await;
    let session = signed_up.unwrap().session().unwrap();
    let ada = person(&world.accounts, &session.token).await;
    world.pass(Duration::from_hours(6));
    let over = world
        .accounts
        .authenticate(Credential::Token(&session.token))
        .await;
    assert!(matches!(over, Err(AccountError::Unauthorized)), "{over:?}");
    // The old login is refused, also for a request that was authenticated while it was valid.
    let late = world
        .accounts
        .delete_me(&ada, "ada@locule.test", None)
        .await;
    assert!(
        matches!(late, Err(AccountError::RecentLoginRequired)),
        "{late:?}"
    );
    let (email, from) = ("ada@locule.test", LoginOrigin::default());
    let session = world.accounts.login(email, "long enough", from).await;
    let ada = person(&world.accounts, &session.unwrap().token).await;
    world.accounts.delete_me(&ada, email, None).await.unwrap();
    let known = "SELECT count(*) FROM audit_logs WHERE actor_name = $1";
    let count = async |name: &str| -> i64 {
        sqlx::query_scalar(known)
            .bind(name)
            .fetch_one(&world.pool)
            .await
            .unwrap()
    };
    let entries = count("Ada").await;
    assert!(entries > 0 && count("deleted-user").await == 0);
    world.pass(Duration::from_hours(24 * 14));
    world.control.purge_expired().await.unwrap();
    assert_eq!(count("Ada").await, entries);
    world.pass(Duration::from_hours(25));
    world.control.purge_expired().await.unwrap();
    assert_eq!(
        (count("Ada").await, count("deleted-user").await),
        (0, entries)
    );
}
