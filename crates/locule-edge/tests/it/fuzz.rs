//! A guest may answer our calls with any bytes at all.

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

/// A host agent that passes on what its guest "says".
struct Liar {
    runtime: Runtime,
    guest: GuestClient,
    says: Arc<Mutex<Vec<u8>>>,
    socket: PathBuf,
}

impl Liar {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let sandbox = SandboxId::random();
        let socket = std::env::temp_dir().join(format!("locule-fuzz-{}.sock", sandbox.base36()));
        let says = Arc::new(Mutex::new(Vec::new()));
        let listener = runtime.block_on(async { UnixListener::bind(&socket).unwrap() });
        let (said, no_process) = (says.clone(), frames(&[(2, ERROR)]));
        runtime.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let said = said.lock().unwrap().clone();
                // Until it was asked something; whether anybody still listens does not matter.
                let mut asked = [0; 4096];
                let length = stream.read(&mut asked).await.unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..length]);
                // A client that attaches again after a break is refused: the test would wait for each one.
                let again = asked.contains("process.Process/Connect ");
                let answer = if again { &no_process } else { &said };
                let _ = stream.write_all(answer).await;
            }
        });
        let target = Target {
            sandbox,
            connector: Connector::Unix(socket.clone()),
            access_token: "token".to_owned(),
        };
        Self {
            runtime,
            guest: GuestClient::new(target),
            says,
            socket,
        }
    }

    /// One call to a guest that says `bytes`.
    fn call<T>(&self, bytes: &[u8], call: impl Future<Output = T>) -> T {
        *self.says.lock().unwrap() = bytes.to_vec();
        let bounded = async { tokio::time::timeout(Duration::from_secs(5), call).await };
        let done = self.runtime.block_on(bounded);
        done.expect("an answer that ends ends the call")
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
    }
}

fn head(kind: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {kind}\r\n\r\n").into_bytes()
}

/// Frames as Connect has them: a flag, a length, a message.
fn frames(messages: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = head("application/connect+proto");
    for (flag, message) in messages {
        bytes.push(*flag);
        bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(message);
    }
    bytes
}

/// start, data, end, as the guest agent encodes them.
const STARTED: &[u8] = b"\x0a\x04\x0a\x02\x08\x07";
const PRINTED: &[u8] = b"\x0a\x07\x12\x05\x0a\x03out";
const ENDED: &[u8] = b"\x0a\x08\x1a\x06\x08\x02\x10\x01\x1a\x00";

#[test]
fn any_stream_of_events_ends_in_an_end_or_an_error() {
    let liar = Liar::start();
    let seeds = [
        frames(&[(0, STARTED), (0, PRINTED), (0, ENDED), (2, b"{}")]),
        frames(&[(0, STARTED), (2, ERROR)]),
        frames(&[(1, STARTED), (0xff, b""), (2, b"")]),
    ];
    fuzz(&seeds, |bytes| {
        liar.call(bytes, async {
            let mut events = match liar.guest.start(StartProcess::default()).await {
                Ok(events) => events,
                Err(error) => return vec![format!("{error:?}")],
            };
            let mut seen = Vec::new();
            while let Some(event) = events.next().await {
                seen.push(format!("{event:?}"));
            }
            assert!(!seen.is_empty(), "a stream says how it ended");
            seen.truncate(4);
            seen
        })
    });
}

#[test]
fn any_answer_about_files_is_one_or_an_error() {
    let liar = Liar::start();
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
        let stat = liar.call(bytes, liar.guest.stat("/a"));
        let list = liar.call(bytes, liar.guest.list_dir("/a", 1));
        let read = liar.call(bytes, async {
            let (length, body) = liar.guest.read_file("/a").await.ok()?;
            Some((length.is_some(), body.collect().await.is_ok()))
        });
        (format!("{stat:?}"), list.map(|all| all.len()).ok(), read)
    });
}
