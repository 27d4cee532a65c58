//! A control plane that answers host agents as a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use locule_agent::Server;
use locule_control::HostCertificates;
use locule_ids::HostId;
use locule_testkit::eventually;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What the control plane answers to heartbeats and requests for new credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Every connection breaks.
    Silent,
    /// This status.
    Answers(u16),
    /// No credential is valid.
    Refuses,
    /// The host was deleted.
    Deletes(HostId),
}

#[derive(Debug)]
struct State {
    now: DateTime<Utc>,
    mood: Mood,
    heartbeats: usize,
    /// What the latest heartbeat said.
    heartbeat: Value,
    images: Images,
}

/// The images that the control plane serves.
#[derive(Debug, Default)]
pub(crate) struct Images {
    pub(crate) list: Value,
    /// By their hashes.
    pub(crate) bytes: BTreeMap<String, Vec<u8>>,
    /// The next answers with an image break after so many bytes.
    pub(crate) breaks: Vec<usize>,
    /// The image and the first byte of each request.
    pub(crate) asked: Vec<(String, usize)>,
}

/// Listens until the test ends.
#[derive(Debug, Clone)]
pub(crate) struct FakeControlPlane {
    pub(crate) host: HostId,
    url: String,
    /// Present where agents call through TLS.
    certificates: Option<HostCertificates>,
    state: Arc<Mutex<State>>,
}

impl FakeControlPlane {
    /// Issues credentials that are valid from `now` on.
    pub(crate) async fn start(now: DateTime<Utc>) -> Self {
        Self::start_with(now, None).await
    }

    /// As [`Self::start`], for agents on other machines.
    pub(crate) async fn start_tls(now: DateTime<Utc>, certificates: HostCertificates) -> Self {
        Self::start_with(now, Some(certificates)).await
    }

    async fn start_with(now: DateTime<Utc>, certificates: Option<HostCertificates>) -> Self {
        let scheme = certificates.as_ref().map_or("http", |_| "https");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plane = Self {
            host: HostId::random(),
            url: format!("{scheme}://{}", listener.local_addr().unwrap()),
            certificates,
            state: Arc::new(Mutex::new(State {
                now,
                mood: Mood::Well,
                heartbeats: 0,
                heartbeat: Value::Null,
                images: Images::default(),
            })),
        };
        let serving = plane.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let tls = serving
                    .certificates
                    .as_ref()
                    .map(HostCertificates::listener);
                // A client that went away is no error of the control plane.
                let _ = match tls {
                    None => serving.answer(stream).await,
                    Some(tls) => match TlsAcceptor::from(tls).accept(stream).await {
                        Ok(stream) => serving.answer(stream).await,
                        Err(error) => Err(error),
                    },
                };
            }
        });
        plane
    }

    pub(crate) fn server(&self) -> Server {
        Server::at(&self.url, false).unwrap()
    }

    pub(crate) fn become_of(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    pub(crate) fn images<T>(&self, change: impl FnOnce(&mut Images) -> T) -> T {
        change(&mut self.state.lock().unwrap().images)
    }

    /// What the latest heartbeat said.
    pub(crate) fn heartbeat(&self) -> Value {
        self.state.lock().unwrap().heartbeat.clone()
    }

    /// Issues credentials that are valid from `now` on.
    pub(crate) fn set_now(&self, now: DateTime<Utc>) {
        self.state.lock().unwrap().now = now;
    }

    /// Waits for further heartbeats. What the agent did after all but the last is done.
    pub(crate) async fn beats(&self, number: usize) {
        let enough = self.heartbeats() + number;
        eventually("heartbeats", async || self.heartbeats() >= enough).await;
    }

    /// Heartbeats that came so far, whatever their answer was.
    fn heartbeats(&self) -> usize {
        self.state.lock().unwrap().heartbeats
    }

    async fn answer(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut head, mut length, mut from) = (String::new(), 0, 0);
        while !head.ends_with("\r\n\r\n") {
            let line = head.len();
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
            let line = head[line..].to_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if let Some(value) = line.strip_prefix("range: bytes=") {
                from = value.trim().trim_end_matches('-').parse().unwrap();
            }
        }
        let mut request = vec![0; length];
        stream.read_exact(&mut request).await?;
        let path = head.split(' ').nth(1).unwrap();
        if let Some(hash) = path.strip_prefix("/v1/hosts/images/") {
            let Some((head, body)) = self.image(hash, from) else {
                return Ok(());
            };
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            return stream.shutdown().await;
        }
        let request = serde_json::from_slice(&request).unwrap_or_default();
        let Some((status, body)) = self.respond(path, &request) else {
            return Ok(());
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }

    /// The head of the answer with an image, and as much of the body as arrives. `None`: no answer.
    fn image(&self, hash: &str, from: usize) -> Option<(String, Vec<u8>)> {
        let mut state = self.state.lock().unwrap();
        if state.mood != Mood::Well {
            return None;
        }
        let images = &mut state.images;
        images.asked.push((hash.to_owned(), from));
        let rest = images.bytes[hash][from..].to_vec();
        let status = if from > 0 { 206 } else { 200 };
        let length = rest.len();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n");
        let arrives = if images.breaks.is_empty() {
            length
        } else {
            images.breaks.remove(0).min(length)
        };
        Some((head, rest[..arrives].to_vec()))
    }

    /// `None`: no answer.
    fn respond(&self, path: &str, request: &Value) -> Option<(u16, Value)> {
        let mut state = self.state.lock().unwrap();
        let is_heartbeat = path.ends_with("/heartbeat");
        if is_heartbeat {
            state.heartbeats += 1;
            state.heartbeat = request.clone();
        }
        let error = |code: &str, host: Option<HostId>| json!({ "error": { "code": code, "message": "as the test says", "host_id": host } });
        match state.mood {
            Mood::Well if is_heartbeat => Some((200, Value::Null)),
            Mood::Well if path == "/v1/hosts/images" => Some((200, state.images.list.clone())),
            Mood::Well => Some((201, self.credentials(state.now, request))),
            Mood::Silent => None,
            Mood::Answers(status) => Some((status, error("as_the_test_says", None))),
            Mood::Refuses => Some((401, error("unauthorized", None))),
            Mood::Deletes(host) => Some((404, error("host_deleted", Some(host)))),
        }
    }

    fn credentials(&self, now: DateTime<Utc>, request: &Value) -> Value {
        let certificates = self.certificates.as_ref();
        let issued = certificates
            .zip(request["csr_pem"].as_str())
            .map(|(ca, csr)| {
                let issued = ca.issue_host(csr, self.host).unwrap();
                (issued.pem, ca.ca_pem())
            });
        let (cert, ca) = issued.unzip();
        let exp = (now + chrono::TimeDelta::days(7)).timestamp();
        let claims = URL_SAFE_NO_PAD.encode(json!({ "exp": exp }).to_string());
        json!({
            "host": {
                "id": self.host, "type": "regular", "status": "pending",
                "created_at": now, "updated_at": now,
            },
            "token": format!("head.{claims}.signature"),
            "refresh_token": "refresh", "cert_pem": cert, "ca_cert_pem": ca,
        })
    }
}
