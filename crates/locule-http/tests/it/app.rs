//! The application under test and how to talk to it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use locule_agent_api::Connector;
use locule_base::clock::SystemClock;
use locule_base::tasks::Tasks;
use locule_control::{Bootstrap, Control, ControlConfig, HostLink, Secrets, bootstrap};
use locule_http::{AppState, HttpConfig};
use serde_json::Value;
use sqlx::PgPool;
use tower::ServiceExt as _;

use crate::host::Host;

pub(crate) const EMAIL: &str = "admin@locule.test";

pub(crate) struct App {
    router: Router,
    pub(crate) host: Arc<Host>,
    pub(crate) key: String,
    pub(crate) password: String,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl App {
    pub(crate) async fn start(pool: PgPool) -> Self {
        let clock = SystemClock::shared();
        let admin = Secrets::random(EMAIL);
        let wanted = Bootstrap {
            admin: admin.clone(),
            host_address: "unix".to_owned(),
        };
        let id = bootstrap(&pool, &wanted, clock.now()).await.unwrap();
        let host = Arc::new(Host::default());
        let link = HostLink {
            id,
            agent: host.clone(),
            connector: Connector::Unix("/nowhere/agent.sock".into()),
        };
        let config = ControlConfig {
            platform_key: vec![1; 32],
            jwt_secret: vec![2; 32],
            limits: locule_domain::Limits::default(),
        };
        let tasks = Tasks::new();
        let control = Control::new(config, pool, clock.clone(), tasks.clone(), vec![link]);
        let state = AppState::new(control, tasks, clock, HttpConfig::default());
        Self {
            router: locule_http::router(state).0,
            host,
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
        }
    }

    /// With the team's key; an empty body is none.
    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-api-key", &self.key)
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// A new sandbox's id in the native form.
    pub(crate) async fn sandbox(&self) -> String {
        let made = self.call("POST", "/v1/sandboxes", "{}").await;
        assert_eq!(made.status, 201, "{}", made.json);
        made.json["id"].as_str().unwrap().to_owned()
    }
}
