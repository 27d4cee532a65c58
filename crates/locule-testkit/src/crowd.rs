//! A fleet of simulated hosts with many sandboxes, for a control plane that runs in another process: rows in its database, and a host agent
//! at each host's socket that answers at once.
//!
//! The rows of sandboxes are written by SQL, as many creates would leave them. Hosts register, as host agents do.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_agent_api::ReportedState;
use locule_base::clock::{SharedClock, SystemClock};
use locule_base::tasks::Tasks;
use locule_control::{
    ControlConfig, ControlPlane, Dial, HostAddress, HostLink, HostLinks, Hosts, NewRegistration,
};
use locule_domain::{HostKind, SandboxState};
use locule_ids::{ApiKeyId, HostId, HostTokenId, TeamId, UserId};
use locule_store::periodic::{self, PeriodicJob};
use locule_store::{PgConnection, PgPool, hosts, sandboxes};
use sqlx::types::Uuid;
use tokio::net::UnixListener;

use crate::builders;
use crate::host::SimHost;
use crate::online_host::roomy;
use crate::reports;

/// A registration token: each host has one that begins so.
const TOKEN: &str = "registration-of-a-simulated-host";

/// The control plane of another process, and what it gets.
#[derive(Debug)]
pub struct CrowdPlan {
    pub database_url: String,
    pub platform_key: Vec<u8>,
    pub jwt_secret: Vec<u8>,
    /// A folder for the sockets of the hosts, which the control plane can reach.
    pub sockets: PathBuf,
    pub hosts: usize,
    pub teams: usize,
    pub sandboxes_of_team: usize,
}

/// A simulated host, and the access token of its agent.
#[derive(Debug)]
pub struct CrowdHost {
    pub id: HostId,
    pub token: String,
    sim: Arc<SimHost>,
}

/// The fleet.
#[derive(Debug)]
pub struct Crowd {
    pool: PgPool,
    clock: SharedClock,
    pub hosts: Vec<CrowdHost>,
    /// An API key of each team.
    pub keys: Vec<String>,
}

impl Crowd {
    /// Panics if a part of the set-up fails. The host agents are among the tasks.
    pub async fn start(plan: CrowdPlan, tasks: &Tasks) -> Self {
        let pool = locule_store::connect(&plan.database_url).expect("the URL of the database");
        let clock = SystemClock::shared();
        let mut conn = pool.acquire().await.expect("a connection");
        let mut teams = Vec::new();
        for number in 0..plan.teams {
            teams.push(team(&mut conn, number, clock.now()).await);
        }
        let registrar = registrar(&plan, &pool, &clock);
        let mut hosts = Vec::new();
        for number in 0..plan.hosts {
            let socket = plan.sockets.join(format!("{number}.sock"));
            let new = NewCrowdHost { number, socket };
            hosts.push(new.join(&mut conn, &registrar, tasks).await);
        }
        let ids: Vec<Uuid> = hosts
            .iter()
            .map(|host: &CrowdHost| host.id.as_uuid())
            .collect();
        for (number, (id, key, _)) in teams.iter().enumerate() {
            let first = number * plan.sandboxes_of_team;
            fill(
                &mut conn,
                (*id, *key),
                &ids,
                (first, plan.sandboxes_of_team),
            )
            .await;
        }
        for host in &hosts {
            host.hold_rows(&mut conn).await;
        }
        sqlx::raw_sql("ANALYZE")
            .execute(&mut *conn)
            .await
            .expect("collect statistics");
        drop(conn);
        let keys = teams.into_iter().map(|(.., key)| key).collect();
        Self {
            pool,
            clock,
            hosts,
            keys,
        }
    }

    /// What the latest passes of the periodic jobs did.
    pub async fn jobs(&self) -> Vec<PeriodicJob> {
        let mut conn = self.pool.acquire().await.expect("a connection");
        periodic::list(&mut conn).await.expect("read the jobs")
    }

