//! Runs the real program on this machine, and a client that calls it as the public SDKs do: JSON, one request per connection.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::http::response::Parts;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

/// Longer than any wait in these tests takes on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_mins(1);
pub(crate) const TOKEN: &str = "token-of-the-tests";
pub(crate) const KEY: &str = "key-of-the-tests";

/// A free address below the range from which the kernel picks ports for connections. Within that range, a connection attempt
/// before the agent listens may connect to itself and keep the port from the agent.
fn free_address() -> SocketAddr {
    // Tests run in parallel, each in a process of its own: they start the search far apart.
    let first = u16::try_from(std::process::id() * 97 % 12_000).unwrap();
    (0..12_000)
        .map(|next| SocketAddr::from(([127, 0, 0, 1], 20_000 + (first + next) % 12_000)))
        .find(|address| std::net::TcpListener::bind(address).is_ok())
        .expect("a port is free")
}

/// A running guest agent. Dropping the value kills it.
pub(crate) struct Agent {
    address: SocketAddr,
    process: tokio::process::Child,
}

impl Agent {
    /// Starts an agent that has had no `/init` yet.
    pub(crate) async fn uninitialized() -> Self {
        Self::run("--serve").await
    }

    /// Starts an agent that has had no `/init` yet, as the child of a supervisor. The process of the value is the supervisor.
    pub(crate) async fn supervised() -> Self {
        Self::run("--supervise").await
    }

