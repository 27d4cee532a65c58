//! What a sweep reads: changes in the order of commits, rows that are owed something, the rows of one host.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use locule_domain::{Desired, Sandbox, SandboxState, StopReason};
use locule_ids::{HostId, SandboxId};
use locule_store::{PgConnection, cluster, sandboxes};
use locule_testkit::builders::{self, noon};
use sqlx::{Connection as _, PgPool};
use uuid::Uuid;

const GONE: SandboxState = SandboxState::Stopped {
    reason: StopReason::Destroyed,
};

/// The rows that changed since a mark, with their versions.
async fn changed(conn: &mut PgConnection, mark: &sandboxes::SweepMark) -> BTreeMap<SandboxId, i64> {
    let rows = sandboxes::changed_since(conn, mark, 1000).await.unwrap();
    rows.into_iter().map(|row| (row.id, row.version)).collect()
}

async fn write(conn: &mut PgConnection, seen: &Sandbox) -> Sandbox {
    let now = seen.last_updated - TimeDelta::hours(1);
    assert!(sandboxes::update(conn, seen, seen, now).await.unwrap());
    sandboxes::get(conn, seen.id).await.unwrap().unwrap()
}

async fn ready(pool: &PgPool) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    let mut conn = pool.acquire().await.unwrap();
    cluster::ensure(&mut conn, Uuid::from_u128(1), noon())
        .await
        .unwrap();
    conn
}

/// The clock of the writer does not matter, nor does the order in which the transactions began.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_transaction_that_ends_after_a_mark_is_a_change_since_the_mark(pool: PgPool) {
    let mut conn = ready(&pool).await;
    let (_, team) = builders::team(&mut conn, "ada").await;
    let row = || builders::sandbox(team).on(HostId::random(), SandboxState::Running);
    let (late, other) = (row().insert(&mut conn).await, row().insert(&mut conn).await);

    let mut writer = pool.acquire().await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    let written = write(&mut tx, &late).await;
    let mark = sandboxes::sweep_mark(&mut conn).await.unwrap();
    // Transactions of other databases can make the mark an earlier one.
    assert_ne!(
        changed(&mut conn, &mark).await.get(&late.id),
        Some(&written.version)
    );
    tx.commit().await.unwrap();
    assert_eq!(
        changed(&mut conn, &mark).await.get(&late.id),
        Some(&written.version)
    );

    let mark = sandboxes::sweep_mark(&mut conn).await.unwrap();
    let written = write(&mut conn, &other).await;
    let new = row().insert(&mut conn).await;
    let since = changed(&mut conn, &mark).await;
    assert_eq!(since.get(&other.id), Some(&written.version));
    assert_eq!(since.get(&new.id), Some(&new.version));
    // A use of a sandbox is no change that a sweep has to follow.
    let mark = sandboxes::sweep_mark(&mut conn).await.unwrap();
    let versions = changed(&mut conn, &mark).await;
    sandboxes::touch(&mut conn, late.id, noon() + TimeDelta::days(1))
        .await
        .unwrap();
    sandboxes::touch_many(&mut conn, &[(other.id, noon() + TimeDelta::days(1))])
        .await
        .unwrap();
    assert_eq!(changed(&mut conn, &mark).await, versions);
    let used = sandboxes::get(&mut conn, other.id).await.unwrap().unwrap();
    assert_eq!(used.last_active_at, Some(noon() + TimeDelta::days(1)));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_pages_of_what_is_owed_contain_each_row_that_is_not_as_it_should_be_once(pool: PgPool) {
    let mut conn = ready(&pool).await;
    let (_, team) = builders::team(&mut conn, "ada").await;
    let host = HostId::random();
    let (running, paused) = (SandboxState::Running, SandboxState::Paused);
    let rows = [
        (running, Desired::Running, false, false),
        (running, Desired::Paused, false, true),
        (running, Desired::Gone, false, true),
        (paused, Desired::Paused, false, false),
        (paused, Desired::Running, false, true),
        (SandboxState::Starting, Desired::Running, false, true),
        (SandboxState::Missing, Desired::Running, false, true),
        (GONE, Desired::Gone, false, false),
        (GONE, Desired::Gone, true, true),
    ];
    let (mut owed, mut of_host) = (Vec::new(), Vec::new());
    for (state, desired, unclean, is_owed) in rows {
        let row = builders::sandbox(team).on(host, state).desired(desired);
        let row = row.with(|sandbox| sandbox.cleanup_pending = unclean);
        let id = row.insert(&mut conn).await.id;
        owed.extend(is_owed.then_some((id, Some(host))));
        of_host.extend((state != GONE || unclean).then_some(id));
        builders::sandbox(team)
            .on(HostId::random(), running)
            .insert(&mut conn)
            .await;
    }
    let pending = builders::sandbox(team).insert(&mut conn).await;
    owed.push((pending.id, None));
    owed.sort();
    of_host.sort();

    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = sandboxes::owed(&mut conn, after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        seen.extend(page);
    }
    assert_eq!(seen, owed);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = sandboxes::of_host(&mut conn, host, after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        seen.extend(page.iter().map(|(id, _)| *id));
    }
    assert_eq!(seen, of_host);
}

/// A restored database, or one that another server took over, has not gone on from what was known of it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_database_that_draws_lower_numbers_does_not_continue(pool: PgPool) {
    let mut conn = ready(&pool).await;
    let first = sandboxes::sweep_mark(&mut conn).await.unwrap();
    for _ in 0..3 {
        cluster::next_write(&mut conn).await.unwrap();
    }
    let second = sandboxes::sweep_mark(&mut conn).await.unwrap();
    assert!(second.continues(&first) && second.continues(&second));
    assert!(!first.continues(&second));
}
