//! A control plane over simulated hosts and a real database, with a clock that a test advances.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_agent_api::Connector;
use locule_base::clock::{Clock as _, ManualClock};
use locule_base::tasks::Tasks;
use locule_control::{
    Accounts, Caller, ControlConfig, ControlPlane, Credential, HostAddress, HostLink, HostLinks,
    Identity, LoginOrigin, Machine, NewApiKey, NewSandbox, Person, SandboxError, Sandboxes, Scope,
    SignedUp, SignupPolicy,
};
use locule_domain::{HostState, Sandbox};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::{PgPool, PooledConnection, hosts, sandboxes};

use crate::builders::noon;
use crate::host::SimHost;
use crate::online_host::{another_host, online_host};
use crate::roles::as_serve;

pub const EMAIL: &str = "admin@locule.test";
pub const PASSWORD: &str = "a password of this test";
/// The address of the simulated host, which nothing listens on.
const SOCKET: &str = "/nowhere/agent.sock";

/// The links to simulated hosts, which a test can add to.
type Links = Arc<Mutex<Vec<HostLink>>>;

/// A control plane, its database, and one simulated host. Panics if the test set-up itself fails.
#[derive(Debug)]
pub struct World {
    pub pool: PgPool,
    pub clock: Arc<ManualClock>,
    pub control: ControlPlane,
    pub sandboxes: Sandboxes,
    pub accounts: Accounts,
    pub tasks: Tasks,
    /// The id of the first host in the database.
    pub host_id: HostId,
    pub host: Arc<SimHost>,
    links: Links,
    /// The caller of the first API key.
    pub caller: Caller,
    /// The person who created that key: the first person, and so the platform's administrator.
    pub person: Person,
}

impl World {
    pub async fn start(pool: PgPool) -> Self {
        as_serve(&pool).await;
        let clock = Arc::new(ManualClock::at(noon()));
        let host_id = online_host(&pool, SOCKET.as_ref(), clock.now()).await;
        let host = SimHost::new(clock.clone());
        let tasks = Tasks::new();
        let links = Links::default();
        add_link(&links, host_id, &host);
        let control = control(&pool, &clock, &tasks, &links, |_| {});
        let accounts = control.accounts.clone();
        let session = accounts
            .sign_up(
                EMAIL,
                PASSWORD,
                "Administrator",
                None,
                LoginOrigin::default(),
            )
            .await;
        let session = session.and_then(SignedUp::session).expect("sign up");
        let person = person(&accounts, &session.token).await;
        let wanted = NewApiKey {
            name: "first key".to_owned(),
            scope: Scope::Full,
            expires_at: None,
        };
        let made = accounts.create_api_key(&person, &wanted).await;
        let (_, key) = made.expect("make a key");
        let identity = accounts.authenticate(Credential::Key(&key)).await;
        let caller = identity.and_then(Identity::caller).expect("the first key");
        Self {
            pool,
            clock,
            sandboxes: control.sandboxes.clone(),
            accounts,
            control,
            tasks,
            host_id,
            host,
            links,
            caller,
            person,
        }
    }

    /// Replaces the control plane by a new one over the same database and host.
    pub fn restart(&mut self) {
        self.tasks.token().cancel();
        self.tasks = Tasks::new();
        self.control = self.another_control(|_| {});
        self.sandboxes = self.control.sandboxes.clone();
        self.accounts = self.control.accounts.clone();
    }

    /// Another process of the control plane over the same database and hosts.
    pub fn another_control(&self, change: impl FnOnce(&mut ControlConfig)) -> ControlPlane {
        control(&self.pool, &self.clock, &self.tasks, &self.links, change)
    }

