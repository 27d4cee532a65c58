//! The memory of the control plane against one team that holds as much of it as it can.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use locule_base::descriptors;
use locule_testkit::eventually;
use rustix::net::RecvFlags;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::memory::unread;
use crate::served::Served;

static FILLER: [u8; 64 * 1024] = [b'x'; 64 * 1024];
const MIB: usize = 1 << 20;
const UPLOADS: usize = 8;
const EXECS: usize = 512;
const GROWTH_MIB: u64 = 256;
/// A load that occupies less than this is not in place.
const LOAD_MIB: u64 = 80;

/// Connections whose requests are in progress.
type Clients = Vec<TcpStream>;

/// Applies the load, measures, takes the load away, and measures again.
async fn measured(served: &Served, load: impl Future<Output = Clients>) {
    let before = served.private_mib();
    served.reset_peak();
    let clients = load.await;
    eventually("the load is in memory", async || {
        served.peak_mib() >= before + LOAD_MIB
    })
    .await;
    drop(clients);
    let peak = served.peak_mib();
    assert!(peak <= before + GROWTH_MIB, "{before} → {peak} MiB");
    eventually("the memory is given back", async || {
        served.private_mib() <= before + before / 10
    })
    .await;
}

async fn warmed_up(pool: &PgPool) -> Served {
    descriptors::raise().unwrap();
    let served = Served::start(pool).await;
    for _ in 0..8 {
        served.exec(&json!({ "cmd": "echo" })).await;
    }
    served
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn stalled_uploads_and_running_commands_of_a_team_do_not_fill_the_memory(pool: PgPool) {
    let served = warmed_up(&pool).await;
    measured(&served, running_commands(&served)).await;
    served.stop().await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn answers_that_a_team_does_not_read_do_not_fill_the_memory(pool: PgPool) {
    let served = warmed_up(&pool).await;
    measured(&served, unread_answers(&served)).await;
    served.stop().await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn requests_that_a_guest_does_not_take_do_not_fill_the_memory(pool: PgPool) {
    let served = warmed_up(&pool).await;
    measured(&served, large_requests(&served)).await;
    served.stop().await;
}

/// 512 commands that have printed and go on, and eight uploads of 95 MiB that stall.
async fn running_commands(served: &Served) -> Clients {
    let printing = json!({ "cmd": "flood", "args": ["65536"], "timeout_sec": 600 });
    let printed = || served.guest.floods.load(Ordering::SeqCst);
    let before = printed();
    let execs = execs(served, EXECS, &printing).await;
    eventually("every command has printed", async || {
        printed() - before >= u32::try_from(EXECS).unwrap()
    })
    .await;
    // The team's budget is enough for one of them. When they fill it together, all of them are refused.
    let mut uploads = vec![held_upload(served).await];
    eventually("the server holds the first upload", async || {
        unread(served.address) == 0
    })
    .await;
    for _ in 1..UPLOADS {
        uploads.push(held_upload(served).await);
    }
    let stalled = in_progress(&uploads);
    assert!(stalled >= 1, "no upload stalls: {:?}", answers(&uploads));
    let running = in_progress(&execs);
    assert!(running >= EXECS * 9 / 10, "{running} commands run");
    uploads.extend(execs);
    uploads
}

/// 512 commands that have ended, eight of them with large outputs, whose clients do not read the answers.
async fn unread_answers(served: &Served) -> Clients {
    let mut uploads = join_all((0..UPLOADS).map(|_| streamed_upload(served))).await;
    let large = json!({ "cmd": "print", "args": [(15 * MIB).to_string()], "timeout_sec": 600 });
    let clients = stalled_meanwhile(&mut uploads, async {
        let mut clients = execs(served, UPLOADS, &large).await;
        eventually("the large answers begin", async || {
            in_progress(&clients) == 0
        })
        .await;
        let small = json!({ "cmd": "flood", "args": ["32768"], "timeout_sec": 600 });
        let started = || served.guest.starts.lock().unwrap().len();
        let before = started();
        clients.extend(execs(served, EXECS - UPLOADS, &small).await);
        eventually("the commands run", async || {
            started() >= before + EXECS - UPLOADS
        })
        .await;
        clients
    })
    .await;
    uploads.extend(clients);
    uploads
}

/// 512 commands with arguments of 1 MiB, which the guest does not take.
async fn large_requests(served: &Served) -> Clients {
    served.proxy.silence();
    let argument = "x".repeat(100 * 1000);
    let arguments = vec![argument; 10];
    let large = json!({ "cmd": "echo", "args": arguments, "timeout_sec": 600 });
    execs(served, EXECS, &large).await
}

/// Whether the server has not answered, for each connection.
fn in_progress(clients: &[TcpStream]) -> usize {
    let waits = |client: &&TcpStream| peek(client, &mut [0]).is_err();
    clients.iter().filter(waits).count()
}

fn peek(client: &TcpStream, begun: &mut [u8]) -> rustix::io::Result<usize> {
    let (length, _) = rustix::net::recv(client, begun, RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
    Ok(length)
}

/// The beginning of each answer.
fn answers(clients: &[TcpStream]) -> Vec<String> {
    let answer = |client| {
        let mut begun = [0; 512];
        let length = peek(client, &mut begun).unwrap_or_default();
        String::from_utf8_lossy(&begun[..length]).into_owned()
    };
    clients.iter().map(answer).collect()
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

/// An upload of 100 MiB that stalls after 95 MiB. Its file comes before its path, so that the server holds the file.
async fn held_upload(served: &Served) -> TcpStream {
    let start = upload_head(served) + &part("file");
    sends(served.address, start.as_bytes(), 95 * MIB).await
}

/// An upload of 100 MiB to a file that the guest does not take.
async fn streamed_upload(served: &Served) -> TcpStream {
    let start = upload_head(served) + &part("path") + "/stuck\r\n" + &part("file");
    sends(served.address, start.as_bytes(), 256 * 1024).await
}

fn upload_head(served: &Served) -> String {
    served.head("files/write", "multipart/form-data; boundary=XX", 100 * MIB)
}

fn part(name: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a\"\r\n\r\n")
}

async fn execs(served: &Served, count: usize, body: &Value) -> Clients {
    let body = body.to_string();
    let request = served.head("exec", "application/json", body.len()) + &body;
    join_all((0..count).map(|_| sends(served.address, request.as_bytes(), 0))).await
}

fn is_closed(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    kinds.contains(&error.kind())
}

/// Sends the text, and so many bytes after it, unless the server answers before.
async fn sends(address: SocketAddr, text: &[u8], bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server can refuse the request and close the connection before it has read the whole text.
    if let Err(error) = stream.write_all(text).await {
        assert!(is_closed(&error), "{error}");
        return stream;
    }
    let mut left = bytes;
    while left > 0 {
        tokio::select! {
            biased;
            answered = stream.readable() => {
                answered.unwrap();
                break;
            }
            writable = stream.writable() => writable.unwrap(),
        }
        left -= stream
            .try_write(&FILLER[..left.min(FILLER.len())])
            .unwrap_or_default();
    }
    stream
}
