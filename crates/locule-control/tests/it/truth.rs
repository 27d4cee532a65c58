//! The complete table of reconciliation: every row against every content of its host (B-117 to B-119, B-124).

use std::time::Duration;

use locule_agent_api::ReportedState;
use locule_domain::{Desired, ErrorReason, SandboxState, StopReason};
use locule_ids::SandboxId;
use locule_store::sandboxes;
use locule_testkit::{Call, Fault, World, builders};
use sqlx::PgPool;

use SandboxState as S;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnHost {
    Running,
    /// Paused by policy, without an order.
    Paused,
    Nothing,
}

const LOST: S = S::Stopped {
    reason: StopReason::VmLost,
};
const SNAPSHOT_LOST: S = S::Error {
    reason: ErrorReason::SnapshotLost,
};
const FAILED: S = S::Error {
    reason: ErrorReason::CreateFailed,
};
const YOUNG: Duration = Duration::from_mins(1);
const OLD: Duration = Duration::from_mins(10);

const fn stopped(reason: StopReason) -> S {
    S::Stopped { reason }
}

type Case = (S, Desired, Duration, OnHost, S, Option<ReportedState>);

/// State, desired state, age and the content of the host; then the state and the content after a sweep.
fn table() -> Vec<Case> {
    let mut table = not_ended();
    table.extend(ended());
    table
}

#[rustfmt::skip]
fn not_ended() -> Vec<Case> {
    use Desired::{Gone, Paused, Running};
    use ReportedState as R;
    let (running, paused, absent) = (Some(R::Running), Some(R::Paused), None);
    let destroyed = stopped(StopReason::Destroyed);
    vec![
        (S::Running, Running, OLD, OnHost::Running, S::Running, running),
        (S::Running, Running, OLD, OnHost::Paused, S::Paused, paused),
        (S::Running, Running, OLD, OnHost::Nothing, LOST, absent),
        (S::Running, Paused, OLD, OnHost::Running, S::Paused, paused),
        (S::Running, Gone, OLD, OnHost::Running, destroyed, absent),
        (S::Running, Gone, OLD, OnHost::Nothing, destroyed, absent),
        (S::Missing, Running, OLD, OnHost::Running, S::Running, running),
        (S::Missing, Running, OLD, OnHost::Paused, S::Paused, paused),
        (S::Missing, Running, OLD, OnHost::Nothing, LOST, absent),
        (S::Paused, Running, OLD, OnHost::Running, S::Running, running),
        (S::Paused, Paused, OLD, OnHost::Running, S::Paused, paused),
        (S::Paused, Paused, OLD, OnHost::Paused, S::Paused, paused),
        (S::Paused, Paused, OLD, OnHost::Nothing, SNAPSHOT_LOST, absent),
        (S::Paused, Gone, OLD, OnHost::Paused, destroyed, absent),
        (S::Starting, Running, YOUNG, OnHost::Running, S::Running, running),
        (S::Starting, Running, YOUNG, OnHost::Paused, S::Paused, paused),
        (S::Starting, Running, YOUNG, OnHost::Nothing, S::Running, running),
        (S::Starting, Running, OLD, OnHost::Running, S::Running, running),
        (S::Starting, Gone, OLD, OnHost::Running, destroyed, absent),
        (S::Starting, Running, OLD, OnHost::Paused, S::Paused, paused),
        (S::Starting, Running, OLD, OnHost::Nothing, FAILED, absent),
    ]
}

fn ended() -> Vec<Case> {
    use Desired::{Gone, Running};
    let (running, paused, absent) = (
        Some(ReportedState::Running),
        Some(ReportedState::Paused),
        None,
    );
    let mut table = Vec::new();
    // Ended for a known reason: what remains on the host is destroyed.
    let known = [
        stopped(StopReason::Destroyed),
        stopped(StopReason::Expired),
        stopped(StopReason::HostDeleted),
        stopped(StopReason::GuestShutdown),
        FAILED,
    ];
    for state in known {
        for held in [OnHost::Running, OnHost::Paused, OnHost::Nothing] {
            table.push((state, Gone, OLD, held, state, absent));
        }
    }
    // Inferred from absence: a sandbox that its host holds is restored.
    for state in [LOST, SNAPSHOT_LOST] {
        table.push((state, Running, OLD, OnHost::Running, S::Running, running));
        table.push((state, Running, OLD, OnHost::Paused, S::Paused, paused));
        table.push((state, Running, OLD, OnHost::Nothing, state, absent));
    }
    table
}

