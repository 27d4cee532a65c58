//! What all seeds of a thread share, because it is expensive: the database, the teams, and the certificates.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use locule_base::clock::ManualClock;
use locule_control::{
    Caller, ControlConfig, Credential, Identity, LoginOrigin, NewApiKey, OwnLimits, Person, Scope,
    SignedUp,
};
use locule_store::PgPool;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::engine::Calm;
use super::requests::Request;
use crate::builders::noon;
use crate::roles::as_owner;
use crate::world::{PASSWORD, World, person};

/// The processes of the control plane.
pub(super) const PROCESSES: usize = 2;
/// The sandboxes that a team may run, and those that it may keep paused.
pub(super) const RUNNING_MAX: i32 = 10;
const PAUSED_MAX: i32 = 8;

/// A request that asks for a second connection while it holds the only one of its process fails after this time.
const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(3);

/// The shared parts of the seeds of a thread.
pub(super) struct Base {
    pub(super) calm: Calm,
    /// Reads and empties the tables, with the rights of their owner.
    pub(super) observer: PgConnection,
    /// One connection for each process: the order of its statements does not depend on the machine.
    pub(super) pools: Vec<PgPool>,
    pub(super) config: ControlConfig,
    pub(super) admin: Person,
    /// The first team uses the platform's hosts, the second one brings its own.
    pub(super) callers: [Caller; 2],
    /// Requests of processes that crashed. They are never polled again, and not dropped: a request that is dropped gives up its
    /// locks, which a crash of a process does not.
    pub(super) crashed: Vec<BoxFuture<'static, Result<Option<locule_ids::SandboxId>, String>>>,
    world: World,
}

impl Base {
    pub(super) async fn start(options: PgConnectOptions, calm: Calm) -> Self {
        let pool = PgPoolOptions::new().connect_lazy_with(options);
        let world = World::start(pool.clone()).await;
        let admin = world.person.clone();
        let own = second_team(&world).await;
        for team in [world.caller.team, own.team] {
            let limits = OwnLimits {
                sandboxes_max: Some(RUNNING_MAX),
                paused_max: Some(PAUSED_MAX),
                ..OwnLimits::default()
            };
            let limited = world.accounts.set_limits(&admin, team, limits).await;
            limited.expect("limit a team");
        }
        let allowed = world.accounts.set_byoc(&admin, own.team, true).await;
        allowed.expect("let a team bring hosts");
        let serve = (*pool.connect_options()).clone();
        let pools: Vec<PgPool> = (0..PROCESSES)
            .map(|_| {
                let one = PgPoolOptions::new()
                    .max_connections(1)
                    .acquire_timeout(CONNECTION_WAIT_MAX)
                    .test_before_acquire(false)
                    .idle_timeout(None)
                    .max_lifetime(None);
                one.connect_lazy_with(serve.clone())
            })
            .collect();
        calm.watch(pools.clone());
        let clock = Arc::new(ManualClock::at(noon()));
        let config = ControlConfig::new(vec![1; 32], vec![2; 32], clock);
        Self {
            calm,
            observer: as_owner(&pool).await,
            pools,
            config: config.expect("the certificates of the control plane"),
            admin,
            callers: [world.caller.clone(), own],
            crashed: Vec::new(),
            world,
        }
    }

    /// Removes what an earlier seed left. The teams stay, and so does the audit log, which is append-only.
    pub(super) async fn empty(&mut self) {
        let statements = "DELETE FROM sandboxes; DELETE FROM hosts; DELETE FROM jobs; DELETE FROM idempotency_keys;";
        let emptied = sqlx::raw_sql(statements).execute(&mut self.observer).await;
        emptied.expect("empty the tables");
    }

    /// Closes the connections: a database with connections cannot be dropped.
    pub(super) async fn stop(&mut self) {
        for pool in self.pools.iter().chain([&self.world.pool]) {
            pool.close().await;
        }
        let closed = sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())");
        // The connection ends with the statement.
        let _ = closed.execute(&mut self.observer).await;
    }

    /// The caller for a team.
    pub(super) fn caller(&self, request: &Request) -> Caller {
        self.callers[request.team()].clone()
    }
}

/// Signs a second person up, and returns the caller of an API key of the person's team.
async fn second_team(world: &World) -> Caller {
    let accounts = &world.accounts;
    let email = "second@locule.test";
    let signed = accounts.sign_up(email, PASSWORD, "Second", None, LoginOrigin::default());
    let session = signed.await.and_then(SignedUp::session);
    let owner = person(accounts, &session.expect("sign up").token).await;
    let wanted = NewApiKey {
        name: "key".to_owned(),
        scope: Scope::Full,
        expires_at: None,
    };
    let made = accounts.create_api_key(&owner, &wanted).await;
    let (_, key) = made.expect("make a key");
    let identity = accounts.authenticate(Credential::Key(&key)).await;
    let caller = identity.and_then(Identity::caller);
    caller.expect("the key of the second team")
}
