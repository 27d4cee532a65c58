//! The TLS listener for host agents on other machines, with the agents' side of TLS.

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use locule_agent_api::http1::{ExchangeBody, exchange};
use locule_agent_api::tls::rustls::time_provider::DefaultTimeProvider;
use locule_agent_api::tls::{CaPin, ControlTrust, control_client, dial_control};
use locule_base::clock::SystemClock;
use locule_base::handshakes::HandshakeLimits;
use locule_base::tasks::Tasks;
use locule_control::HostCertificates;
use locule_http::{AppState, HttpConfig, serve_hosts};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::{TcpListener, TcpStream};

use crate::app::App;
use crate::host_agents::CSR;

struct Listener {
    address: String,
    pin: CaPin,
    tasks: Tasks,
}

impl Listener {
    async fn start(app: &App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let pin = app.control.hosts.config().certificates.pin();
        let tasks = Tasks::new();
        let clock = SystemClock::shared();
        let state = AppState::new(
            app.control.clone(),
            tasks.clone(),
            clock,
            HttpConfig::default(),
        );
        tasks.spawn("host agents", |stop| async move {
            serve_hosts(listener, state, HandshakeLimits::default(), stop).await;
            Ok(())
        });
        Self {
            address,
            pin,
            tasks,
        }
    }

    /// Sends a request as an agent that knows the control plane by a hash.
    async fn call(
        &self,
        pin: CaPin,
        method: &str,
        path: &str,
        body: &Value,
    ) -> std::io::Result<Response<ExchangeBody>> {
        let trust = ControlTrust::Pin(pin);
        let tls = control_client(trust, Arc::new(DefaultTimeProvider)).unwrap();
        let stream = TcpStream::connect(&self.address).await?;
        let stream = dial_control(Arc::new(tls), stream).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.address)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())));
        let answered = exchange(stream, request.unwrap()).await;
        answered.map_err(std::io::Error::other)
    }
}

/// W-036, B-111.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_agent_registers_with_the_url_the_hash_of_the_ca_and_a_token(pool: PgPool) {
    let app = App::start(pool).await;
    let listener = Listener::start(&app).await;
    let kind = json!({ "type": "regular" });
    let made = app.by(&app.token, "POST", "/v1/hosts", &kind).await.json;
    assert_eq!(made["ca_hash"], json!(listener.pin.to_string()));
    let body = json!({
        "token": made["registration_token"], "address": "10.0.0.7:50051", "csr_pem": CSR,
    });
    let path = "/v1/hosts/register";
    let other = HostCertificates::new(b"another platform", SystemClock::shared()).unwrap();
    let refused = listener.call(other.pin(), "POST", path, &body).await;
    refused.unwrap_err();

    let registered = listener
        .call(listener.pin, "POST", path, &body)
        .await
        .unwrap();
    assert_eq!(registered.status(), 201);
    let text = registered.into_body().collect().await.unwrap().to_bytes();
    let credentials: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(credentials["host"]["id"], made["host"]["id"]);
    assert!(credentials["cert_pem"].is_string());
    let refresh = json!({ "refresh_token": credentials["refresh_token"], "csr_pem": CSR });
    let path = "/v1/hosts/auth/refresh";
    let refreshed = listener
        .call(listener.pin, "POST", path, &refresh)
        .await
        .unwrap();
    assert_eq!(refreshed.status(), 200);
    for (path, status) in [("/v1/hosts/images", 401), ("/v1/hosts/images/0", 401)] {
        let refused = listener.call(listener.pin, "GET", path, &json!({})).await;
        assert_eq!(refused.unwrap().status(), status, "{path}");
    }
    listener.tasks.token().cancel();
}

/// Nothing of the API but the operations of host agents.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_listener_for_host_agents_serves_nothing_else(pool: PgPool) {
    let app = App::start(pool).await;
    let listener = Listener::start(&app).await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/v1/info"),
        ("POST", "/v1/hosts"),
        ("GET", "/v1/hosts"),
        ("GET", "/v1/hosts/register"),
        ("POST", "/v1/auth/login"),
    ] {
        let answer = listener.call(listener.pin, method, path, &json!({})).await;
        assert_eq!(answer.unwrap().status(), 404, "{method} {path}");
    }
    listener.tasks.token().cancel();
}