    /// Commits per second of a table of one column, by so many connections at the same time: what the disk and PostgreSQL give.
    pub async fn commits_per_second(&self, at_once: usize, during: Duration) -> f64 {
        let create = "CREATE TABLE IF NOT EXISTS bare_commits (number BIGINT)";
        sqlx::raw_sql(create)
            .execute(&self.pool)
            .await
            .expect("create a table");
        let begun = self.clock.monotonic();
        let writers = (0..at_once).map(|_| self.write_until(begun + during));
        let counts = futures::future::join_all(writers).await;
        let count: u32 = counts.into_iter().sum();
        let took = self.clock.monotonic().saturating_sub(begun);
        sqlx::raw_sql("DROP TABLE bare_commits")
            .execute(&self.pool)
            .await
            .expect("drop a table");
        f64::from(count) / took.as_secs_f64()
    }

    async fn write_until(&self, end: Duration) -> u32 {
        let mut conn = self.pool.acquire().await.expect("a connection");
        let mut count = 0;
        while self.clock.monotonic() < end {
            let insert = sqlx::query("INSERT INTO bare_commits VALUES (1)");
            insert.execute(&mut *conn).await.expect("insert a row");
            count += 1;
        }
        count
    }
}

impl CrowdHost {
    /// The body of the host's next heartbeat.
    pub fn heartbeat(&self) -> serde_json::Value {
        serde_json::json!({
            "agent_version": "0", "protocol": locule_agent_api::PROTOCOL_VERSION, "accelerator": "none", "boot_id": "b",
            "free_memory_mib": roomy().memory_mib, "pool_free_bytes": 1_u64 << 40, "templates": self.sim.heartbeat()["templates"],
            "inventory_hash": self.sim.heartbeat()["inventory_hash"],
        })
    }

    /// A running sandbox pauses by itself, as it does when it is idle. The host reports it.
    pub fn change(&self) {
        let held = self.sim.held();
        let running = held
            .iter()
            .find(|report| report.state == ReportedState::Running);
        if let Some(report) = running {
            self.sim.pause_by_itself(report.sandbox, "idle");
        }
    }

    /// Takes what the rows of the host say.
    async fn hold_rows(&self, conn: &mut PgConnection) {
        let rows = sandboxes::of_host(conn, self.id, None, 10_000).await;
        for (_, row) in rows.expect("read the rows of a host") {
            let row = row.expect("a row that can be read");
            let state = if row.state == SandboxState::Paused {
                ReportedState::Paused
            } else {
                ReportedState::Running
            };
            self.sim.hold(reports::of_row(&row, state));
        }
    }
}

/// The part of a control plane that registers hosts, in this process.
fn registrar(plan: &CrowdPlan, pool: &PgPool, clock: &SharedClock) -> Hosts {
    let keys = (plan.platform_key.clone(), plan.jwt_secret.clone());
    let config = ControlConfig::new(keys.0, keys.1, clock.clone());
    let dial: Dial = Arc::new(|id, address| {
        let HostAddress::Unix(path) = address else {
            return None;
        };
        let connector = locule_agent_api::Connector::Unix(path.clone());
        let agent = Arc::new(locule_agent_api::Client::new(connector.clone()));
        Some(HostLink {
            id,
            agent,
            connector,
        })
    });
    let config = config.expect("the certificates of the control plane");
    let links = HostLinks::new(dial);
    ControlPlane::new(config, pool.clone(), clock.clone(), Tasks::new(), links).hosts
}

/// A host that has no row yet.
struct NewCrowdHost {
    number: usize,
    socket: PathBuf,
}

