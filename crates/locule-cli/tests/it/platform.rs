//! The platform that the commands under test talk to: the real API on a real PostgreSQL, a simulated host, and the real guest
//! agent, which runs the commands on this machine in a directory of the test.
//!
//! ```text
//! locule ──► relay (records, fails where a test says so) ──► locule-http ──► SimHost
//!                                                                  └──► HostProxy ──► locule-guest --serve
//! ```

mod relay;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use chrono::TimeDelta;
use locule_agent_api::ReportedState;
use locule_base::clock::SystemClock;
use locule_base::tasks::Tasks;
use locule_control::{ControlConfig, ControlPlane, HostLink, HostLinks, SignupPolicy};
use locule_domain::SandboxState;
use locule_http::{AppState, HttpConfig, ListenerLimits, serve_within};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_testkit::reports::of_row;
use locule_testkit::{
    GuestAgent, GuestProcess, HostProxy, SimHost, as_serve, builders, online_host,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use self::relay::Relay;
pub(crate) use self::relay::Traffic;

/// The first account, which administers the platform.
pub(crate) const ADMINISTRATOR: &str = "admin@locule.test";
pub(crate) const PASSWORD: &str = "a good password";

/// The parts that run on the platform's own runtime: the test's runtime is blocked while a command runs.
struct Parts {
    pool: PgPool,
    tasks: Tasks,
    host_id: HostId,
    host: Arc<SimHost>,
    _proxy: Arc<HostProxy>,
    router: Router,
    relay: Arc<Relay>,
    url: String,
}

pub(crate) struct Platform {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) host: Arc<SimHost>,
    team: TeamId,
    parts: Arc<Parts>,
    runtime: Option<Runtime>,
    home: TempDir,
    programs: TempDir,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.parts.tasks.token().cancel();
        let (parts, runtime) = (self.parts.clone(), self.runtime.take());
        // The database is dropped after the test, which needs it without connections. A runtime cannot be blocked on, or
        // dropped, inside of another one.
        let closed = std::thread::spawn(move || {
            if let Some(runtime) = runtime {
                runtime.block_on(parts.pool.close());
                runtime.shutdown_timeout(std::time::Duration::from_secs(5));
            }
        });
        closed.join().ok();
    }
}

impl Platform {
    pub(crate) async fn start(pool: PgPool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (home, programs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let options = pool.connect_options();
        let (workdir, own) = (home.path().to_owned(), programs.path().to_owned());
        // On a thread of its own: a runtime cannot be blocked on inside of another one.
        let started = std::thread::spawn(move || {
            let parts = runtime.block_on(async {
                let pool = PgPoolOptions::new().connect_lazy_with((*options).clone());
                Parts::start(pool, &workdir, &own).await
            });
            (runtime, Arc::new(parts))
        });
        let (runtime, parts) = started.join().unwrap();
        let mut platform = Self {
            url: parts.url.clone(),
            key: String::new(),
            host: parts.host.clone(),
            team: TeamId::PLATFORM,
            parts,
            runtime: Some(runtime),
            home,
            programs,
        };
        let admin = platform.sign_up(ADMINISTRATOR, "Administrator").await;
        let (_, key) = platform
            .api(&admin.token, "POST", "/v1/api-keys", json!({}))
            .await;
        key["key"].as_str().unwrap().clone_into(&mut platform.key);
        platform.team = admin.team.parse().unwrap();
        platform
    }

    /// Runs work of the test on the platform's runtime.
    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = self.runtime.as_ref().unwrap();
        runtime.spawn(work).await.unwrap()
    }

