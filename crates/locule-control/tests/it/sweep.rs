//! The hosts that a sweep asks: all of them, less those on which it would find nothing to do (ADR 0049).

use std::sync::Arc;
use std::time::Duration;

use locule_agent_api::AgentError;
use locule_domain::{Desired, NewSandbox, SandboxState, StopReason};
use locule_ids::{HostId, SandboxId};
use locule_store::sandboxes;
use locule_testkit::{Call, Fault, SimHost, World, roomy};
use sqlx::{Connection as _, PgPool};

const LOST: SandboxState = SandboxState::Stopped {
    reason: StopReason::VmLost,
};
/// Each host is asked at least this often.
const LONGEST: Duration = Duration::from_mins(10);

/// A world with several hosts, each of which has a sandbox and has sent its heartbeat.
struct Fleet {
    world: World,
    hosts: Vec<(HostId, Arc<SimHost>)>,
}

impl Fleet {
    /// Returns after a sweep that has asked each host, and after the next heartbeats.
    async fn start(pool: PgPool, count: usize) -> Self {
        let world = World::start(pool).await;
        let mut hosts = vec![(world.host_id, world.host.clone())];
        while hosts.len() < count {
            hosts.push(world.add_host(None, &roomy()).await);
        }
        for _ in 0..count {
            world.create().await;
        }
        let fleet = Self { world, hosts };
        fleet.heartbeats().await;
        assert_eq!(fleet.sweep().await.len(), count);
        assert!(fleet.hosts.iter().all(|(_, host)| host.count() == 1));
        fleet
    }

    async fn heartbeats(&self) {
        for (id, host) in &self.hosts {
            self.world.heartbeat(*id, host).await;
        }
    }

    /// Runs a sweep, and returns the numbers of the hosts that it asked.
    async fn sweep(&self) -> Vec<usize> {
        let lists = || self.hosts.iter().map(|(_, host)| host.lists());
        let before: Vec<usize> = lists().collect();
        self.world.sweep().await;
        let asked = lists().zip(before).enumerate();
        let asked = asked.filter(|(_, (now, before))| now > before);
        asked.map(|(number, _)| number).collect()
    }