    async fn run(how: &str) -> Self {
        let address = free_address();
        #[expect(
            clippy::disallowed_methods,
            reason = "the program under test runs without the host command runner"
        )]
        let process = tokio::process::Command::new(env!("CARGO_BIN_EXE_locule-guest"))
            .args([how, &address.port().to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let agent = Self { address, process };
        locule_testkit::eventually("the agent listens", async || {
            tokio::net::TcpStream::connect(address).await.is_ok()
        })
        .await;
        agent
    }

    /// Starts an agent and initializes it with the user that runs the tests.
    pub(crate) async fn start() -> Self {
        let agent = Self::uninitialized().await;
        assert_eq!(agent.init(None).await, StatusCode::OK);
        agent
    }

    pub(crate) async fn init(&self, key: Option<&str>) -> StatusCode {
        let body = json!({
            "newControlKey": KEY, "accessToken": TOKEN, "sandboxId": "s", "templateId": "t",
            "defaultUser": me(), "envVars": {"GIVEN": "yes"}, "timestampUnixNanos": "0", "entropy": "",
        });
        let mut request = Request::post("/init").header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("locule-control-key", key);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        self.send(request).await.status()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Response<Incoming> {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        request
            .headers_mut()
            .insert("host", "guest".parse().unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        #[expect(clippy::disallowed_methods, reason = "ends with the connection")]
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    /// Makes a unary call and returns the status and the JSON answer.
    pub(crate) async fn call(&self, method: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(method)
            .header("content-type", "application/json")
            .header("x-access-token", TOKEN)
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.send(request).await;
        (response.status(), json_of(response).await)
    }

    /// Uploads a file as `application/octet-stream`.
    pub(crate) async fn upload(
        &self,
        target: &Path,
        content: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, Value) {
        let path = target.to_str().unwrap();
        let mut request = Request::post(format!("/files?path={path}"))
            .header("content-type", "application/octet-stream")
            .header("x-access-token", TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Body::from(content.to_owned());
        let response = self.send(request.body(body).unwrap()).await;
        (response.status(), json_of(response).await)
    }

    /// Downloads a file and returns the head of the answer and its body, still encoded.
    pub(crate) async fn download(&self, path: &str, headers: &[(&str, &str)]) -> (Parts, Bytes) {
        let mut request =
            Request::get(format!("/files?path={path}")).header("x-access-token", TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.send(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = response.into_parts();
        (parts, body.collect().await.unwrap().to_bytes())
    }

    /// Opens a TCP connection.
    pub(crate) async fn connect(&self) -> tokio::net::TcpStream {
        tokio::net::TcpStream::connect(self.address).await.unwrap()
    }

    /// Makes a streaming call with one request message.
    pub(crate) async fn stream(
        &self,
        method: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Frames {
        let text = body.to_string();
        let mut frame = vec![0];
        frame.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(text.as_bytes());
        let mut request = Request::post(method)
            .header("content-type", "application/connect+json")
            .header("connect-protocol-version", "1")
            .header("x-access-token", TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.send(request.body(Body::from(frame)).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let offset = response.headers().get("locule-offset");
        Frames {
            offset: offset.map(|offset| offset.to_str().unwrap().parse().unwrap()),
            body: response.into_body(),
            buffer: Vec::new(),
        }
    }

    pub(crate) async fn sh(&self, script: &str) -> Frames {
        let body = json!({"process": {"cmd": "/bin/sh", "args": ["-c", script]}, "stdin": false});
        self.stream("/process.Process/Start", &body, &[]).await
    }

    /// Runs a script to its end and returns all that its stream carried.
    pub(crate) async fn sh_transcript(&self, script: String) -> Transcript {
        let mut frames = self.sh(&script).await;
        frames.started().await;
        frames.transcript().await
    }
}

pub(crate) async fn json_of(response: Response<Incoming>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// The name of the user that runs the tests.
pub(crate) fn me() -> String {
    let uid = std::fs::metadata("/proc/self").unwrap().uid().to_string();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let mine = passwd
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&uid));
    mine.unwrap().split(':').next().unwrap().to_owned()
}

/// The messages of one stream.
pub(crate) struct Frames {
    /// The offset of the first byte of output, from the header of the answer.
    pub(crate) offset: Option<u64>,
    body: Incoming,
    buffer: Vec<u8>,
}

/// All that a stream carried.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) terminal: Vec<u8>,
    pub(crate) ends: Vec<Value>,
    /// The error of the closing frame.
    pub(crate) error: Option<Value>,
}

impl Frames {
    async fn fill(&mut self, length: usize) -> bool {
        while self.buffer.len() < length {
            let next = tokio::time::timeout(TIMEOUT, self.body.frame()).await;
            let Some(frame) = next.unwrap() else {
                return false;
            };
            let data = frame.unwrap().into_data().unwrap_or(Bytes::new());
            self.buffer.extend_from_slice(&data);
        }
        true
    }

    /// The next message, and whether it is the closing one.
    pub(crate) async fn next(&mut self) -> Option<(bool, Value)> {
        if !self.fill(5).await {
            return None;
        }
        let length: [u8; 4] = self.buffer[1..5].try_into().unwrap();
        let end = 5 + usize::try_from(u32::from_be_bytes(length)).unwrap();
        assert!(self.fill(end).await, "the stream ended within a message");
        let message: Vec<u8> = self.buffer.drain(..end).collect();
        Some((
            message[0] & 2 != 0,
            serde_json::from_slice(&message[5..]).unwrap(),
        ))
    }

    /// Reads the `start` event, which must come first, and returns the process id.
    pub(crate) async fn started(&mut self) -> u64 {
        let (_, message) = self.next().await.unwrap();
        message["event"]["start"]["pid"].as_u64().unwrap()
    }

    /// Reads to the closing frame, the only one that may follow `end`.
    pub(crate) async fn transcript(&mut self) -> Transcript {
        let mut transcript = Transcript::default();
        loop {
            let (closing, message) = self.next().await.expect("a closing frame");
            if closing {
                transcript.error = message.get("error").cloned();
                return transcript;
            }
            let event = &message["event"];
            if let Some(end) = event.get("end") {
                transcript.ends.push(end.clone());
            } else if let Some(data) = event.get("data") {
                assert!(transcript.ends.is_empty(), "output after the end");
                let decode = |name: &str| {
                    let text = data[name].as_str().unwrap_or_default();
                    STANDARD.decode(text).unwrap()
                };
                transcript.stdout.extend(decode("stdout"));
                transcript.stderr.extend(decode("stderr"));
                transcript.terminal.extend(decode("pty"));
            }
        }
    }
}