    /// The directory that commands run in: their home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where commands are looked for first.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.path().join(name)
    }

    /// Reads the recorded traffic, or changes what the relay does.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Traffic) -> T) -> T {
        self.parts.relay.change(change)
    }

    /// Waits until the traffic fulfils a condition. Panics, naming it, when it does not in time.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Traffic) -> bool) {
        self.parts.relay.wait(what, is_so);
    }

    /// Breaks the connections of all commands and terminals.
    pub(crate) fn break_streams(&self) {
        self.parts.relay.break_streams();
    }

    /// Count of the sandboxes on the host.
    pub(crate) fn sandboxes(&self) -> usize {
        self.host.count()
    }

    /// Adds a sandbox that was created two hours ago. The host does not know a missing one.
    pub(crate) async fn add(&self, id: &str, state: SandboxState) -> SandboxId {
        let id = id.parse().unwrap();
        let (parts, team) = (self.parts.clone(), self.team);
        self.run(async move {
            let at = SystemClock::shared().now() - TimeDelta::hours(2);
            let row = builders::sandbox(team)
                .on(parts.host_id, state)
                .created_at(at)
                .with(|row| {
                    row.id = id;
                    row.started_at = Some(at);
                    let version = ("kernel_version".to_owned(), "6.1".to_owned());
                    row.metadata.extend([version]);
                });
            let mut conn = parts.pool.acquire().await.unwrap();
            let row = row.insert(&mut conn).await;
            let reported = if state == SandboxState::Running {
                ReportedState::Running
            } else if state == SandboxState::Paused {
                ReportedState::Paused
            } else {
                return;
            };
            parts.host.hold(of_row(&row, reported));
        })
        .await;
        id
    }

    /// Calls the API with a session token, past the relay.
    pub(crate) async fn api(
        &self,
        token: &str,
        method: &'static str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let router = self.parts.router.clone();
        self.run(async move {
            let response = router.oneshot(request).await.unwrap();
            let status = response.status().as_u16();
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
            assert!(status < 400, "{status} {json}");
            (status, json)
        })
        .await
    }

    /// A new account with a team of its own.
    pub(crate) async fn sign_up(&self, email: &str, name: &str) -> Session {
        let body = json!({ "email": email, "password": PASSWORD, "name": name });
        let (_, session) = self.api("none", "POST", "/v1/auth/signup", body).await;
        let text = |name: &str| session[name].as_str().unwrap().to_owned();
        Session {
            token: text("token"),
            team: text("team_id"),
        }
    }

    /// Changes the database by hand.
    pub(crate) async fn sql(&self, statement: &'static str) {
        let pool = self.parts.pool.clone();
        self.run(async move {
            sqlx::raw_sql(statement).execute(&pool).await.unwrap();
        })
        .await;
    }
}

/// A login of an account.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) team: String,
}

impl Parts {
    async fn start(pool: PgPool, workdir: &Path, programs: &Path) -> Self {
        let clock = SystemClock::shared();
        as_serve(&pool).await;
        let host_id = online_host(&pool, "/nowhere/agent.sock".as_ref(), clock.now()).await;
        let tasks = Tasks::new();
        let host = SimHost::new(clock.clone());
        let guest = GuestProcess::start(workdir, programs).await;
        let proxy = HostProxy::start(&tasks, host.clone(), GuestAgent::Process(guest));
        let link = HostLink {
            id: host_id,
            agent: host.clone(),
            connector: proxy.connector(),
        };
        let mut config = ControlConfig::new(vec![1; 32], vec![2; 32], clock.clone()).unwrap();
        config.accounts.signup = SignupPolicy::Open;
        let control = ControlPlane::new(
            config,
            pool.clone(),
            clock.clone(),
            tasks.clone(),
            HostLinks::of(vec![link]),
        );
        let state = AppState::new(control, tasks.clone(), clock, HttpConfig::default());
        let router = locule_http::router(state);
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::new(router.clone(), inner.local_addr().unwrap());
        let served = router.clone();
        tasks.spawn("api", |stop| async move {
            Ok(serve_within(inner, served, stop, ListenerLimits::default()).await?)
        });
        let outer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", outer.local_addr().unwrap());
        let app = relay.router();
        tasks.spawn("relay", |stop| async move {
            tokio::select! {
                served = async { axum::serve(outer, app).await } => served?,
                () = stop.cancelled() => {}
            }
            Ok(())
        });
        Self {
            pool,
            tasks,
            host_id,
            host,
            _proxy: proxy,
            router,
            relay,
            url,
        }
    }
}
