//! The real program on this machine, and a client that speaks to it as the public SDKs do: JSON, one request per connection.

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

/// Longer than any of these waits takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const TOKEN: &str = "token-of-the-tests";
const KEY: &str = "key-of-the-tests";

/// One that is free, and that no connection picks for its own end: one that does would meet itself while nobody listens, and
/// keep the port from the agent.
fn free_address() -> SocketAddr {
    // Tests run beside one another, each in a process of its own: they look from places far apart.
    let first = u16::try_from(std::process::id() * 97 % 12_000).unwrap();
    (0..12_000)
        .map(|next| SocketAddr::from(([127, 0, 0, 1], 20_000 + (first + next) % 12_000)))
        .find(|address| std::net::TcpListener::bind(address).is_ok())
        .expect("a port is free")
}

/// A running guest agent; ends with the value.
pub(crate) struct Agent {
    address: SocketAddr,
    process: tokio::process::Child,
}

impl Agent {
    /// Starts one that nobody has told who it is.
    pub(crate) async fn unborn() -> Self {
        let address = free_address();
        #[expect(
            clippy::disallowed_methods,
            reason = "the program under test is started as it is"
        )]
        let process = tokio::process::Command::new(env!("CARGO_BIN_EXE_locule-guest"))
            .args(["--serve", &address.port().to_string()])
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

    /// Starts one and makes it a sandbox of the user who runs the tests.
    pub(crate) async fn start() -> Self {
        let agent = Self::unborn().await;
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

    /// A unary call: status and JSON answer.
    pub(crate) async fn call(&self, method: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::post(method)
            .header("content-type", "application/json")
            .header("x-access-token", TOKEN)
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.send(request).await;
        (response.status(), json_of(response).await)
    }

    /// Uploads a file as it is.
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

    /// Downloads a file: the head of the answer and its bytes as they travelled.
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

    /// A bare connection.
    pub(crate) async fn connect(&self) -> tokio::net::TcpStream {
        tokio::net::TcpStream::connect(self.address).await.unwrap()
    }

    /// A streaming call with one request message.
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

    /// Runs a script to its end.
    pub(crate) async fn sh_story(&self, script: String) -> Story {
        let mut frames = self.sh(&script).await;
        frames.started().await;
        frames.story().await
    }
}

pub(crate) async fn json_of(response: Response<Incoming>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// The name of whoever runs the tests.
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
    /// Of the first byte of output, as the answer says.
    pub(crate) offset: Option<u64>,
    body: Incoming,
    buffer: Vec<u8>,
}

/// What a whole stream said.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) terminal: Vec<u8>,
    pub(crate) ends: Vec<Value>,
    /// The error of the closing frame.
    pub(crate) error: Option<Value>,
}

impl Frames {
    async fn fill(&mut self, wanted: usize) -> bool {
        while self.buffer.len() < wanted {
            let next = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let Some(frame) = next.unwrap() else {
                return false;
            };
            let data = frame.unwrap().into_data().unwrap_or(Bytes::new());
            self.buffer.extend_from_slice(&data);
        }
        true
    }

    /// The next message and whether it is the closing one.
    pub(crate) async fn next(&mut self) -> Option<(bool, Value)> {
        if !self.fill(5).await {
            return None;
        }
        let length: [u8; 4] = self.buffer[1..5].try_into().unwrap();
        let end = 5 + usize::try_from(u32::from_be_bytes(length)).unwrap();
        assert!(self.fill(end).await, "the stream broke off");
        let message: Vec<u8> = self.buffer.drain(..end).collect();
        Some((
            message[0] & 2 != 0,
            serde_json::from_slice(&message[5..]).unwrap(),
        ))
    }

    /// Reads the `start` event, which must come first.
    pub(crate) async fn started(&mut self) -> u64 {
        let (_, message) = self.next().await.unwrap();
        message["event"]["start"]["pid"].as_u64().unwrap()
    }

    /// Reads on to the closing frame; nothing may follow `end` but it.
    pub(crate) async fn story(&mut self) -> Story {
        let mut story = Story::default();
        loop {
            let (closing, message) = self.next().await.expect("a closing frame");
            if closing {
                story.error = message.get("error").cloned();
                return story;
            }
            let event = &message["event"];
            if let Some(end) = event.get("end") {
                story.ends.push(end.clone());
            } else if let Some(data) = event.get("data") {
                assert!(story.ends.is_empty(), "output after the end");
                let decode = |name: &str| {
                    let text = data[name].as_str().unwrap_or_default();
                    STANDARD.decode(text).unwrap()
                };
                story.stdout.extend(decode("stdout"));
                story.stderr.extend(decode("stderr"));
                story.terminal.extend(decode("pty"));
            }
        }
    }
}
