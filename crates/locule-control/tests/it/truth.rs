//! The whole table of reconciliation: what a row says against what its host holds (B-117 to B-119, B-124).

use std::time::Duration;

use locule_agent_api::ReportedState;
use locule_domain::{Desired, ErrorReason, SandboxState, StopReason};
use locule_ids::SandboxId;
use locule_store::sandboxes;
use locule_testkit::{Call, Fault, World, builders};
use sqlx::PgPool;

use SandboxState as S;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Alive,
    /// As by a pause of all: by policy.
    Paused,
    Nothing,
}

const LOST: S = S::Stopped {
    reason: StopReason::VmLost,
};
const IMAGE_LOST: S = S::Error {
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

type Case = (S, Desired, Duration, Held, S, Option<ReportedState>);

/// Row, what is wanted, age, what the host holds; then the row after a sweep, and what the host holds after it.
fn table() -> Vec<Case> {
    let mut table = alive();
    table.extend(ended());
    table
}

fn alive() -> Vec<Case> {
    use Desired::{Gone, Paused, Running};
    use ReportedState as R;
    let (runs, image, none) = (Some(R::Running), Some(R::Paused), None);
    vec![
        (S::Running, Running, OLD, Held::Alive, S::Running, runs),
        (S::Running, Running, OLD, Held::Paused, S::Paused, image),
        (S::Running, Running, OLD, Held::Nothing, LOST, none),
        (S::Running, Paused, OLD, Held::Alive, S::Paused, image),
        (
            S::Running,
            Gone,
            OLD,
            Held::Alive,
            stopped(StopReason::Destroyed),
            none,
        ),
        (
            S::Running,
            Gone,
            OLD,
            Held::Nothing,
            stopped(StopReason::Destroyed),
            none,
        ),
        (S::Missing, Running, OLD, Held::Alive, S::Running, runs),
        (S::Missing, Running, OLD, Held::Paused, S::Paused, image),
        (S::Missing, Running, OLD, Held::Nothing, LOST, none),
        (S::Paused, Running, OLD, Held::Alive, S::Running, runs),
        (S::Paused, Paused, OLD, Held::Alive, S::Paused, image),
        (S::Paused, Paused, OLD, Held::Paused, S::Paused, image),
        (S::Paused, Paused, OLD, Held::Nothing, IMAGE_LOST, none),
        (
            S::Paused,
            Gone,
            OLD,
            Held::Paused,
            stopped(StopReason::Destroyed),
            none,
        ),
        (S::Starting, Running, YOUNG, Held::Alive, S::Running, runs),
        (S::Starting, Running, YOUNG, Held::Paused, S::Paused, image),
        (S::Starting, Running, YOUNG, Held::Nothing, S::Running, runs),
        (S::Starting, Running, OLD, Held::Alive, S::Running, runs),
        (
            S::Starting,
            Gone,
            OLD,
            Held::Alive,
            stopped(StopReason::Destroyed),
            none,
        ),
        (S::Starting, Running, OLD, Held::Paused, S::Paused, image),
        (S::Starting, Running, OLD, Held::Nothing, FAILED, none),
    ]
}

fn ended() -> Vec<Case> {
    use Desired::{Gone, Running};
    let (runs, image, none) = (
        Some(ReportedState::Running),
        Some(ReportedState::Paused),
        None,
    );
    let mut table = Vec::new();
    // Ended for a reason that is known: what is left is destroyed.
    let known = [
        stopped(StopReason::Destroyed),
        stopped(StopReason::Expired),
        stopped(StopReason::HostDeleted),
        stopped(StopReason::GuestShutdown),
        FAILED,
    ];
    for state in known {
        for held in [Held::Alive, Held::Paused, Held::Nothing] {
            table.push((state, Gone, OLD, held, state, none));
        }
    }
    // Ended because it was not there: evidence undoes it.
    for state in [LOST, IMAGE_LOST] {
        table.push((state, Running, OLD, Held::Alive, S::Running, runs));
        table.push((state, Running, OLD, Held::Paused, S::Paused, image));
        table.push((state, Running, OLD, Held::Nothing, state, none));
    }
    table
}

/// Makes row and host as the case says, through real orders where the host holds something.
async fn arrange(world: &World, (state, desired, age, held, ..): Case) -> SandboxId {
    let created = world.create().await;
    match held {
        Held::Alive => {}
        Held::Paused => world.host.pause_by_itself(created.id, "control_plane_lost"),
        Held::Nothing => {
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
    // Only its age matters: it is made older, and time goes on as it does.
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
    // The second sweep changes nothing that the first one settled.
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
            // Somebody wanted it gone: stopped here, and the host hears of it when it answers (W-014).
            assert!(now.state.is_final() && now.cleanup_pending, "{case:?}");
        } else {
            assert_eq!(now, row, "{case:?}");
        }
    }
}

/// A row that is gone is never an order to destroy: it is kept, as an image.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_has_no_row_is_never_destroyed(pool: PgPool) {
    let world = World::start(pool).await;
    let (alive, image) = (world.create().await.id, world.create().await.id);
    world.host.pause_by_itself(image, "idle");
    let mut conn = world.connection().await;
    sqlx::query("DELETE FROM sandboxes")
        .execute(&mut *conn)
        .await
        .unwrap();
    for _ in 0..3 {
        world.sweep().await;
        assert_eq!(world.host.holds(alive), Some(ReportedState::Paused));
        assert_eq!(world.host.holds(image), Some(ReportedState::Paused));
    }
    assert_eq!(
        world.host.asked(Call::Destroy, alive) + world.host.asked(Call::Destroy, image),
        0
    );
}

/// W-002, B-124: found stopped, it comes back as paused, and the trail says so.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_image_that_turns_up_undoes_a_lost_vm(pool: PgPool) {
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
        world.trail(id).await[1..],
        [
            r#"system destroy warning {"reason":"vm_lost"}"#,
            "system auto_pause info {}"
        ]
    );
}

/// A row may be a moment ahead of the list.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_changed_a_moment_ago_is_not_lost_yet(pool: PgPool) {
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
async fn a_sweep_goes_past_rows_that_it_cannot_read(pool: PgPool) {
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

/// More rows than a page, the old ones settled: every one is looked at.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_reaches_every_row(pool: PgPool) {
    let world = World::start(pool).await;
    let mut conn = world.connection().await;
    for _ in 0..600 {
        let row = builders::sandbox(world.caller.team).on(world.host_id, S::Running);
        sandboxes::insert(&mut conn, &row.0).await.unwrap();
    }
    world.sweep().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM sandboxes WHERE status = 'running'")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
