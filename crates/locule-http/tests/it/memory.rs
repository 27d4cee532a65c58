//! The memory of the control plane against clients that hold as much of it as they can.
//!
//! Clients and simulated host run in the same process and add little: clients send from one static buffer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use locule_base::clock::{Clock as _, SystemClock};
use locule_base::memory::{give_back, kibibytes};
use locule_control::Rate;
use locule_testkit::eventually;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::app::App;

static FILLER: [u8; 64 * 1024] = [b'x'; 64 * 1024];
const EACH: usize = 200;
const UPLOADS: usize = 8;
const UPLOAD_BYTES: usize = 95 << 20;
const EXECS: usize = 512;
const OUTPUT_BYTES: usize = 4 << 20;

/// Memory of the process that is not backed by a file, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    kibibytes(&status, "RssAnon:").unwrap() / 1024
}

/// Bytes that the server has not read yet, of the connections that have such bytes.
fn unread(address: SocketAddr) -> usize {
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
        "GET /v1/sandboxes/{id}/exec/stream HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
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
async fn clients_cannot_fill_the_memory_of_the_control_plane(pool: PgPool) {
    locule_base::descriptors::raise().unwrap();
    let app = App::start_with(pool, |config| {
        // Every body is awaited: none is refused for its rate.
        config.accounts.rates.login_by_address = Rate {
            count: 1_000_000,
            per: Duration::from_mins(1),
        };
    })
    .await;
    let address = app.listen().await;
    let id = app.sandbox().await;
    let other = Other::start(&app).await;
    drop(socket(address).await);
    other.works(&app, 3).await;
    give_back();
    let before = resident();

    let strangers = strangers(address).await;
    eventually("the server has read what it reads", async || {
        unread(address) <= EACH
    })
    .await;
    let with_strangers = resident();
    drop(strangers);

    let clients = one_team(&app, address, &id).await;
    let with_team = resident();
    let worst = other.works(&app, 20).await;
    drop(clients);
    let mut after = 0;
    eventually("the memory is given back", async || {
        give_back();
        after = resident();
        after <= before + before / 10 + 4
    })
    .await;
    println!(
        "MiB: {before} before, {with_strangers} with strangers, {with_team} with one team, {after} after; \
         another team's slowest create and exec meanwhile: {worst:?}"
    );
    assert!(
        with_strangers <= before + 64,
        "{before} → {with_strangers} MiB"
    );
    assert!(with_team <= before + 256, "{before} → {with_team} MiB");
}

/// What clients without a credential hold.
async fn strangers(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    let header = format!("X-Filler: {}\r\n", "x".repeat(500));
    let heads = format!(
        "GET /health HTTP/1.1\r\nHost: x\r\n{}\r\n",
        header.repeat(99)
    );
    let slow = "GET /health HTTP/1.1\r\nHost: x\r\nX-Filler: ";
    let body = format!(
        "POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        FILLER.len()
    );
    for _ in 0..EACH {
        clients.push(sends(address, &heads, 0).await);
        clients.push(sends(address, slow, 60 * 1024).await);
        clients.push(sends(address, &body, FILLER.len() - 1).await);
        clients.push(socket(address).await);
    }
    clients
}

/// What one account holds: uploads that stall, and commands that print and run on.
async fn one_team(app: &App, address: SocketAddr, id: &str) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    let (sent, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let key = &app.key;
    let part = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n";
    let upload = format!(
        "POST /v1/sandboxes/{id}/files/write HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\
         Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: {}\r\n\r\n{part}",
        UPLOAD_BYTES + 4096
    );
    for _ in 0..UPLOADS {
        let (upload, sent) = (upload.clone(), sent.clone());
        clients.spawn(async move {
            let _stalled = sends(address, &upload, UPLOAD_BYTES).await;
            sent.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        });
    }
    let body = json!({ "cmd": "flood", "args": [OUTPUT_BYTES.to_string()] }).to_string();
    let exec = format!(
        "POST /v1/sandboxes/{id}/exec HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for _ in 0..EXECS {
        let (exec, answered) = (exec.clone(), answered.clone());
        clients.spawn(async move {
            let mut stream = sends(address, &exec, 0).await;
            let mut begun = [0; 12];
            stream.read_exact(&mut begun).await.unwrap();
            assert_eq!(&begun, b"HTTP/1.1 429");
            answered.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        });
    }
    let floods = &app.guest.floods;
    eventually(
        "every upload has stalled, every command has printed",
        async || {
            let done = answered.load(Ordering::SeqCst) + floods.load(Ordering::SeqCst) as usize;
            sent.load(Ordering::SeqCst) == UPLOADS && done >= EXECS
        },
    )
    .await;
    clients
}

/// Another team, which works meanwhile.
struct Other {
    key: String,
}

impl Other {
    async fn start(app: &App) -> Self {
        Self {
            key: app.stranger().await,
        }
    }

    /// Creates sandboxes, runs a command in each and destroys them. Returns the slowest round.
    async fn works(&self, app: &App, rounds: usize) -> Duration {
        let clock = SystemClock::new();
        let mut worst = Duration::ZERO;
        for _ in 0..rounds {
            let began = clock.monotonic();
            let made = app.call_as(&self.key, "POST", "/v1/sandboxes", "{}").await;
            assert_eq!(made.status, 201, "{}", made.json);
            let path = format!("/v1/sandboxes/{}", made.json["id"].as_str().unwrap());
            let body = json!({ "cmd": "echo", "args": ["hello"] }).to_string();
            let ran = app
                .call_as(&self.key, "POST", &format!("{path}/exec"), &body)
                .await;
            assert_eq!(ran.status, 200, "{}", ran.json);
            worst = worst.max(clock.monotonic().saturating_sub(began));
            let gone = app.call_as(&self.key, "DELETE", &path, "").await;
            assert_eq!((gone.status.as_u16(), gone.json), (204, Value::Null));
        }
        worst
    }
}