    /// The only sandbox of a host.
    fn sandbox(&self, number: usize) -> SandboxId {
        self.hosts[number].1.held()[0].sandbox
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pass_over_fifty_unchanged_hosts_asks_no_host(pool: PgPool) {
    let fleet = Fleet::start(pool, 50).await;
    let found = fleet.world.control.sweep().await.unwrap();
    assert_eq!(found.found, 0, "rows are read");
    for _ in 0..3 {
        fleet.heartbeats().await;
        assert!(fleet.sweep().await.is_empty());
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pass_asks_the_host_whose_heartbeat_says_that_something_changed(pool: PgPool) {
    let fleet = Fleet::start(pool, 4).await;
    let lost = fleet.sandbox(2);
    fleet.hosts[2].1.lose(lost);
    // The control plane has not heard of it yet.
    assert!(fleet.sweep().await.is_empty());
    fleet.heartbeats().await;
    assert_eq!(fleet.sweep().await, [2]);
    assert_eq!(fleet.world.row(lost).await.state, LOST);
    // The row changed in that pass. After one in which nothing differs, the host is not asked again.
    assert_eq!(fleet.sweep().await, [2]);
    assert!(fleet.sweep().await.is_empty());
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pass_asks_the_host_of_a_row_that_is_not_as_it_should_be_until_the_row_is(pool: PgPool) {
    let fleet = Fleet::start(pool, 3).await;
    let id = fleet.sandbox(1);
    fleet.hosts[1]
        .1
        .fail(Call::Pause, Fault::Refuse(AgentError::DeadlineExceeded));
    let want_paused = |row: &mut locule_domain::Sandbox| {
        row.desired = Desired::Paused;
        row.generation += 1;
    };
    fleet.world.change_row(id, want_paused).await;
    assert_eq!(fleet.sweep().await, [1]);
    assert_eq!(fleet.world.row(id).await.state, SandboxState::Running);
    assert_eq!(fleet.sweep().await, [1]);
    assert_eq!(fleet.world.row(id).await.state, SandboxState::Paused);
    fleet.heartbeats().await;
    assert_eq!(fleet.sweep().await, [1]);
    assert!(fleet.sweep().await.is_empty());
}

/// The clock of the writer says nothing: the transaction began before the pass, and ended after it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pass_asks_the_host_of_a_row_that_was_written_during_the_pass_before(pool: PgPool) {
    let fleet = Fleet::start(pool, 3).await;
    let row = fleet.world.row(fleet.sandbox(0)).await;
    let mut writer = fleet.world.connection().await;
    let mut tx = writer.begin().await.unwrap();
    let mut next = row.clone();
    // The host missed an order to change timeouts.
    next.generation += 1;
    next.timeouts.timeout_sec = 7200;
    assert!(
        sandboxes::update(&mut tx, &row, &next, row.last_updated)
            .await
            .unwrap()
    );
    assert!(fleet.sweep().await.is_empty());
    tx.commit().await.unwrap();
    assert_eq!(fleet.sweep().await, [0]);
    let report = fleet.hosts[0].1.report(row.id).unwrap();
    assert_eq!(report.timeouts, next.timeouts);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pass_asks_the_host_of_a_sandbox_that_may_be_overdue(pool: PgPool) {
    let fleet = Fleet::start(pool, 2).await;
    let request = NewSandbox {
        expires_in: Some(Duration::from_mins(3)),
        ..World::request()
    };
    let id = fleet.world.create_as(request).await.id;
    let number = fleet
        .hosts
        .iter()
        .position(|(_, host)| host.holds(id).is_some());
    fleet.heartbeats().await;
    assert_eq!(fleet.sweep().await, [number.unwrap()]);
    // The host does not end the sandbox, and its heartbeats say that nothing changed.
    let mut asked = Vec::new();
    while asked.is_empty() {
        asked = fleet.sweep().await;
    }
    let row = fleet.world.row(id).await;
    assert_eq!(asked, [number.unwrap()]);
    assert_eq!(row.status_reason.as_deref(), Some("expired"));
    let after = fleet.world.clock_now() - row.created_at;
    assert!(after < chrono::TimeDelta::minutes(4), "{after}");
}

/// The safety net: whatever is known of them.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_host_is_asked_within_ten_minutes_and_not_all_in_one_pass(pool: PgPool) {
    let fleet = Fleet::start(pool, 8).await;
    let lost = fleet.sandbox(5);
    // No heartbeat tells it.
    fleet.hosts[5].1.lose(lost);
    let (begun, mut asked) = (fleet.world.clock_now(), Vec::new());
    while asked.len() < fleet.hosts.len() {
        let now = fleet.sweep().await;
        assert!(now.len() < fleet.hosts.len(), "all hosts in one pass");
        asked.extend(now);
        asked.sort_unstable();
        asked.dedup();
        let passed = fleet.world.clock_now() - begun;
        assert!(passed.to_std().unwrap() <= LONGEST, "{asked:?}");
    }
    assert_eq!(fleet.world.row(lost).await.state, LOST);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pass_asks_every_host_after_a_restart_and_one_that_did_not_answer_again(pool: PgPool) {
    let mut fleet = Fleet::start(pool, 3).await;
    fleet.world.restart();
    fleet.hosts[1]
        .1
        .fail(Call::List, Fault::Refuse(AgentError::DeadlineExceeded));
    assert_eq!(fleet.sweep().await, [0, 1, 2]);
    assert_eq!(fleet.sweep().await, [1]);
    assert!(fleet.sweep().await.is_empty());
    // A host that was away may come back as another one.
    let mut conn = fleet.world.connection().await;
    let (away, now) = (fleet.hosts[2].0, fleet.world.clock_now());
    let unreachable = locule_domain::HostState::Unreachable;
    locule_store::hosts::set_state(&mut conn, away, unreachable, now)
        .await
        .unwrap();
    drop(conn);
    assert!(fleet.sweep().await.is_empty());
    fleet.heartbeats().await;
    assert_eq!(fleet.sweep().await, [2]);
}

/// A database that went back in time: what was known of it is not true any more.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pass_asks_every_host_when_the_database_did_not_go_on(pool: PgPool) {
    let fleet = Fleet::start(pool, 3).await;
    assert!(fleet.sweep().await.is_empty());
    let back = "SELECT setval('write_counter', 1)";
    locule_testkit::run_as_owner(&fleet.world.pool, back).await;
    assert_eq!(fleet.sweep().await, [0, 1, 2]);
    assert!(fleet.sweep().await.is_empty());
}
