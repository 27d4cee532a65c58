//! What one address, one connection and one team may hold: connections, bodies, requests.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use locule_control::Rate;
use locule_http::{HttpConfig, ListenerLimits};
use locule_testkit::eventually;
use serde_json::json;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{App, PATIENCE};

async fn sent(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.ok();
    stream
}

/// The status of the answer; 0 when the server closes the connection without one.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut begun = [0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut begun)).await;
    if read.expect("an answer or a close in time").is_err() {
        return 0;
    }
    String::from_utf8_lossy(&begun[9..]).parse().unwrap()
}

fn upgrade(path: &str, header: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{header}\r\n"
    )
}

const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn login(length: usize) -> String {
    format!(
        "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn one_address_cannot_take_all_connections_and_an_upgraded_one_counts_until_its_end(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let limits = ListenerLimits {
        address_connections_max: 3,
        ..ListenerLimits::default()
    };
    let address = app.listen_within(limits).await;
    let path = format!("/v1/sandboxes/{id}/exec/stream");
    let key = format!("X-API-Key: {}\r\n", app.key);
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = sent(address, &upgrade(&path, &key)).await;
        assert_eq!(status(&mut socket).await, 101);
        sockets.push(socket);
    }
    let refused = status(&mut sent(address, HEALTH).await).await;
    assert!([0, 429].contains(&refused), "{refused}");
    sockets.pop();
    eventually("the closed connection frees a place", async || {
        status(&mut sent(address, HEALTH).await).await == 200
    })
    .await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn behind_a_proxy_requests_are_counted_by_the_forwarded_address(pool: PgPool) {
    let app = App::start(pool).await;
    let limits = ListenerLimits {
        address_connections_max: 1,
        trust_forwarded_for: true,
        ..ListenerLimits::default()
    };
    let address = app.listen_within(limits).await;
    let from = |client: &str, head: &str| {
        let forwarded = format!("HTTP/1.1\r\nX-Forwarded-For: 10.0.0.9, {client}\r\n");
        head.replace("HTTP/1.1\r\n", &forwarded)
    };
    // The first request of the client stays in progress: its body does not end.
    let mut first = sent(address, &from("192.0.2.1", &login(100))).await;
    let mut statuses = Vec::new();
    eventually("the client's second request is refused", async || {
        let second = status(&mut sent(address, &from("192.0.2.1", HEALTH)).await).await;
        statuses.push(second);
        second == 429
    })
    .await;
    let other = status(&mut sent(address, &from("192.0.2.2", HEALTH)).await).await;
    assert_eq!(other, 200);
    first.write_all(&[b' '; 100]).await.unwrap();
    assert_eq!(status(&mut first).await, 400);
    eventually("the end of the first frees a place", async || {
        status(&mut sent(address, &from("192.0.2.1", HEALTH)).await).await == 200
    })
    .await;
}

