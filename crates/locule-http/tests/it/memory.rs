//! The memory of the control plane against clients without a credential that hold as much of it as they can.

use std::net::SocketAddr;

use locule_testkit::eventually;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::served::Served;

static FILLER: [u8; 64 * 1024] = [b'x'; 64 * 1024];
const EACH: usize = 200;

/// The number of connections with bytes that the server has not read yet.
pub(crate) fn unread(address: SocketAddr) -> usize {
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let local = format!(":{:04X}", address.port());
    let rows = table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_server = fields.next()?.ends_with(&local);
        let queues = fields.nth(2)?;
        Some(is_server && !queues.ends_with(":00000000"))
    });
    rows.filter(|has_unread| *has_unread).count()
}

async fn sends(address: SocketAddr, head: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut left = bytes;
    while left > 0 {
        let now = left.min(FILLER.len());
        // A connection that the server has refused meanwhile holds nothing.
        if stream.write_all(&FILLER[..now]).await.is_err() {
            break;
        }
        left -= now;
    }
    stream
}

/// A WebSocket without a credential that sends as much of one frame as the server takes.
async fn socket(address: SocketAddr) -> TcpStream {
    let id = locule_ids::SandboxId::random();
    let head = format!(
        "GET /v1/sandboxes/{id}/exec/stream HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    let mut stream = sends(address, &head, 0).await;
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 101");
    let frame = [0x81, 0xff, 0, 0, 0, 0, 0, 0x1e, 0, 0, 1, 2, 3, 4];
    stream.write_all(&frame).await.unwrap();
    while let Ok(sent) = stream.try_write(&FILLER) {
        if sent < FILLER.len() {
            break;
        }
    }
    stream
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn clients_without_a_credential_cannot_fill_the_memory_of_the_control_plane(pool: PgPool) {
    // Each body comes from another address: none is refused for the rate of its address.
    let forwarded = ("LOCULE__HTTP__TRUST_FORWARDED_FOR", "true");
    let served = Served::start_with(&pool, &[forwarded]).await;
    drop(socket(served.address).await);
    let before = served.private_mib();
    served.reset_peak();

    let clients = clients(served.address).await;
    eventually("the server has read what it reads", async || {
        unread(served.address) <= EACH
    })
    .await;
    drop(clients);
    eventually("the memory is given back", async || {
        served.private_mib() <= before + before / 10 + 4
    })
    .await;
    let peak = served.peak_mib();
    assert!(peak <= before + 64, "{before} → {peak} MiB");
    served.stop().await;
}

/// What clients without a credential hold.
async fn clients(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    let header = format!("X-Filler: {}\r\n", "x".repeat(500));
    let heads = format!(
        "GET /health HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        header.repeat(99)
    );
    let slow = "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Filler: ";
    let body = |number: usize| {
        format!(
            "POST /v1/auth/login HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.{number}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            FILLER.len()
        )
    };
    for number in 0..EACH {
        clients.push(sends(address, &heads, 0).await);
        clients.push(sends(address, slow, 60 * 1024).await);
        clients.push(sends(address, &body(number), FILLER.len() - 1).await);
        clients.push(socket(address).await);
    }
    clients
}
