//! A guest may answer the calls of the platform with any bytes. The fake of the test kit cannot: this one writes raw bytes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use locule_agent_api::Connector;
use locule_edge::{GuestClient, StartProcess, Target};
use locule_fuzz::fuzz;
use locule_ids::SandboxId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;

const ERROR: &[u8] = br#"{"error":{"code":"not_found","message":"no"}}"#;

/// A host agent on a raw socket, which answers every request with the bytes of the test.
struct RawHost {
    runtime: Runtime,
    guest: GuestClient,
    answer: Arc<Mutex<Vec<u8>>>,
    socket: PathBuf,
}

impl RawHost {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let sandbox = SandboxId::random();
        let socket = std::env::temp_dir().join(format!("locule-fuzz-{}.sock", sandbox.base36()));
        let answer = Arc::new(Mutex::new(Vec::new()));
        let listener = runtime.block_on(async { UnixListener::bind(&socket).unwrap() });
        let (current, no_process) = (answer.clone(), frames(&[(2, ERROR)]));
        runtime.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answer = current.lock().unwrap().clone();
                // The answer follows the request. The client may have closed the connection.
                let mut request = [0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]);
                // A client that attaches again gets an error: otherwise each break would cost a reconnect timeout.
                let again = request.contains("process.Process/Connect ");
                let answer = if again { &no_process } else { &answer };
                let _ = stream.write_all(answer).await;
            }
        });
        let target = Target {
            sandbox,
            connector: Connector::Unix(socket.clone()),
            access_token: "token".to_owned(),
            cut: Arc::default(),
        };
        Self {
            runtime,
            guest: GuestClient::new(target),
            answer,
            socket,
        }
    }

    /// Makes one call that is answered with `bytes`.
    fn call<T>(&self, bytes: &[u8], call: impl Future<Output = T>) -> T {
        *self.answer.lock().unwrap() = bytes.to_vec();
        let bounded = async { tokio::time::timeout(Duration::from_secs(5), call).await };
        let done = self.runtime.block_on(bounded);
        done.expect("the call ends when its answer ends")
    }
}

impl Drop for RawHost {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
    }
}

fn head(kind: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {kind}\r\n\r\n").into_bytes()
}

/// Frames of the Connect protocol: a flag, a length, a message.
fn frames(messages: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = head("application/connect+proto");
    for (flag, message) in messages {
        bytes.push(*flag);
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}

/// The events start, data and end, as the guest agent encodes them.
const STARTED: &[u8] = b"\x0a\x04\x0a\x02\x08\x07";
const PRINTED: &[u8] = b"\x0a\x07\x12\x05\x0a\x03out";
const ENDED: &[u8] = b"\x0a\x08\x1a\x06\x08\x02\x10\x01\x1a\x00";

#[test]
fn every_stream_of_events_ends_with_an_exit_or_an_error() {
    let host = RawHost::start();
    let seeds = [
        frames(&[(0, STARTED), (0, PRINTED), (0, ENDED), (2, b"{}")]),
        frames(&[(0, STARTED), (2, ERROR)]),
        frames(&[(1, STARTED), (0xff, b""), (2, b"")]),
    ];
    fuzz(&seeds, |bytes| {
        host.call(bytes, async {
            let mut events = match host.guest.start(StartProcess::default()).await {
                Ok(events) => events,
                Err(error) => return vec![format!("{error:?}")],
            };
            let mut seen = Vec::new();
            while let Some(event) = events.next().await {
                seen.push(format!("{event:?}"));
            }
            assert!(!seen.is_empty(), "a stream has a last event");
            seen.truncate(4);
            seen
        })
    });
}

#[test]
fn every_answer_about_files_is_a_result_or_an_error() {
    let host = RawHost::start();
    let entry: &[u8] =
        b"\x0a\x1c\x0a\x01a\x10\x01\x1a\x02/a\x20\x07\x28\xa4\x03\x32\x04-rw-\x3a\x01u\x42\x01g";
    let with = |kind: &str, body: &[u8]| [head(kind), body.to_vec()].concat();
    let mut refused = b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n\r\n".to_vec();
    refused.extend(br#"{"code":404,"message":"path does not exist"}"#);
    let seeds = [
        with("application/proto", entry),
        with(
            "application/json",
            br#"{"entry":{"name":"a","type":"FILE_TYPE_FILE","size":"7"}}"#,
        ),
        with("application/octet-stream", b"bytes"),
        refused,
    ];
    fuzz(&seeds, |bytes| {
        let stat = host.call(bytes, host.guest.stat("/a"));
        let list = host.call(bytes, host.guest.list_dir("/a", 1));
        let read = host.call(bytes, async {
            let (length, body) = host.guest.read_file("/a").await.ok()?;
            Some((length.is_some(), body.collect().await.is_ok()))
        });
        (format!("{stat:?}"), list.map(|all| all.len()).ok(), read)
    });
}