    /// Adds a simulated host that is online: of a team, or of the platform.
    pub async fn add_host(
        &self,
        team: Option<TeamId>,
        machine: &Machine,
    ) -> (HostId, Arc<SimHost>) {
        let mut conn = self.connection().await;
        let id = another_host(&mut conn, team, machine, self.clock.now()).await;
        let host = SimHost::new(self.clock.clone());
        add_link(&self.links, id, &host);
        (id, host)
    }

    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
    }

    pub fn clock_now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A heartbeat of a simulated host.
    pub async fn heartbeat(&self, id: HostId, host: &SimHost) {
        let mut conn = self.connection().await;
        let row = hosts::get(&mut conn, id).await.expect("read a host");
        let address = row.expect("the host's row").address;
        let online = (HostState::Online, &*address);
        let now = self.clock.now();
        let written = hosts::heartbeat(&mut conn, id, online, &host.heartbeat(), now).await;
        written.expect("write a heartbeat");
    }

    /// Advances the clock so that the hosts' lists are newer than the rows, and runs one sweep.
    pub async fn sweep(&self) {
        self.pass(Duration::from_secs(15));
        self.control.sweep().await.expect("sweep");
    }

    pub async fn connection(&self) -> PooledConnection {
        self.pool.acquire().await.expect("a connection")
    }

    /// A request that is fulfilled: a small sandbox without limits of time.
    pub fn request() -> NewSandbox {
        NewSandbox {
            template: "minimal".to_owned(),
            ..NewSandbox::default()
        }
    }

    pub async fn create(&self) -> Sandbox {
        self.create_as(Self::request()).await
    }

    pub async fn create_as(&self, request: NewSandbox) -> Sandbox {
        let created = self.sandboxes.create_sandbox(&self.caller, request).await;
        created.expect("create a sandbox")
    }

    pub async fn pause(&self, id: SandboxId) -> Result<Sandbox, SandboxError> {
        self.sandboxes.pause_sandbox(&self.caller, id).await
    }

    pub async fn resume(&self, id: SandboxId) -> Result<Sandbox, SandboxError> {
        self.sandboxes.resume_sandbox(&self.caller, id).await
    }

    pub async fn destroy(&self, id: SandboxId) -> Result<(), SandboxError> {
        self.sandboxes.destroy_sandbox(&self.caller, id).await
    }

    /// The row of a sandbox.
    pub async fn row(&self, id: SandboxId) -> Sandbox {
        let mut conn = self.connection().await;
        let row = sandboxes::get(&mut conn, id).await.expect("read a row");
        row.expect("the sandbox's row")
    }

    /// The only row of the table.
    pub async fn only_row(&self) -> Sandbox {
        let mut conn = self.connection().await;
        let id = sqlx::query_scalar("SELECT id FROM sandboxes")
            .fetch_one(&mut *conn)
            .await
            .expect("one row");
        self.row(SandboxId::from_uuid(id)).await
    }

    /// Changes a row directly, as a control plane leaves it that exits.
    pub async fn change_row(&self, id: SandboxId, change: impl FnOnce(&mut Sandbox)) {
        let (mut conn, seen) = (self.connection().await, self.row(id).await);
        let mut next = seen.clone();
        change(&mut next);
        let written = sandboxes::update(&mut conn, &seen, &next, seen.last_updated).await;
        assert!(
            written.expect("write a row"),
            "another writer changed the row"
        );
    }

    /// The audit entries of a sandbox, oldest first: `actor action status metadata`.
    pub async fn audit_log(&self, id: SandboxId) -> Vec<String> {
        let mut conn = self.connection().await;
        // Entries of the same time are in the order in which they were written.
        let rows: Vec<(String, String, String, serde_json::Value)> = sqlx::query_as(
            "SELECT actor_type, action, status, metadata FROM audit_logs WHERE resource_id = $1 ORDER BY created_at, ctid",
        )
        .bind(id.to_string())
        .fetch_all(&mut *conn)
        .await
        .expect("read the audit log");
        rows.into_iter()
            .map(|(actor, action, status, metadata)| {
                format!("{actor} {action} {status} {metadata}")
            })
            .collect()
    }
}

/// The person of a token.
pub async fn person(accounts: &Accounts, token: &str) -> Person {
    let identity = accounts.authenticate(Credential::Token(token)).await;
    identity
        .and_then(Identity::person)
        .expect("a person's token")
}

fn add_link(links: &Links, id: HostId, host: &Arc<SimHost>) {
    let link = HostLink {
        id,
        agent: host.clone(),
        connector: Connector::Unix(SOCKET.into()),
    };
    links.lock().expect("the links").push(link);
}

fn control(
    pool: &PgPool,
    clock: &Arc<ManualClock>,
    tasks: &Tasks,
    links: &Links,
    change: impl FnOnce(&mut ControlConfig),
) -> ControlPlane {
    let config = ControlConfig::new(vec![1; 32], vec![2; 32], clock.clone());
    let mut config = config.expect("the certificates of the control plane");
    config.accounts.signup = SignupPolicy::Open;
    // The clock stands still between two creates, however many hosts a test adds.
    config.sandboxes.candidates_kept = Duration::ZERO;
    change(&mut config);
    let links = links.clone();
    let dial = move |id, _: &HostAddress| {
        let links = links.lock().expect("the links");
        links.iter().find(|link| link.id == id).cloned()
    };
    ControlPlane::new(
        config,
        pool.clone(),
        clock.clone(),
        tasks.clone(),
        HostLinks::new(Arc::new(dial)),
    )
}
