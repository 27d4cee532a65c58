//! A client of the public API over one connection, which measures times.

use std::io::{self, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{self, Answer};
use crate::oracle::Seen;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A header with a credential.
pub type Credential = (&'static str, String);

/// The header of a login token.
pub fn bearer(token: &str) -> Credential {
    ("authorization", format!("Bearer {token}"))
}

/// One connection to a platform.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    credential: Option<Credential>,
    timeout: Duration,
    stream: Option<BufReader<TcpStream>>,
}

impl Api {
    pub fn new(address: SocketAddr, key: &str, timeout: Duration) -> Self {
        Self::with(address, Some(("x-api-key", key.to_owned())), timeout)
    }

    pub fn with(address: SocketAddr, credential: Option<Credential>, timeout: Duration) -> Self {
        Self {
            address,
            credential,
            timeout,
            stream: None,
        }
    }

    /// A new connection, after these bytes of a request with the credential of the client.
    pub fn begin(
        &self,
        path: &str,
        content_type: &str,
        length: usize,
        body: &[u8],
    ) -> io::Result<TcpStream> {
        let head = http::head("POST", path, &self.headers(&[]), content_type, length);
        let mut stream = self.connect()?.into_inner();
        stream.write_all(&[head.as_bytes(), body].concat())?;
        Ok(stream)
    }

    /// Sends one request. After an error the result of the request is unknown.
    pub fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        content_type: &str,
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut stream = match self.stream.take().filter(is_open) {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let headers = self.headers(headers);
        let head = http::head(method, path, &headers, content_type, body.len());
        let answer = http::exchange(&mut stream, &head, body)?;
        if !answer.last {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    /// The headers, after the credential of the client.
    fn headers<'a>(&'a self, headers: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let credential = self.credential.as_ref();
        let credential = credential.map(|(name, value)| (*name, value.as_str()));
        credential
            .into_iter()
            .chain(headers.iter().copied())
            .collect()
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(BufReader::new(stream))
    }

    /// Connects now, so that the next measurement does not include the connection.
    pub fn warm_up(&mut self) -> io::Result<()> {
        self.get("/health").map(drop)
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.call("GET", path, &[], "application/json", b"")
    }

    pub fn post(&mut self, path: &str, body: &Value) -> io::Result<Answer> {
        let body = body.to_string();
        self.call("POST", path, &[], "application/json", body.as_bytes())
    }

    pub fn create(&mut self, request: &Value, key: Option<&str>) -> io::Result<Answer> {
        let headers: Vec<_> = key
            .into_iter()
            .map(|key| ("idempotency-key", key))
            .collect();
        let body = request.to_string();
        let path = "/v1/sandboxes";
        self.call("POST", path, &headers, "application/json", body.as_bytes())
    }

    pub fn destroy(&mut self, id: &str) -> io::Result<Answer> {
        let path = format!("/v1/sandboxes/{id}");
        self.call("DELETE", &path, &[], "application/json", b"")
    }

    pub fn pause(&mut self, id: &str) -> io::Result<Answer> {
        self.post(&format!("/v1/sandboxes/{id}/pause"), &json!({}))
    }

    pub fn resume(&mut self, id: &str) -> io::Result<Answer> {
        self.post(&format!("/v1/sandboxes/{id}/resume"), &json!({}))
    }

    pub fn exec(&mut self, id: &str, cmd: &str, args: &[&str]) -> io::Result<Answer> {
        let request = json!({ "cmd": cmd, "args": args, "timeout_sec": 600 });
        self.post(&format!("/v1/sandboxes/{id}/exec"), &request)
    }

    pub fn write(&mut self, id: &str, path: &str, content: &[u8]) -> io::Result<Answer> {
        const EDGE: &str = "locule-e2e-0123456789abcdef";
        let before = format!(
            "--{EDGE}\r\ncontent-disposition: form-data; name=\"path\"\r\n\r\n{path}\r\n--{EDGE}\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        let after = format!("\r\n--{EDGE}--\r\n");
        let body = [before.as_bytes(), content, after.as_bytes()].concat();
        let target = format!("/v1/sandboxes/{id}/files/stream/write");
        let kind = format!("multipart/form-data; boundary={EDGE}");
        self.call("POST", &target, &[], &kind, &body)
    }

    pub fn read(&mut self, id: &str, path: &str) -> io::Result<Answer> {
        let request = json!({ "path": path });
        self.post(&format!("/v1/sandboxes/{id}/files/stream/read"), &request)
    }

    /// The state of a sandbox, and the reason; `None` during a transition or without a response.
    pub fn look(&mut self, id: &str) -> Option<(Seen, String)> {
        let answer = self.get(&format!("/v1/sandboxes/{id}")).ok()?;
        let row = answer.json();
        let why = row["status_reason"].as_str().unwrap_or_default().to_owned();
        match (answer.status, row["status"].as_str()) {
            (404, _) => Some((Seen::Gone, "unknown".to_owned())),
            (200, Some("running")) => Some((Seen::Running, why)),
            (200, Some("paused")) => Some((Seen::Paused, why)),
            (200, Some("stopped" | "error")) => Some((Seen::Gone, why)),
            _ => None,
        }
    }

    /// The sandboxes that are there.
    pub fn list(&mut self) -> io::Result<Vec<Value>> {
        let answer = self.get("/v1/sandboxes")?;
        match (answer.status, answer.json()) {
            (200, Value::Array(all)) => Ok(all),
            (status, _) => Err(io::Error::other(format!(
                "list answered {status}: {}",
                answer.text()
            ))),
        }
    }
}

/// Whether an idle connection was not closed by its other end.
fn is_open(stream: &BufReader<TcpStream>) -> bool {
    let socket = stream.get_ref();
    if socket.set_nonblocking(true).is_err() {
        return false;
    }
    let mut byte = [0];
    let quiet =
        matches!(socket.peek(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    quiet && socket.set_nonblocking(false).is_ok()
}
