//! The application under test, and a client for it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use locule_base::clock::SystemClock;
use locule_base::tasks::Tasks;
use locule_control::{ControlConfig, ControlPlane, HostLink, HostLinks, SignupPolicy};
use locule_http::{AppState, HttpConfig, ListenerLimits, serve_within};
use locule_testkit::{
    FakeGuest, GuestAgent, GuestProcess, HostProxy, SimHost, as_serve, online_host,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

pub(crate) const EMAIL: &str = "admin@locule.test";
pub(crate) const PASSWORD: &str = "a password of this test";

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Drop for App {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

pub(crate) struct App {
    router: Router,
    pub(crate) pool: PgPool,
    tasks: Tasks,
    pub(crate) host: Arc<SimHost>,
    /// The guest agent of every sandbox of the host.
    pub(crate) guest: Arc<FakeGuest>,
    pub(crate) proxy: Arc<HostProxy>,
    pub(crate) control: ControlPlane,
    pub(crate) key: String,
    /// Login token of the first account, which administers the platform.
    pub(crate) token: String,
}

/// A logged-in account.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    pub(crate) token: String,
    pub(crate) user: String,
    /// Empty when the login has no team.
    pub(crate) team: String,
}

impl Signed {
    pub(crate) fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Self {
            token: text("token"),
            user: text("user_id"),
            team: text("team_id"),
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) body: Vec<u8>,
}

impl App {
    pub(crate) async fn start(pool: PgPool) -> Self {
        Self::start_with(pool, |_| {}).await
    }

    /// Starts the application with a changed configuration of the control plane.
    pub(crate) async fn start_with(pool: PgPool, change: impl FnOnce(&mut ControlConfig)) -> Self {
        Self::start_without_accounts(pool, change)
            .await
            .with_admin()
            .await
    }

    /// Starts the application with other limits of requests.
    pub(crate) async fn start_within(pool: PgPool, http: HttpConfig) -> Self {
        Self::bare(pool, |_| {}, http).await.with_admin().await
    }

    /// Starts the application without any account.
    pub(crate) async fn start_without_accounts(
        pool: PgPool,
        change: impl FnOnce(&mut ControlConfig),
    ) -> Self {
        Self::bare(pool, change, HttpConfig::default()).await
    }

    /// Starts the application with a changed configuration of the control plane, behind a proxy that tells the clients' addresses.
    pub(crate) async fn start_behind_proxy(
        pool: PgPool,
        change: impl FnOnce(&mut ControlConfig),
    ) -> Self {
        let http = HttpConfig {
            trust_forwarded_for: true,
            ..HttpConfig::default()
        };
        Self::bare(pool, change, http).await.with_admin().await
    }

    /// Starts the application with the real guest agent, whose programs run on this machine in `workdir`.
    pub(crate) async fn start_with_guest_process(pool: PgPool, workdir: &Path) -> Self {
        let guest = GuestProcess::start(workdir, workdir).await;
        let agent = GuestAgent::Process(guest);
        let app = Self::with_agent(pool, |_| {}, HttpConfig::default(), FakeGuest::new(), agent);
        app.await.with_admin().await
    }

    async fn with_admin(mut self) -> Self {
        self.token = self.sign_up(EMAIL).await.token;
        let body = json!({ "name": "first key" });
        self.key = self.new_key(&self.token, &body).await;
        self
    }

    async fn bare(pool: PgPool, change: impl FnOnce(&mut ControlConfig), http: HttpConfig) -> Self {
        let guest = FakeGuest::new();
        let agent = GuestAgent::Fake(guest.clone());
        Self::with_agent(pool, change, http, guest, agent).await
    }

    async fn with_agent(
        pool: PgPool,
        change: impl FnOnce(&mut ControlConfig),
        http: HttpConfig,
        guest: Arc<FakeGuest>,
        agent: GuestAgent,
    ) -> Self {
        let clock = SystemClock::shared();
        as_serve(&pool).await;
        let tasks = Tasks::new();
        let host = SimHost::new(clock.clone());
        let proxy = HostProxy::start(&tasks, host.clone(), agent);
        online_host(&pool, "/nowhere/agent.sock".as_ref(), clock.now()).await;
        // Every host is the same simulated host.
        let (agent_of_all, connector) = (host.clone(), proxy.connector());
        let links = HostLinks::new(Arc::new(move |id, _| {
            Some(HostLink {
                id,
                agent: agent_of_all.clone(),
                connector: connector.clone(),
            })
        }));
        let mut config = ControlConfig::new(vec![1; 32], vec![2; 32], clock.clone()).unwrap();
        config.accounts.signup = SignupPolicy::Open;
        change(&mut config);
        let control = ControlPlane::new(config, pool.clone(), clock.clone(), tasks.clone(), links);
        control.start_revocation();
        let state = AppState::new(control.clone(), tasks.clone(), clock, http);
        Self {
            router: locule_http::router(state),
            host,
            guest,
            proxy,
            control,
            pool,
            tasks,
            key: String::new(),
            token: String::new(),
        }
    }

    /// Creates an account with its own team.
    pub(crate) async fn sign_up(&self, email: &str) -> Signed {
        let body = json!({ "email": email, "password": PASSWORD, "name": email.split('@').next() });
        let answer = self
            .without_credential("POST", "/v1/auth/signup", &body)
            .await;
        assert_eq!(answer.status, 201, "{}", answer.json);
        Signed::of(&answer.json)
    }

    /// Invites a person to the team of a token, on a platform without a mail server. Returns the token of the link.
    pub(crate) async fn invite(&self, by: &Signed, email: &str) -> String {
        let path = format!("/v1/teams/{}/members", by.team);
        let body = json!({ "email": email });
        let answer = self.by(&by.token, "POST", &path, &body).await;
        assert_eq!(answer.status, 201, "{}", answer.json);
        let link = answer.json["link"].as_str().unwrap();
        link.split_once("token=").unwrap().1.to_owned()
    }

    pub(crate) async fn accept(&self, who: &Signed, invitation: &str) -> Answer {
        let path = format!("/v1/invitations/{invitation}/accept");
        self.by(&who.token, "POST", &path, &Value::Null).await
    }

    /// Makes an account a member of the team of a token.
    pub(crate) async fn join(&self, by: &Signed, who: &Signed, email: &str) {
        let invitation = self.invite(by, email).await;
        let answer = self.accept(who, &invitation).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
    }

    pub(crate) async fn login(&self, email: &str) -> Signed {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self
            .without_credential("POST", "/v1/auth/login", &body)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        Signed::of(&answer.json)
    }

    /// Creates an API key of the token's team.
    pub(crate) async fn new_key(&self, token: &str, body: &Value) -> String {
        let made = self.by(token, "POST", "/v1/api-keys", body).await;
        assert_eq!(made.status, 201, "{}", made.json);
        made.json["key"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn without_credential(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// Sends a request with a login token; a null body is empty.
    pub(crate) async fn by(&self, token: &str, method: &str, path: &str, body: &Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let host = HeaderValue::from_static("localhost");
        request.headers_mut().entry(HOST).or_insert(host);
        self.send_as_it_is(request).await
    }

    /// Sends a request whose `Host` the test chooses.
    pub(crate) async fn send_as_it_is(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let is_endless = headers
            .get("content-type")
            .is_some_and(|kind| kind == "text/event-stream");
        let body = if is_endless {
            Bytes::new()
        } else {
            to_bytes(response.into_body(), 1 << 25).await.unwrap()
        };
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            json,
            body: body.to_vec(),
        }
    }

    /// Sends a request whose answer the test reads piece by piece.
    pub(crate) async fn open(&self, request: Request<Body>) -> http::Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request with the API key of the first team.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call_as(&self.key, method, path, body).await
    }

    pub(crate) async fn call_as(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-api-key", key)
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// Serves the application on a TCP port.
    pub(crate) async fn listen(&self) -> SocketAddr {
        self.listen_within(ListenerLimits::default()).await
    }

    pub(crate) async fn listen_within(&self, limits: ListenerLimits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.listen_on(listener, limits)
    }

    /// Serves the application on a listener that was bound before the application started.
    pub(crate) fn listen_on(&self, listener: TcpListener, limits: ListenerLimits) -> SocketAddr {
        let address = listener.local_addr().unwrap();
        let app = self.router.clone();
        self.tasks.spawn("listener", |stop| async move {
            Ok(serve_within(listener, app, stop, limits).await?)
        });
        address
    }

    /// Shuts the application down.
    pub(crate) fn stop(&self) {
        self.tasks.token().cancel();
    }

    /// The API key of another team without sandboxes.
    pub(crate) async fn stranger(&self) -> String {
        let stranger = self.sign_up("stranger@locule.test").await;
        self.new_key(&stranger.token, &json!({})).await
    }

    /// Creates a sandbox and returns its native id.
    pub(crate) async fn sandbox(&self) -> String {
        let made = self.call("POST", "/v1/sandboxes", "{}").await;
        assert_eq!(made.status, 201, "{}", made.json);
        made.json["id"].as_str().unwrap().to_owned()
    }
}
