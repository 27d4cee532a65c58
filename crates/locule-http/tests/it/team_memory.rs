//! The memory of the control plane against one team that holds as much of it as it can.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use locule_base::descriptors;
use locule_testkit::eventually;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::served::Served;

static FILLER: [u8; 64 * 1024] = [b'x'; 64 * 1024];
const MIB: usize = 1 << 20;
const UPLOADS: usize = 8;
const EXECS: usize = 512;
const GROWTH_MIB: u64 = 256;
/// A load that occupies less than this is not in place.
const LOAD_MIB: u64 = 100;

/// Connections whose requests are in progress.
type Clients = Vec<TcpStream>;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn one_team_cannot_fill_the_memory_of_the_control_plane(pool: PgPool) {
    descriptors::raise().unwrap();
    let served = Served::start(&pool).await;
    for _ in 0..8 {
        served.exec(&json!({ "cmd": "echo" })).await;
    }
    let before = served.private_mib();
    let mut peaks = Vec::new();
    for load in ["outputs", "answers", "requests"] {
        served.reset_peak();
        let began = std::time::Instant::now();
        let clients = match load {
            "outputs" => running_commands(&served).await,
            "answers" => unread_answers(&served).await,
            _ => large_requests(&served).await,
        };
        eventually("the load is in memory", async || {
            served.peak_mib() >= before + LOAD_MIB
        })
        .await;
        let steady = served.private_mib();
        drop(clients);
        let dropped = std::time::Instant::now();
        let took = dropped - began;
        let back = locule_testkit::comes_true(async || {
            served.private_mib() <= before + before / 10
        })
        .await;
        eprintln!("{load} back {back} now {}", served.private_mib());
        eprintln!("{load}: before {before} steady {steady} peak {} took {took:?} back {:?}", served.peak_mib(), dropped.elapsed());
        peaks.push((load, served.peak_mib()));
    }
    for (load, peak) in peaks {
        assert!(peak <= before + GROWTH_MIB, "{load}: {before} → {peak} MiB");
    }
    served.stop().await;
}

/// Eight uploads of 95 MiB that stall, and 512 commands that have printed and go on.
async fn running_commands(served: &Served) -> Clients {
    let mut uploads = join_all((0..UPLOADS).map(|_| upload(served, "file"))).await;
    let printing = json!({ "cmd": "flood", "args": ["65536"], "timeout_sec": 600 });
    let printed = served.guest.floods.load(std::sync::atomic::Ordering::SeqCst);
    let execs = stalled_meanwhile(&mut uploads, async {
        let execs = execs(served, EXECS, &printing).await;
        eventually("every command has printed", async || {
            let now = served.guest.floods.load(std::sync::atomic::Ordering::SeqCst);
            now - printed >= u32::try_from(EXECS).unwrap()
        })
        .await;
        execs
    })
    .await;
    let stalled = in_progress(&uploads);
    for u in &uploads { let mut b=[0;600]; let r = rustix::net::recv(u, &mut b, rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT); eprintln!("{r:?} {}", String::from_utf8_lossy(&b)); }
    assert!(stalled >= 1, "an upload stalls");
    let running = in_progress(&execs);
    eprintln!("stalled {stalled} running {running}");
    assert!(running >= EXECS * 9 / 10, "{running} commands run");
    uploads.extend(execs);
    uploads
}

/// 512 commands that have ended, eight of them with large outputs, whose clients do not read the answers.
async fn unread_answers(served: &Served) -> Clients {
    let mut uploads = join_all((0..UPLOADS).map(|_| upload(served, "path"))).await;
    let large = json!({ "cmd": "print", "args": [(15 * MIB).to_string()], "timeout_sec": 600 });
    let clients = stalled_meanwhile(&mut uploads, async {
        let mut clients = execs(served, 8, &large).await;
        eventually("the large answers begin", async || in_progress(&clients) == 0).await;
        let small = json!({ "cmd": "flood", "args": ["32768"], "timeout_sec": 600 });
        let starts = served.guest.starts.lock().unwrap().len();
        clients.extend(execs(served, EXECS - 8, &small).await);
        eventually("the commands run", async || {
            served.guest.starts.lock().unwrap().len() >= starts + EXECS - 8
        }).await;
        clients
    })
    .await;
    eprintln!("stalled {} unanswered {}", in_progress(&uploads), in_progress(&clients));
    uploads.extend(clients);
    uploads
}

/// 512 commands with arguments of 1 MiB, which the guest does not take.
async fn large_requests(served: &Served) -> Clients {
    served.proxy.silence();
    let argument = "x".repeat(100 * 1000);
    let arguments = vec![argument; 10];
    let large = json!({ "cmd": "echo", "args": arguments, "timeout_sec": 600 });
    let clients = execs(served, EXECS, &large).await;
    eprintln!("unanswered {}", in_progress(&clients));
    clients
}

/// Whether the server has not answered, for each connection.
fn in_progress(clients: &[TcpStream]) -> usize {
    let waits = |client: &&TcpStream| {
        let mut begun = [0];
        let peeked = rustix::net::recv(client, &mut begun, rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT);
        peeked.is_err()
    };
    clients.iter().filter(waits).count()
}

/// Runs `work` while the uploads send little, but not too little.
async fn stalled_meanwhile<T>(uploads: &mut [TcpStream], work: impl Future<Output = T>) -> T {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let send = async {
        loop {
            second.tick().await;
            for upload in &mut *uploads {
                // A refused upload is not read.
                upload.try_write(&FILLER[..4 * 1024]).ok();
            }
        }
    };
    tokio::select! {
        done = work => done,
        () = send => unreachable!(),
    }
}

/// An upload of 100 MiB that stalls after 95 MiB. Its part `first` comes first.
async fn upload(served: &Served, first: &str) -> TcpStream {
    let part = |name: &str| {
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n\r\n")
    };
    let before = match first {
        "path" => part("path") + "/stuck\r\n" + &part("file"),
        _ => part("file"),
    };
    let kind = "multipart/form-data; boundary=XX";
    let head = served.head("files/write", kind, 100 * MIB) + &before;
    let most = if first == "path" { 2 * MIB } else { 95 * MIB };
    sends(served.address, head.as_bytes(), most).await
}

async fn execs(served: &Served, count: usize, body: &Value) -> Clients {
    let body = body.to_string();
    let request = served.head("exec", "application/json", body.len()) + &body;
    join_all((0..count).map(|_| sends(served.address, request.as_bytes(), 0))).await
}

/// Sends the text, and so many bytes after it as the server takes.
async fn sends(address: SocketAddr, text: &[u8], bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text).await.unwrap();
    let mut left = bytes;
    while left > 0 {
        let now = left.min(FILLER.len());
        let sent = tokio::time::timeout(Duration::from_secs(3), stream.write_all(&FILLER[..now]));
        // The server has refused the upload, or does not read on.
        if !matches!(sent.await, Ok(Ok(()))) {
            break;
        }
        left -= now;
    }
    stream
}