/// Bodies that stall are connections that serve no client: the limit on quiet connections evicts them.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn connections_whose_request_bodies_stall_are_evicted(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.accounts.rates.login_by_address = Rate {
            count: 1_000_000,
            per: Duration::from_mins(1),
        };
    })
    .await;
    let limits = ListenerLimits {
        idle_max: 4,
        ..ListenerLimits::default()
    };
    let address = app.listen_within(limits).await;
    let begun = login(100) + "{";
    let mut stalled = join_all((0..40).map(|_| sent(address, &begun))).await;
    let mut answer = Vec::new();
    let read = stalled[0].read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.unwrap().ok();
    assert!(answer.is_empty(), "closed without an answer");
    assert_eq!(status(&mut sent(address, HEALTH).await).await, 200);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_rate_of_an_address_is_checked_before_the_body_is_read(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.accounts.rates.reset_by_address = Rate {
            count: 1,
            per: Duration::from_mins(10),
        };
    })
    .await;
    let address = app.listen().await;
    let reset = |length: usize| login(length).replace("auth/login", "me/password/reset");
    let body = r#"{"email":"a@b.test"}"#;
    let first = reset(body.len()) + body;
    assert_eq!(status(&mut sent(address, &first).await).await, 204);
    // Not a byte of the body arrives.
    assert_eq!(status(&mut sent(address, &reset(1000)).await).await, 429);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn bodies_of_operations_on_accounts_are_small(pool: PgPool) {
    let app = App::start(pool).await;
    let large = json!({ "email": "a@b.test", "password": "x".repeat(65 * 1024) });
    for path in ["/v1/auth/login", "/v1/auth/signup", "/v1/me/password/reset"] {
        let answer = app.without_credential("POST", path, &large).await;
        assert_eq!(answer.status, 413, "{path}");
        assert_eq!(answer.json["error"]["code"], "too_large", "{path}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_wrong_credential_is_refused_before_the_upgrade(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, address) = (app.sandbox().await, app.listen().await);
    for rest in ["exec/stream", "processes/1/stream", "pty"] {
        let path = format!("/v1/sandboxes/{id}/{rest}");
        for header in ["X-API-Key: x\r\n", "Authorization: Bearer x\r\n"] {
            let mut stream = sent(address, &upgrade(&path, header)).await;
            assert_eq!(status(&mut stream).await, 401, "{rest} {header}");
        }
    }
}

/// A message of 2 MiB is accepted from an authenticated client only.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_unauthenticated_socket_is_read_to_4_kib(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, address) = (app.sandbox().await, app.listen().await);
    let path = format!("/v1/sandboxes/{id}/exec/stream");
    let mut socket = sent(address, &upgrade(&path, "")).await;
    assert_eq!(status(&mut socket).await, 101);
    // A text frame of 8 KiB, whole: the server does not read its end, so that the client is not heard in time.
    let mut frame = vec![0x81, 0xfe, 0x20, 0, 0, 0, 0, 0];
    let auth = json!({ "type": "auth", "token": app.key, "filler": "x".repeat(8192) });
    frame.extend_from_slice(&auth.to_string().as_bytes()[..8192]);
    socket.write_all(&frame).await.unwrap();
    let mut said = Vec::new();
    let read = socket.read_to_end(&mut said);
    tokio::time::timeout(PATIENCE, read).await.unwrap().ok();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("no message arrived in time"), "{said}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn requests_in_progress_are_limited_for_each_team_and_sockets_are_among_them(pool: PgPool) {
    let config = HttpConfig {
        team_requests_max: 2,
        ..HttpConfig::default()
    };
    let app = App::start_within(pool, config).await;
    let (id, address) = (app.sandbox().await, app.listen().await);
    let path = format!("/v1/sandboxes/{id}/exec/stream");
    let request = |key: &str| upgrade(&path, &format!("X-API-Key: {key}\r\n"));
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let mut socket = sent(address, &request(&app.key)).await;
        assert_eq!(status(&mut socket).await, 101);
        sockets.push(socket);
    }
    let get = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: ",
        "/v1/sandboxes"
    );
    let of = |key: &str| format!("{get}{key}\r\n\r\n");
    assert_eq!(
        status(&mut sent(address, &request(&app.key)).await).await,
        429
    );
    assert_eq!(status(&mut sent(address, &of(&app.key)).await).await, 429);
    let stranger = app.stranger().await;
    assert_eq!(status(&mut sent(address, &of(&stranger)).await).await, 200);
    sockets.pop();
    eventually("the closed socket frees a place", async || {
        status(&mut sent(address, &of(&app.key)).await).await == 200
    })
    .await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn outputs_and_uploads_beyond_the_memory_of_the_team_are_refused(pool: PgPool) {
    let config = HttpConfig {
        team_memory_bytes_max: 1024 * 1024,
        ..HttpConfig::default()
    };
    let app = App::start_within(pool, config).await;
    let id = app.sandbox().await;
    let exec = |bytes: usize| json!({ "cmd": "flood", "args": [bytes.to_string()] }).to_string();
    let path = format!("/v1/sandboxes/{id}/exec");
    let refused = app.call("POST", &path, &exec(2 << 20)).await;
    assert_eq!(refused.status, 429, "{}", refused.json);
    assert_eq!(refused.json["error"]["code"], "rate_limited");
    assert_eq!(refused.headers["retry-after"], "5");
    // The command was killed.
    let signals = &app.guest.signals;
    eventually("the kill", async || signals.lock().unwrap().contains(&9)).await;
    let upload = |bytes: usize| {
        let part = |name: &str, text: &str| {
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let file = "x".repeat(bytes);
        let body = part("file", &file) + &part("path", "/a") + "--XX--";
        http::Request::post(format!("/v1/sandboxes/{id}/files/write"))
            .header("x-api-key", &app.key)
            .header("content-type", "multipart/form-data; boundary=XX")
            .body(body.into())
            .unwrap()
    };
    assert_eq!(app.send(upload(2 << 20)).await.status, 429);
    assert_eq!(app.send(upload(900 << 10)).await.status, 204);
    assert_eq!(app.guest.files.lock().unwrap()["/a"].len(), 900 << 10);
}

#[test]
fn a_process_with_few_descriptors_serves_fewer_connections() {
    let few = ListenerLimits::default().within_descriptors(1024);
    assert_eq!(
        (
            few.connections_max,
            few.idle_max,
            few.address_connections_max
        ),
        (448, 224, 448)
    );
    let many = ListenerLimits::default().within_descriptors(65_536);
    assert_eq!(
        (
            many.connections_max,
            many.idle_max,
            many.address_connections_max
        ),
        (8192, 512, 1024)
    );
}
