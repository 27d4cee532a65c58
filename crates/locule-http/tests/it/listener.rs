//! The listener against clients that are slow, silent or many.

use std::net::SocketAddr;
use std::time::Duration;

use locule_edge::HEADERS_MAX;
use locule_http::ListenerLimits;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{App, PATIENCE};

const REQUEST: &[u8] = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Reads to the end of the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = stream.read_to_end(&mut said);
    tokio::time::timeout(PATIENCE, read).await.unwrap().ok();
    String::from_utf8_lossy(&said).into_owned()
}

async fn answered(stream: &mut TcpStream) -> bool {
    stream.write_all(REQUEST).await.unwrap();
    let mut begun = [0; 12];
    let read = stream.read_exact(&mut begun);
    let read = tokio::time::timeout(PATIENCE, read).await.unwrap();
    read.is_ok() && begun == *b"HTTP/1.1 200"
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

#[test]
fn the_default_timeouts_of_the_listener_are_the_documented_ones() {
    let limits = ListenerLimits::default();
    assert_eq!(
        (limits.head_timeout.as_secs(), limits.idle_timeout.as_secs()),
        (10, 620)
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_connection_with_an_incomplete_request_head_is_closed(pool: PgPool) {
    let app = App::start(pool).await;
    let limits = ListenerLimits {
        head_timeout: Duration::from_millis(100),
        ..ListenerLimits::default()
    };
    let address = app.listen_within(limits).await;
    let mut silent = connect(address).await;
    assert_eq!(rest(&mut silent).await, "");
    let mut slow = connect(address).await;
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    let drip = async {
        // Each byte arrives in time, but the head never ends.
        while slow.write_all(b"GET /").await.is_ok() {
            pace.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, drip).await.unwrap();
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_idle_timeout_is_independent_of_the_head_timeout(pool: PgPool) {
    let app = App::start(pool).await;
    let limits = ListenerLimits {
        head_timeout: Duration::from_millis(100),
        idle_timeout: Duration::from_mins(10),
        ..ListenerLimits::default()
    };
    let address = app.listen_within(limits).await;
    let mut kept = connect(address).await;
    assert!(answered(&mut kept).await);
    // Waits until a silent connection is closed, which takes the head timeout.
    assert_eq!(rest(&mut connect(address).await).await, "");
    kept.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let said = rest(&mut kept).await;
    assert!(said.contains("}HTTP/1.1 "), "a second answer: {said}");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_idle_connection_is_closed_after_the_idle_timeout(pool: PgPool) {
    let app = App::start(pool).await;
    let limits = ListenerLimits {
        idle_timeout: Duration::from_millis(100),
        ..ListenerLimits::default()
    };
    let mut kept = connect(app.listen_within(limits).await).await;
    assert!(answered(&mut kept).await);
    assert!(!rest(&mut kept).await.is_empty(), "the rest of the answer");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn request_heads_are_limited_in_bytes_and_in_count_of_headers(pool: PgPool) {
    let app = App::start(pool).await;
    let address = app.listen().await;
    let large = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(100 * 1024));
    let many = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(count));
    let barely = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    for head in [large, barely, long, many(HEADERS_MAX + 1)] {
        let mut stream = connect(address).await;
        // The server may answer and close before the whole head is sent.
        stream.write_all(head.as_bytes()).await.ok();
        let mut begun = [0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut begun))
            .await
            .unwrap()
            .unwrap();
        let shown: String = head.chars().take(30).collect();
        let begun = String::from_utf8_lossy(&begun);
        assert_eq!(begun, "HTTP/1.1 431", "{shown} … {} bytes", head.len());
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_flood_of_half_open_connections_does_not_block_new_requests(pool: PgPool) {
    let app = App::start(pool).await;
    let limits = ListenerLimits {
        // Only the connection limit can close one of them.
        head_timeout: Duration::from_mins(10),
        idle_max: 16,
        ..ListenerLimits::default()
    };
    let address = app.listen_within(limits).await;
    let mut flood = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(address).await;
        stream.write_all(b"GET / HT").await.unwrap();
        flood.push(stream);
    }
    assert!(answered(&mut connect(address).await).await);
    // The oldest connection was closed.
    assert_eq!(rest(&mut flood[0]).await, "");
}
