//! Hosts that are older than their rows, rows that are older than their hosts, and old reports.

use std::time::Duration;

use locule_agent_api::{AgentError, ReportedState};
use locule_domain::{Desired, SandboxState};
use locule_testkit::{Call, Fault, World};
use sqlx::PgPool;

/// The order raised the row's generation and did not arrive: every report of the host is older than the row.
async fn host_is_behind(world: &World) -> locule_ids::SandboxId {
    let id = world.create().await.id;
    world
        .host
        .fail(Call::Update, Fault::Refuse(AgentError::DeadlineExceeded));
    world
        .sandboxes
        .set_timeout(&world.caller, id, 600)
        .await
        .unwrap_err();
    let (row, held) = (world.row(id).await, world.host.report(id).unwrap());
    assert!(held.generation < row.generation);
    id
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sweep_sends_timeouts_again_that_the_host_missed(pool: PgPool) {
    let world = World::start(pool).await;
    let id = host_is_behind(&world).await;
    world.sweep().await;
    let (row, held) = (world.row(id).await, world.host.report(id).unwrap());
    assert_eq!(held.generation, row.generation);
    assert_eq!(
        (held.timeouts.expires_at, held.state),
        (row.timeouts.expires_at, ReportedState::Running)
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pause_reported_by_an_older_host_is_written(pool: PgPool) {
    let world = World::start(pool).await;
    let id = host_is_behind(&world).await;
    world.host.pause_by_itself(id, "idle");
    world.sweep().await;
    let row = world.row(id).await;
    assert_eq!(
        (row.state, row.desired),
        (SandboxState::Paused, Desired::Paused)
    );
    assert_eq!(row.status_reason.as_deref(), Some("idle"));
    world.resume(id).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_end_reported_by_an_older_host_is_written(pool: PgPool) {
    let world = World::start(pool).await;
    let id = host_is_behind(&world).await;
    world.host.end_by_itself(id, "guest_shutdown");
    world.sweep().await;
    assert_eq!(
        world.row(id).await.status_reason.as_deref(),
        Some("guest_shutdown")
    );
}

/// A row from a backup takes over its host's generation; otherwise the host would refuse every order as old.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_is_older_than_its_host_takes_over_the_generation(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    world.host.set(id, |report| report.generation = 9);
    world.sweep().await;
    assert_eq!(world.row(id).await.generation, 9);
    world.pause(id).await.unwrap();
    world.destroy(id).await.unwrap();
}

/// A list is as old as its request: a row that was written since is newer.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_row_that_changed_after_the_list_was_requested_is_left_to_the_next_sweep(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let gate = locule_testkit::Gate::new();
    world
        .host
        .fail(Call::List, Fault::DelayAnswer(gate.clone()));
    world.pass(Duration::from_mins(1));
    let meanwhile = async {
        gate.reached().await;
        world.host.pause_by_itself(id, "idle");
        world.sweep().await;
        let paused = world.row(id).await;
        gate.open();
        paused
    };
    // The delayed list still contains the sandbox as running.
    let (swept, paused) = tokio::join!(world.control.sweep(), meanwhile);
    swept.unwrap();
    assert_eq!(paused.state, SandboxState::Paused);
    assert_eq!(world.row(id).await, paused);
    assert_eq!(world.host.asked(Call::Pause, id), 0);
}

/// Two simultaneous writers of one row, each with its own fields: no write is lost.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn simultaneous_writers_of_a_row_keep_each_others_fields(pool: PgPool) {
    let world = World::start(pool).await;
    let ids = [
        world.create().await.id,
        world.create().await.id,
        world.create().await.id,
    ];
    for round in 1..=10_u32 {
        world.pass(Duration::from_secs(1));
        for id in ids {
            world
                .host
                .set(id, |report| report.host_ip = format!("10.0.0.{round}"));
        }
        let orders = ids.map(|id| world.sandboxes.set_timeout(&world.caller, id, round));
        let orders = futures::future::join_all(orders);
        let (orders, swept) = tokio::join!(orders, world.control.sweep());
        swept.unwrap();
        for order in orders {
            assert_eq!(order.unwrap().timeout_given_sec, Some(round));
        }
        for id in ids {
            let row = world.row(id).await;
            assert_eq!(
                (row.timeout_given_sec, row.host_ip),
                (Some(round), format!("10.0.0.{round}"))
            );
        }
    }
}

/// A sandbox is on one host: the reports of other hosts do not change its row.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_report_from_another_host_is_ignored(pool: PgPool) {
    let world = World::start(pool).await;
    let id = world.create().await.id;
    let mut conn = world.connection().await;
    sqlx::query("UPDATE sandboxes SET host_id = gen_random_uuid()")
        .execute(&mut *conn)
        .await
        .unwrap();
    let before = world.row(id).await;
    world.host.end_by_itself(id, "vm_lost");
    world.sweep().await;
    assert_eq!(world.row(id).await, before);
}
