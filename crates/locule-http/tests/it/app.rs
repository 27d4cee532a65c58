//! The application under test and how to talk to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use locule_base::clock::SystemClock;
use locule_base::tasks::Tasks;
use locule_control::{Bootstrap, Control, ControlConfig, HostLink, Secrets, bootstrap};
use locule_http::{AppState, HttpConfig, ListenerLimits, serve_within};
use locule_ids::SandboxId;
use serde_json::Value;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::host::Host;

pub(crate) const EMAIL: &str = "admin@locule.test";

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl Drop for App {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

pub(crate) struct App {
    router: Router,
    pool: PgPool,
    tasks: Tasks,
    pub(crate) host: Arc<Host>,
    pub(crate) key: String,
    pub(crate) password: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) body: Vec<u8>,
}

impl App {
    pub(crate) async fn start(pool: PgPool) -> Self {
        Self::start_within(pool, HttpConfig::default()).await
    }

    /// With other bounds of what clients may send.
    pub(crate) async fn start_within(pool: PgPool, http: HttpConfig) -> Self {
        let clock = SystemClock::shared();
        let admin = Secrets::random(EMAIL);
        let wanted = Bootstrap {
            admin: admin.clone(),
            host_address: "unix".to_owned(),
        };
        let id = bootstrap(&pool, &wanted, clock.now()).await.unwrap();
        let tasks = Tasks::new();
        let host = Host::start(&tasks);
        let link = HostLink {
            id,
            agent: host.clone(),
            connector: host.connector(),
        };
        let config = ControlConfig {
            platform_key: vec![1; 32],
            jwt_secret: vec![2; 32],
            limits: locule_domain::Limits::default(),
        };
        let control = Control::new(
            config,
            pool.clone(),
            clock.clone(),
            tasks.clone(),
            vec![link],
        );
        let state = AppState::new(control, tasks.clone(), clock, http);
        Self {
            router: locule_http::router(state).0,
            host,
            pool,
            tasks,
            key: admin.api_key,
            password: admin.password,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer {
            status,
            headers,
            json,
            body: body.to_vec(),
        }
    }

    /// With the team's key; an empty body is none.
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

    /// The application on a real port.
    pub(crate) async fn listen(&self) -> SocketAddr {
        self.listen_within(ListenerLimits::default()).await
    }

    pub(crate) async fn listen_within(&self, limits: ListenerLimits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = self.router.clone();
        self.tasks.spawn("listener", |stop| async move {
            Ok(serve_within(listener, app, stop, limits).await?)
        });
        address
    }

    /// Asks the role to stop.
    pub(crate) fn stop(&self) {
        self.tasks.token().cancel();
    }

    /// The key of another team, that has nothing.
    pub(crate) async fn stranger(&self) -> String {
        let key = format!("e2b_{}", "7".repeat(40));
        let team = SandboxId::random().as_uuid();
        sqlx::query(
            "INSERT INTO teams (id, name, slug, created_at) VALUES ($1, 'x', 'aaaaaa-bbbbbb', now())",
        )
        .bind(team)
        .execute(&self.pool)
        .await
        .unwrap();
        sqlx::query(
            "INSERT INTO team_api_keys (id, team_id, name, key_hash, key_prefix, created_at)
             VALUES ($1, $1, 'x', encode(sha256($2::bytea), 'hex'), 'e2b_777777', now())",
        )
        .bind(team)
        .bind(key.as_bytes())
        .execute(&self.pool)
        .await
        .unwrap();
        key
    }

    /// A new sandbox's id in the native form.
    pub(crate) async fn sandbox(&self) -> String {
        let made = self.call("POST", "/v1/sandboxes", "{}").await;
        assert_eq!(made.status, 201, "{}", made.json);
        made.json["id"].as_str().unwrap().to_owned()
    }
}