/// Sets up the row and the host of a case, by real orders if the host holds the sandbox.
async fn arrange(world: &World, (state, desired, age, held, ..): Case) -> SandboxId {
    let created = world.create().await;
    match held {
        OnHost::Running => {}
        OnHost::Paused => world.host.pause_by_itself(created.id, "control_plane_lost"),
        OnHost::Nothing => {
            world.host.lose(created.id);
        }
    }
    let mut conn = world.connection().await;
    let row = world.row(created.id).await;
    let mut next = row.clone();
    (next.state, next.desired) = (state, desired);
    let changed_at = row.created_at;
    assert!(
        sandboxes::update(&mut conn, &row, &next, changed_at)
            .await
            .unwrap()
    );
    let age = chrono::Duration::from_std(age).unwrap();
    // Only the age of the row is changed; the clock stays as it is.
    sqlx::query("UPDATE sandboxes SET created_at = created_at - $2, last_updated = last_updated - $2 WHERE id = $1")
        .bind(created.id.as_uuid())
        .bind(sqlx::postgres::types::PgInterval { months: 0, days: 0, microseconds: age.num_microseconds().unwrap() })
        .execute(&mut *conn)
        .await
        .unwrap();
    created.id
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_table_of_reconciliation_holds(pool: PgPool) {
    let world = World::start(pool).await;
    let mut cases = Vec::new();
    for case in table() {
        cases.push((case, arrange(&world, case).await));
    }
    // The second sweep changes nothing.
    for sweep in 1..=2 {
        world.control.sweep().await.unwrap();
        for (case, id) in &cases {
            let (.., state, held) = case;
            let row = world.row(*id).await;
            assert_eq!(
                (row.state, world.host.holds(*id)),
                (*state, *held),
                "sweep {sweep}, {case:?}"
            );
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_host_that_does_not_answer_changes_nothing(pool: PgPool) {
    let world = World::start(pool).await;
    let mut before = Vec::new();
    for case in table() {
        let id = arrange(&world, case).await;
        before.push((case, world.row(id).await, world.host.holds(id)));
    }
    world.host.fail(
        Call::List,
        Fault::Refuse(locule_agent_api::AgentError::DeadlineExceeded),
    );
    world.control.sweep().await.unwrap();
    for (case, row, held) in before {
        let now = world.row(row.id).await;
        assert_eq!(world.host.holds(row.id), held, "{case:?}");
        if case.1 == Desired::Gone && !case.0.is_final() {
            // The desired state is `gone`: the row is stopped, and the host is ordered when it answers (W-014).
            assert!(now.state.is_final() && now.cleanup_pending, "{case:?}");
        } else {
            assert_eq!(now, row, "{case:?}");
        }
    }
}

/// A missing row is no reason to destroy a sandbox: it is paused and kept.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_without_a_row_is_never_destroyed(pool: PgPool) {
    let world = World::start(pool).await;
    let (running, paused) = (world.create().await.id, world.create().await.id);
    world.host.pause_by_itself(paused, "idle");
    let mut conn = world.connection().await;
    sqlx::query("DELETE FROM sandboxes")
        .execute(&mut *conn)
        .await
        .unwrap();
    for _ in 0..3 {
        world.sweep().await;
        assert_eq!(world.host.holds(running), Some(ReportedState::Paused));
        assert_eq!(world.host.holds(paused), Some(ReportedState::Paused));
    }
    assert_eq!(
        world.host.asked(Call::Destroy, running) + world.host.asked(Call::Destroy, paused),
        0
    );
}

/// W-002, B-124: a sandbox that was inferred lost is found paused, and the audit log records it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_snapshot_that_is_found_restores_a_lost_sandbox_as_paused(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let held = world.host.lose(id).unwrap();
    world.sweep().await;
    assert_eq!(world.row(id).await.state, LOST);
    world.host.hold(held);
    world.host.pause_by_itself(id, "control_plane_lost");
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!((row.state, row.desired), (S::Paused, Desired::Paused));
    assert_eq!(row.status_reason.as_deref(), Some("control_plane_lost"));
    assert_eq!(
        world.audit_log(id).await[1..],
        [
            r#"system destroy warning {"reason":"vm_lost"}"#,
            "system auto_pause info {}"
        ]
    );
}

/// A row that changed a moment ago may be newer than the list.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_changed_a_moment_ago_is_not_inferred_lost(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.lose(id);
    world.pass(Duration::from_secs(3));
    world.control.sweep().await.unwrap();
    assert_eq!(world.row(id).await.state, S::Running);
    world.sweep().await;
    assert_eq!(world.row(id).await.state, LOST);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_continues_after_rows_that_it_cannot_read(pool: PgPool) {
    let world = World::start(pool).await;
    let (bad, good) = (world.create().await.id, world.create().await.id);
    let mut conn = world.connection().await;
    let spoil = sqlx::query("UPDATE sandboxes SET vcpus = -1 WHERE id = $1").bind(bad.as_uuid());
    spoil.execute(&mut *conn).await.unwrap();
    world.host.lose(good);
    world.sweep().await;
    assert_eq!(world.row(good).await.state, LOST);
    assert_eq!(world.host.holds(bad), Some(ReportedState::Running));
}

/// More rows than a page.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_reaches_every_row(pool: PgPool) {
    let world = World::start(pool).await;
    let mut conn = world.connection().await;
    for _ in 0..600 {
        let row = builders::sandbox(world.caller.team).on(world.host_id, S::Running);
        sandboxes::insert(&mut conn, &row.0, sandboxes::Creator::default())
            .await
            .unwrap();
    }
    world.sweep().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sandboxes WHERE status = 'running'")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