impl NewCrowdHost {
    /// Adds the host, starts its agent, and registers it.
    async fn join(self, conn: &mut PgConnection, registrar: &Hosts, tasks: &Tasks) -> CrowdHost {
        let clock = SystemClock::shared();
        let (id, now) = (HostId::random(), clock.now());
        let address = HostAddress::unix(&self.socket).expect("the path of a socket");
        let new = hosts::NewHost {
            id,
            kind: HostKind::Regular,
            team: None,
            provider: "",
            availability_zone: "",
            address: &address.to_string(),
            created_by: None,
        };
        hosts::insert(conn, new, now).await.expect("insert a host");
        let token = format!("{TOKEN}-{}", self.number);
        sqlx::query(
            "INSERT INTO host_tokens (id, host_id, token_hash, created_at, expires_at)
             VALUES ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'), $4, $4 + interval '1 hour')",
        )
        .bind(HostTokenId::random().as_uuid())
        .bind(id.as_uuid())
        .bind(&token)
        .bind(now)
        .execute(conn)
        .await
        .expect("insert a registration token");
        let sim = SimHost::new(clock);
        let listener = UnixListener::bind(&self.socket).expect("listen on a socket");
        let agent = locule_agent_api::router(sim.clone());
        tasks.spawn("simulated host", |_| async move {
            Ok(axum::serve(listener, agent).await?)
        });
        let new = NewRegistration {
            token,
            address,
            machine: roomy(),
            csr_pem: None,
        };
        let registered = registrar.register(new).await.expect("register a host");
        CrowdHost {
            id,
            token: registered.token,
            sim,
        }
    }
}

/// A team without limits, and a key of its owner.
async fn team(
    conn: &mut PgConnection,
    number: usize,
    now: DateTime<Utc>,
) -> (TeamId, Uuid, String) {
    let (owner, team): (UserId, TeamId) = builders::team(conn, &format!("crowd{number}")).await;
    let limits = sqlx::query(
        "UPDATE teams SET sandboxes_max = 1000000, vcpus_max = 1000000, memory_mb_max = 2000000000, paused_max = 1000000,
             storage_mb_max = 2000000000, creates_per_minute_max = 1000000
         WHERE id = $1",
    );
    let limited = limits.bind(team.as_uuid()).execute(&mut *conn).await;
    limited.expect("raise the limits of a team");
    let (id, key) = (ApiKeyId::random().as_uuid(), format!("e2b_{number:040x}"));
    sqlx::query(
        "INSERT INTO team_api_keys (id, team_id, name, key_hash, key_prefix, created_by, created_at)
         VALUES ($1, $2, 'crowd', encode(sha256(convert_to($3, 'UTF8')), 'hex'), left($3, 10), $4, $5)",
    )
    .bind(id)
    .bind(team.as_uuid())
    .bind(&key)
    .bind(owner.as_uuid())
    .bind(now)
    .execute(conn)
    .await
    .expect("insert an API key");
    (team, id, key)
}

/// Adds sandboxes of a team to the hosts in turn: of five, four run and one is paused.
async fn fill(
    conn: &mut PgConnection,
    (team, key): (TeamId, Uuid),
    hosts: &[Uuid],
    (first, count): (usize, usize),
) {
    let number = |value: usize| i32::try_from(value).expect("a small number");
    sqlx::query(
        "INSERT INTO sandboxes (id, team_id, host_id, status, desired, generation, version, template, template_id, default_user,
             vcpus, memory_mb, timeout_sec, expires_at, timeout_given_sec, on_timeout, labels, guest_ip, host_ip, metadata, created_at,
             started_at, last_active_at, last_updated, created_by_kind, created_by_key)
         SELECT gen_random_uuid(), $1, $3[1 + n % cardinality($3)], state, state, 1, 3, 'minimal',
             '00000000-0000-0000-0000-000000000000', 'user', 1, 512, 0, at + interval '1 day', 86400, 'kill',
             jsonb_build_object('purpose', 'crowd', 'number', n::text), '169.254.0.21', '10.0.0.1',
             jsonb_build_object('agent_version', '0', 'kernel_version', '6.1.0', 'vmm_version', '7.2', 'ready_ms', '41'), at, at, at, at,
             'api_key', $2
         FROM (SELECT n, CASE WHEN n % 5 = 0 THEN 'paused' ELSE 'running' END AS state,
                   date_trunc('seconds', now()) - n * interval '1 second' AS at
               FROM generate_series($4, $4 + $5 - 1) AS n) AS all_rows",
    )
    .bind(team.as_uuid())
    .bind(key)
    .bind(hosts)
    .bind(number(first))
    .bind(number(count))
    .execute(conn)
    .await
    .expect("insert sandboxes");
}
