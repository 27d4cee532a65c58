//! A control plane that answers host agents as a test says.

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
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let from = head.len();
            if stream.read_line(&mut head).await? == 0 {
                return Ok(());
            }
            if let Some(value) = head[from..].to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut request = vec![0; length];
        stream.read_exact(&mut request).await?;
        let request = serde_json::from_slice(&request).unwrap();
        let path = head.split(' ').nth(1).unwrap();
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

    /// `None`: no answer.
    fn respond(&self, path: &str, request: &Value) -> Option<(u16, Value)> {
        let mut state = self.state.lock().unwrap();
        let is_heartbeat = path.ends_with("/heartbeat");
        state.heartbeats += usize::from(is_heartbeat);
        let error = |code: &str, host: Option<HostId>| json!({ "error": { "code": code, "message": "as the test says", "host_id": host } });
        match state.mood {
            Mood::Well if is_heartbeat => Some((200, Value::Null)),
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
