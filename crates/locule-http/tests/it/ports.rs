//! Requests to ports, addressed by header and by host name. Tests of raw bytes use a TCP socket.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use http::Request;
use locule_ids::SandboxId;
use locule_testkit::Call;
use serde_json::json;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::app::{Answer, App, EMAIL, PATIENCE};
use crate::raw::exchange;

/// Creates a sandbox over the E2B dialect: its ports are public.
async fn open_sandbox(app: &App, more: serde_json::Value) -> String {
    let mut body = json!({"templateID": "base"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let made = app.call("POST", "/v2/sandboxes", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.json);
    made.json["sandboxID"].as_str().unwrap().to_owned()
}

async fn visit(app: &App, id: &str, port: u16, path: &str) -> Answer {
    let request = Request::get(path)
        .header("e2b-sandbox-id", id)
        .header("e2b-sandbox-port", port);
    app.send(request.body(Body::empty()).unwrap()).await
}

/// How often the host was asked to resume a sandbox.
fn resumes(app: &App, id: &str) -> usize {
    let sandbox = SandboxId::from_base36(id).unwrap();
    app.host.asked(Call::Resume, sandbox)
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_error_bodies_of_ports_are_those_that_the_sdks_read(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, gone, paused) = (
        open_sandbox(&app, json!({})).await,
        open_sandbox(&app, json!({})).await,
        open_sandbox(&app, json!({})).await,
    );
    app.call("DELETE", &format!("/sandboxes/{gone}"), "").await;
    app.call("POST", &format!("/sandboxes/{paused}/pause"), "")
        .await;
    for id in [&gone, &paused] {
        let answer = visit(&app, id, 49983, "/health").await;
        assert_eq!(answer.status, 502);
        let body = json!({"sandboxId": id, "message": "The sandbox was not found", "code": 502});
        assert_eq!(answer.json, body);
    }
    let closed = visit(&app, &id, 81, "/").await;
    assert_eq!(closed.status, 502);
    let body = json!({"sandboxId": id, "message": "The sandbox is running but port is not open", "port": 81, "code": 502});
    assert_eq!(closed.json, body);
    assert_eq!(visit(&app, &id, 49983, "/health").await.status, 204);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_port_receives_the_request_without_the_credentials_of_the_platform(pool: PgPool) {
    // W-037
    let app = App::start(pool).await;
    let id = open_sandbox(&app, json!({})).await;
    let request = Request::post("/a%2Fb/?q=%20")
        .header("host", format!("8080-{}.localhost:8443", id.to_uppercase()))
        .header("x-api-key", &app.key)
        .header("authorization", format!("Bearer {}", app.key))
        .header("cookie", "theirs=1; locule_session=2")
        .header("connection", "close, x-hop")
        .header("x-hop", "1")
        .header("x-theirs", "1");
    let answer = app.send(request.body(Body::from("hello")).unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_slice()),
        (200, &b"hello"[..])
    );
    assert_eq!(answer.headers["x-theirs"], "1");
    assert!(!answer.headers.contains_key("keep-alive"));
    let arrived = app.guest.web_request.lock().unwrap().clone().unwrap();
    assert_eq!(
        (arrived.path.as_str(), arrived.body.as_slice()),
        ("/a%2Fb/?q=%20", &b"hello"[..])
    );
    for name in ["x-api-key", "authorization", "x-hop", "e2b-sandbox-id"] {
        assert!(!arrived.headers.contains_key(name), "{name}");
    }
    assert_eq!(arrived.headers["cookie"], "theirs=1");
    assert_eq!(arrived.headers["x-theirs"], "1");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_port_receives_foreign_tokens_and_no_token_of_the_platform(pool: PgPool) {
    // W-037
    let app = App::start(pool).await;
    let private = json!({"templateID": "base", "network": {"allowPublicTraffic": false}});
    let made = app
        .call("POST", "/v2/sandboxes", &private.to_string())
        .await;
    let text = |name: &str| made.json[name].as_str().unwrap().to_owned();
    let (id, traffic) = (text("sandboxID"), text("trafficAccessToken"));
    let session = app.login(EMAIL).await.token;
    let basic = STANDARD.encode(format!("user:{}", app.key));
    let foreign_jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmVk";
    for (name, value, passes) in [
        ("authorization", format!("Bearer {foreign_jwt}"), true),
        ("authorization", "bearer of-a-program".to_owned(), true),
        ("authorization", "Basic dXNlcjpwYXNz".to_owned(), true),
        ("x-access-token", "of-a-program".to_owned(), true),
        ("authorization", format!("Bearer {}", app.key), false),
        (
            "authorization",
            format!("Bearer e2b_{}", "7".repeat(40)),
            false,
        ),
        ("authorization", format!("Bearer {session}"), false),
        ("authorization", format!("Token token=\"{session}\""), false),
        (
            "authorization",
            format!("Bearer {}", text("envdAccessToken")),
            false,
        ),
        ("authorization", format!("Bearer {traffic}"), false),
        ("authorization", format!("Basic {basic}"), false),
        ("x-access-token", text("envdAccessToken"), false),
    ] {
        let request = Request::get("/x")
            .header("e2b-sandbox-id", &id)
            .header("e2b-sandbox-port", 8080)
            .header("e2b-traffic-access-token", &traffic)
            .header(name, &value);
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{value}");
        let arrived = app.guest.web_request.lock().unwrap().take().unwrap();
        let seen = arrived.headers.get(name);
        let seen = seen.map(|value| value.to_str().unwrap());
        assert_eq!(seen, passes.then_some(value.as_str()), "{name}: {value}");
    }
}

/// The host agent gives one address a share of a public port. A client that shows a credential has none, and no client chooses
/// its own address.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_host_is_told_the_address_of_a_visitor_without_a_credential(pool: PgPool) {
    let app = App::start_behind_proxy(pool, |_| {}).await;
    let open = open_sandbox(&app, json!({})).await;
    let private = open_sandbox(&app, json!({"network": {"allowPublicTraffic": false}})).await;
    for (id, key, told) in [
        (&open, None, Some("203.0.113.7")),
        (&private, Some(app.key.as_str()), None),
    ] {
        let request = Request::get("/")
            .header("e2b-sandbox-id", id)
            .header("e2b-sandbox-port", 8080)
            .header("x-forwarded-for", "198.51.100.9, 203.0.113.7")
            .header("locule-visitor", "192.0.2.1")
            .header("x-api-key", key.unwrap_or_default());
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        let arrived = app.guest.web_request.lock().unwrap().take().unwrap();
        let visitor = arrived.headers.get("locule-visitor");
        let visitor = visitor.map(|value| value.to_str().unwrap());
        assert_eq!(visitor, told, "{id}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_response_is_reset_and_not_ended_when_its_sandbox_is_lost(pool: PgPool) {
    let app = App::start(pool).await;
    let id = open_sandbox(&app, json!({})).await;
    let mut stream = TcpStream::connect(app.listen().await).await.unwrap();
    let request = format!("GET /hang HTTP/1.1\r\nHost: 8080-{id}.localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let read = async {
        while !said.ends_with(b"begun\r\n") {
            assert!(stream.read_buf(&mut said).await.unwrap() > 0);
        }
        app.proxy.break_streams();
        stream.read_to_end(&mut said).await.ok();
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(
        said.ends_with("begun\r\n"),
        "the response has a regular end: {said}"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_websocket_reaches_a_port_by_host_name(pool: PgPool) {
    let app = App::start(pool).await;
    let id = open_sandbox(&app, json!({})).await;
    let url = format!("ws://{}/ws", app.listen().await);
    let mut request = url.into_client_request().unwrap();
    let host = format!("8080-{id}.localhost");
    request.headers_mut().insert("host", host.parse().unwrap());
    let talk = async {
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        socket.send(Message::text("ping")).await.unwrap();
        socket.next().await.unwrap().unwrap()
    };
    let heard = tokio::time::timeout(PATIENCE, talk).await.unwrap();
    assert_eq!(heard, Message::text("ping"));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn concurrent_requests_resume_a_sandbox_with_automatic_resume_once(pool: PgPool) {
    let app = App::start(pool).await;
    let wakes = open_sandbox(&app, json!({"autoResume": {"enabled": true}})).await;
    app.call("POST", &format!("/sandboxes/{wakes}/pause"), "")
        .await;
    let visits = futures::future::join_all((0..8).map(|_| visit(&app, &wakes, 8080, "/x"))).await;
    for visit in visits {
        assert_eq!(visit.status, 200, "{}", visit.json);
    }
    assert_eq!(resumes(&app, &wakes), 1);
    let seen = app.call("GET", &format!("/sandboxes/{wakes}"), "").await;
    assert_eq!(seen.json["state"], "running");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_request_without_access_does_not_resume_a_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let more = json!({"autoResume": {"enabled": true}, "network": {"allowPublicTraffic": false}});
    let id = open_sandbox(&app, more).await;
    app.call("POST", &format!("/sandboxes/{id}/pause"), "")
        .await;
    assert_eq!(visit(&app, &id, 8080, "/x").await.status, 403);
    let stranger = app.stranger().await;
    let request = Request::get("/x")
        .header("e2b-sandbox-id", &id)
        .header("e2b-sandbox-port", "8080")
        .header("x-api-key", stranger);
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(resumes(&app, &id), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn tunnels_and_incomplete_addresses_are_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let id = open_sandbox(&app, json!({})).await;
    let said = exchange(
        app.listen().await,
        &format!("CONNECT x:1 HTTP/1.1\r\nHost: 8080-{id}.localhost\r\nConnection: close\r\n\r\n"),
    )
    .await;
    assert!(said.starts_with("HTTP/1.1 405"), "{said}");
    for (host, status) in [
        (format!("70000-{id}.localhost"), 400),
        ("80-nope.localhost".to_owned(), 502),
        (format!("0-{id}.localhost"), 400),
    ] {
        let request = Request::get("/").header("host", &host);
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{host}");
        assert_eq!(answer.json["code"], status, "{host}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_preflight_request_of_a_browser_is_answered(pool: PgPool) {
    let app = App::start(pool).await;
    let requested = "authorization,x-access-token,e2b-sandbox-id,connect-protocol-version";
    let request = Request::options("/process.Process/Start")
        .header("origin", "https://page.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", requested);
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.headers["access-control-allow-headers"], requested);
}
