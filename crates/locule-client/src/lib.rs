//! Typed client of the public API.
//!
//! One method per operation and one connection pool; errors carry the code and the message of the server. The client repeats
//! only requests that are safe to repeat: GET, DELETE, and a create, whose idempotency key keeps the server from creating a
//! second sandbox.

mod accounts;
mod error;
mod exec;
mod files;
mod hosts;
mod ports;
mod sandboxes;
mod terminal;

pub use accounts::AuditFilter;
pub use error::ClientError;
pub use exec::{ExecEvent, ExecReader, ExecStream, ExecWriter};
pub use hosts::HostToRegister;
pub use sandboxes::SandboxFilter;
pub use terminal::{TerminalEvent, TerminalReader, TerminalWriter};

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use locule_api::{
    CreateSandboxRequest, ErrorBody, ExecRequest, ExecStarted, ProcessList, PtyClientMessage,
    Sandbox, StartMessage,
};
use locule_ids::SandboxId;
use reqwest::{RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of requests that only read.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout of requests that a host works on: without KVM a guest starts slowly, and a large memory takes long to save.
const WORK_TIMEOUT: Duration = Duration::from_mins(5);
/// The intervals before the second, third and fourth attempt.
const RETRY_INTERVALS: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];
const IN_PROGRESS_INTERVAL: Duration = Duration::from_millis(500);

/// A server and the credential for it: an API key or a login. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    /// `None` for signing up and logging in.
    credential: Option<(HeaderName, HeaderValue)>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub fn new(url: &str, key: &str) -> Result<Self, ClientError> {
        let key = HeaderValue::from_str(key).map_err(|_| ClientError::Key)?;
        Self::with(url, Some((HeaderName::from_static("x-api-key"), key)))
    }

    /// A client with the token of a login.
    pub fn with_token(url: &str, token: &str) -> Result<Self, ClientError> {
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let bearer = bearer.map_err(|_| ClientError::Key)?;
        Self::with(url, Some((http::header::AUTHORIZATION, bearer)))
    }

    /// A client without a credential, for logging in.
    pub fn anonymous(url: &str) -> Result<Self, ClientError> {
        Self::with(url, None)
    }

    fn with(
        url: &str,
        mut credential: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Self, ClientError> {
        let bad = || ClientError::Address(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| bad())?;
        let host = parsed.host_str().ok_or_else(bad)?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad());
        }
        if let Some((_, value)) = &mut credential {
            value.set_sensitive(true);
        }
        // An error means that a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("locule/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // The key is for this server, not for the target of a redirect.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(host) {
            // A proxy from the environment cannot reach the loopback addresses of this machine.
            http = http.no_proxy();
        }
        Ok(Self {
            http: http
                .build()
                .map_err(|source| error::exchange(url, &source))?,
            url: url.trim_end_matches('/').to_owned(),
            credential,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.credential {
            Some((name, value)) => request.header(name.clone(), value.clone()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let sent = request.send().await;
        let response = sent.map_err(|source| error::exchange(&self.url, &source))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    /// Sends a request that is safe to repeat, and repeats it after a transient error.
    async fn send_with_retries(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        for pause in RETRY_INTERVALS {
            let Some(copy) = request.try_clone() else {
                break;
            };
            match self.send(copy).await {
                Err(error) if error.is_transient() => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
        self.send(request).await
    }

    fn read_request(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).timeout(READ_TIMEOUT)
    }

    fn work_request(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).timeout(WORK_TIMEOUT)
    }

    /// Creates a sandbox. When the response is lost, the request is repeated with the same idempotency key and creates no second
    /// sandbox.
    pub async fn create_sandbox(
        &self,
        request: &CreateSandboxRequest,
    ) -> Result<Sandbox, ClientError> {
        let key = SandboxId::random().as_uuid().to_string();
        let attempt = || {
            self.work_request("/v1/sandboxes")
                .header("idempotency-key", &key)
                .json(request)
        };
        let whole = async {
            loop {
                match self.send_with_retries(attempt()).await {
                    // The first attempt is still in progress: its response is the result.
                    Err(error) if error.code() == Some("idempotency_in_progress") => {
                        tokio::time::sleep(IN_PROGRESS_INTERVAL).await;
                    }
                    answer => return json(answer?).await,
                }
            }
        };
        let done = tokio::time::timeout(WORK_TIMEOUT, whole).await;
        done.unwrap_or_else(|_| {
            Err(ClientError::TimedOut {
                url: self.url.clone(),
            })
        })
    }

    pub async fn get_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        let request = self.read_request(&format!("/v1/sandboxes/{id}"));
        json(self.send_with_retries(request).await?).await
    }

    /// Destroys a sandbox. Succeeds for a sandbox that is already destroyed.
    pub async fn destroy_sandbox(&self, id: SandboxId) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &format!("/v1/sandboxes/{id}"));
        let request = request.timeout(WORK_TIMEOUT);
        self.send_with_retries(request).await.map(drop)
    }

    pub async fn pause_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        json(
            self.send(self.work_request(&format!("/v1/sandboxes/{id}/pause")))
                .await?,
        )
        .await
    }

    pub async fn resume_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        json(
            self.send(self.work_request(&format!("/v1/sandboxes/{id}/resume")))
                .await?,
        )
        .await
    }

    /// Starts a command whose input and output are streamed.
    pub async fn exec(
        &self,
        id: SandboxId,
        start: StartMessage,
    ) -> Result<ExecStream, ClientError> {
        exec::open(self, id, start).await
    }

    /// Lists the running processes that clients started in a sandbox.
    pub async fn list_processes(&self, id: SandboxId) -> Result<ProcessList, ClientError> {
        let request = self.read_request(&format!("/v1/sandboxes/{id}/processes"));
        json(self.send_with_retries(request).await?).await
    }

    /// Opens a terminal with a first message: `start` or `connect`.
    pub async fn terminal(
        &self,
        id: SandboxId,
        first: &PtyClientMessage,
    ) -> Result<(TerminalReader, TerminalWriter), ClientError> {
        terminal::open(self, id, first).await
    }

    /// Starts a command in the background.
    pub async fn exec_in_background(
        &self,
        id: SandboxId,
        mut request: ExecRequest,
    ) -> Result<ExecStarted, ClientError> {
        request.background = true;
        let http = self.work_request(&format!("/v1/sandboxes/{id}/exec"));
        json(self.send(http.json(&request)).await?).await
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    let address = bare.parse::<std::net::IpAddr>();
    bare == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let status = response.status().as_u16();
    let bytes = response
        .bytes()
        .await
        .map_err(|_| ClientError::Disconnected)?;
    serde_json::from_slice(&bytes).map_err(|_| ClientError::UnexpectedStatus { status })
}

/// The error of a response without success. A body in another form comes from a gateway in front of the server.
async fn refusal(response: Response) -> ClientError {
    let status = response.status().as_u16();
    match response.json::<ErrorBody>().await {
        Ok(body) => ClientError::Refusal {
            status: Some(status),
            code: body.error.code,
            message: body.error.message,
        },
        Err(_) => ClientError::UnexpectedStatus { status },
    }
}
