//! Table `sandboxes`: a row reads back as written, and stale writers change nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use locule_domain::{Desired, ErrorReason, OnTimeout, SandboxState, StopReason, Usage};
use locule_ids::{HostId, SandboxId};
use locule_store::{StoreError, sandboxes};
use locule_testkit::builders::{self, noon};
use sqlx::PgPool;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_reads_back_as_it_was_written(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let row = builders::sandbox(team)
        .on(HostId::random(), SandboxState::Paused)
        .desired(Desired::Paused)
        .label("a", "b")
        .with(|sandbox| {
            sandbox.generation = 7;
            sandbox.status_reason = Some("idle".to_owned());
            sandbox.last_error = Some("the last resume failed".to_owned());
            sandbox.timeouts.timeout_sec = 30;
            sandbox.timeouts.expires_at = Some(noon() + Duration::from_mins(1));
            sandbox.timeout_given_sec = Some(60);
            sandbox.timeouts.on_timeout = OnTimeout::Pause;
            sandbox.auto_resume = true;
            sandbox.stored_bytes = 5 << 40;
            sandbox.public_traffic = true;
            sandbox.env = BTreeMap::from([("NAME".to_owned(), "ä\"'\\".to_owned())]);
            sandbox.guest_ip = "169.254.0.21".to_owned();
            sandbox.host_ip = "10.0.0.1".to_owned();
            sandbox.metadata = BTreeMap::from([("kernel_version".to_owned(), "6.1".to_owned())]);
            sandbox.started_at = Some(noon());
            sandbox.last_active_at = Some(noon());
        });
    let mut wanted = row.0.clone();
    let read = row.insert(&mut conn).await;
    // The builder writes twice: once the new row, once the rest of it.
    wanted.version = 2;
    assert_eq!(read, wanted);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_state_and_reason_reads_back(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let mut states = vec![
        SandboxState::Pending,
        SandboxState::Starting,
        SandboxState::Running,
        SandboxState::Paused,
        SandboxState::Missing,
    ];
    let stopped = StopReason::ALL.iter();
    states.extend(stopped.map(|reason| SandboxState::Stopped { reason: *reason }));
    let failed = ErrorReason::ALL.iter();
    states.extend(failed.map(|reason| SandboxState::Error { reason: *reason }));
    for state in states {
        let row = builders::sandbox(team).on(HostId::random(), state);
        let read = row.insert(&mut conn).await;
        assert_eq!((read.state, read.state.reason()), (state, state.reason()));
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_writer_with_a_stale_version_changes_nothing(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let seen = builders::sandbox(team).insert(&mut conn).await;
    let (mut first, mut second) = (seen.clone(), seen.clone());
    first.last_error = Some("first".to_owned());
    second.guest_ip = "second".to_owned();
    // Same generation, same status: only the version tells them apart.
    assert!(
        sandboxes::update(&mut conn, &seen, &first, noon())
            .await
            .unwrap()
    );
    assert!(
        !sandboxes::update(&mut conn, &seen, &second, noon())
            .await
            .unwrap()
    );
    let read = sandboxes::get(&mut conn, seen.id).await.unwrap().unwrap();
    assert_eq!(read.last_error.as_deref(), Some("first"));
    assert_eq!(
        (read.guest_ip.as_str(), read.version),
        ("", seen.version + 1)
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn exactly_one_of_many_concurrent_writers_succeeds(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let seen = builders::sandbox(team).insert(&mut conn).await;
    drop(conn);
    let writers = (0..8).map(async |number: i32| {
        let mut conn = pool.acquire().await.unwrap();
        let mut next = seen.clone();
        next.last_error = Some(number.to_string());
        let won = sandboxes::update(&mut conn, &seen, &next, noon()).await;
        won.unwrap().then_some(number.to_string())
    });
    let winners: Vec<String> = futures::future::join_all(writers)
        .await
        .into_iter()
        .flatten()
        .collect();
    let mut conn = pool.acquire().await.unwrap();
    let read = sandboxes::get(&mut conn, seen.id).await.unwrap().unwrap();
    assert_eq!(winners, [read.last_error.unwrap()]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_moment_of_last_use_never_goes_back(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let seen = builders::sandbox(team).insert(&mut conn).await;
    let later = noon() + Duration::from_mins(1);
    sandboxes::touch(&mut conn, seen.id, later).await.unwrap();
    sandboxes::touch(&mut conn, seen.id, noon()).await.unwrap();
    // Who read the row before the touch is not overtaken by it, and does not undo it.
    let mut next = seen.clone();
    next.last_active_at = Some(noon());
    assert!(
        sandboxes::update(&mut conn, &seen, &next, noon())
            .await
            .unwrap()
    );
    let read = sandboxes::get(&mut conn, seen.id).await.unwrap().unwrap();
    assert_eq!(read.last_active_at, Some(later));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_that_does_not_exist_is_none(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let id = SandboxId::random();
    assert_eq!(sandboxes::get(&mut conn, id).await.unwrap(), None);
    assert!(
        sandboxes::get_many(&mut conn, &[id])
            .await
            .unwrap()
            .is_empty()
    );
    sandboxes::touch(&mut conn, id, noon()).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_id_cannot_be_inserted_twice(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let sandbox = builders::sandbox(team).insert(&mut conn).await;
    let again = sandboxes::insert(&mut conn, &sandbox, sandboxes::Creator::default())
        .await
        .unwrap_err();
    assert!(matches!(again, StoreError::Database(_)), "{again:?}");
}

/// What the schema lets in and no sandbox is.
const IMPOSSIBLE: [&str; 6] = [
    "status = 'hibernated', host_id = gen_random_uuid()",
    "status = 'stopped', status_reason = 'boredom', ended_at = now()",
    "status = 'error', status_reason = NULL, ended_at = now()",
    "vcpus = -1",
    "timeout_sec = -1",
    "labels = '[1]'",
];

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_unreadable_row_is_an_error_with_its_table_and_id(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    for change in IMPOSSIBLE {
        let sandbox = builders::sandbox(team).insert(&mut conn).await;
        let sql = format!("UPDATE sandboxes SET {change} WHERE id = $1");
        let update = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(sandbox.id.as_uuid());
        update.execute(&mut *conn).await.unwrap();
        let error = sandboxes::get(&mut conn, sandbox.id).await.unwrap_err();
        let uuid = sandbox.id.as_uuid().to_string();
        assert!(
            matches!(&error, StoreError::Impossible { table: "sandboxes", id } if *id == uuid),
            "{change}: {error:?}"
        );
        assert!(error.to_string().contains(&uuid), "{error}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_unreadable_row_does_not_hide_the_others_from_a_sweep(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let host = HostId::random();
    let row = || builders::sandbox(team).on(host, SandboxState::Running);
    let bad = row().insert(&mut conn).await;
    let good = row().insert(&mut conn).await;
    let spoil = sqlx::query("UPDATE sandboxes SET vcpus = -1 WHERE id = $1").bind(bad.id.as_uuid());
    spoil.execute(&mut *conn).await.unwrap();
    let mut read = sandboxes::of_host(&mut conn, host, None, 10).await.unwrap();
    read.extend(
        sandboxes::get_many(&mut conn, &[good.id, bad.id])
            .await
            .unwrap(),
    );
    assert_eq!(read.len(), 4);
    for (id, row) in read {
        assert_eq!(row.is_ok(), id == good.id);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_usage_of_a_team_counts_what_runs_and_what_is_kept(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, team) = builders::team(&mut conn, "ada").await;
    let (_, other) = builders::team(&mut conn, "bob").await;
    let stopped = SandboxState::Stopped {
        reason: StopReason::Destroyed,
    };
    for (team, state, desired, timeout_sec, on_timeout) in [
        (
            team,
            SandboxState::Running,
            Desired::Running,
            0,
            OnTimeout::Kill,
        ),
        (
            team,
            SandboxState::Running,
            Desired::Running,
            60,
            OnTimeout::Kill,
        ),
        (
            team,
            SandboxState::Starting,
            Desired::Running,
            0,
            OnTimeout::Pause,
        ),
        (
            team,
            SandboxState::Paused,
            Desired::Paused,
            0,
            OnTimeout::Kill,
        ),
        // The pause is ordered.
        (
            team,
            SandboxState::Running,
            Desired::Paused,
            60,
            OnTimeout::Kill,
        ),
        // These have ended or are about to.
        (
            team,
            SandboxState::Paused,
            Desired::Gone,
            0,
            OnTimeout::Kill,
        ),
        (team, stopped, Desired::Gone, 0, OnTimeout::Kill),
        (
            other,
            SandboxState::Paused,
            Desired::Paused,
            0,
            OnTimeout::Kill,
        ),
    ] {
        let row = builders::sandbox(team).on(HostId::random(), state);
        let row = row.desired(desired).with(|sandbox| {
            sandbox.timeouts.timeout_sec = timeout_sec;
            sandbox.timeouts.on_timeout = on_timeout;
            sandbox.stored_bytes = 10;
        });
        row.insert(&mut conn).await;
    }
    let used = Usage {
        sandboxes: 3,
        vcpus: 3,
        memory_mib: 3 * 512,
        paused: 2,
        places: 2,
        stored_bytes: 50,
    };
    assert_eq!(sandboxes::usage(&mut conn, team).await.unwrap(), used);
}
