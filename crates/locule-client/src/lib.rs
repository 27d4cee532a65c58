//! Typed client of the public API.
//!
//! One method per operation, one connection pool, errors that say what the server said. Nothing is sent twice by itself but
//! what changes nothing (GET), what is the same done twice (DELETE), and a create, which carries a key of its own so that
//! the server knows the second for the first.

mod accounts;
mod error;
mod exec;
mod files;

pub use accounts::AuditFilter;
pub use error::ClientError;
pub use exec::{ExecEvent, ExecReader, ExecStream, ExecWriter};

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use locule_api::{
    CreateSandboxRequest, ErrorBody, ExecRequest, ExecStarted, Sandbox, StartMessage,
};
use locule_ids::SandboxId;
use reqwest::{RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Of what only looks.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// Of what a host has to do: a guest that is interpreted takes its time to start, a large memory to be saved.
const WORK_TIMEOUT: Duration = Duration::from_mins(5);
/// Before the second, third and fourth try.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];
const IN_PROGRESS_PAUSE: Duration = Duration::from_millis(500);

/// A server and what opens it: a key, or a login. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    /// None: for signing up and logging in.
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

    /// With the token of a login.
    pub fn with_token(url: &str, token: &str) -> Result<Self, ClientError> {
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let bearer = bearer.map_err(|_| ClientError::Key)?;
        Self::with(url, Some((http::header::AUTHORIZATION, bearer)))
    }

    /// With nothing, for logging in.
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
        // Whoever installed one first is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("locule/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // The key is for this server, not for where it points.
            .redirect(reqwest::redirect::Policy::none());
        if is_here(host) {
            // A proxy of the environment cannot reach this machine's own addresses.
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

    /// Sends what may be sent more than once, until it is answered or there is no hope.
    async fn send_again(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        for pause in PAUSES {
            let Some(copy) = request.try_clone() else {
                break;
            };
            match self.send(copy).await {
                Err(error) if error.may_pass() => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
        self.send(request).await
    }

    fn look(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).timeout(LOOK_TIMEOUT)
    }

    fn work(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path).timeout(WORK_TIMEOUT)
    }

    /// Creates a sandbox. An answer that gets lost is asked for again, and does not make a second one.
    pub async fn create_sandbox(
        &self,
        wanted: &CreateSandboxRequest,
    ) -> Result<Sandbox, ClientError> {
        let key = SandboxId::random().as_uuid().to_string();
        let request = || {
            self.work("/v1/sandboxes")
                .header("idempotency-key", &key)
                .json(wanted)
        };
        let whole = async {
            loop {
                match self.send_again(request()).await {
                    // The first try is still being carried out: its answer is ours.
                    Err(error) if error.code() == Some("idempotency_in_progress") => {
                        tokio::time::sleep(IN_PROGRESS_PAUSE).await;
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

    pub async fn list_sandboxes(&self) -> Result<Vec<Sandbox>, ClientError> {
        json(self.send_again(self.look("/v1/sandboxes")).await?).await
    }

    pub async fn get_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        let request = self.look(&format!("/v1/sandboxes/{id}"));
        json(self.send_again(request).await?).await
    }

    /// Destroys a sandbox; one that has ended already is fine.
    pub async fn destroy_sandbox(&self, id: SandboxId) -> Result<(), ClientError> {
        let request = self.request(Method::DELETE, &format!("/v1/sandboxes/{id}"));
        let request = request.timeout(WORK_TIMEOUT);
        self.send_again(request).await.map(drop)
    }

    pub async fn pause_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        json(
            self.send(self.work(&format!("/v1/sandboxes/{id}/pause")))
                .await?,
        )
        .await
    }

    pub async fn resume_sandbox(&self, id: SandboxId) -> Result<Sandbox, ClientError> {
        json(
            self.send(self.work(&format!("/v1/sandboxes/{id}/resume")))
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

    /// Starts a command that nobody waits for.
    pub async fn exec_in_background(
        &self,
        id: SandboxId,
        mut wanted: ExecRequest,
    ) -> Result<ExecStarted, ClientError> {
        wanted.background = true;
        let request = self.work(&format!("/v1/sandboxes/{id}/exec")).json(&wanted);
        json(self.send(request).await?).await
    }
}

fn is_here(host: &str) -> bool {
    let bare = host.trim_matches(['[', ']']);
    let address = bare.parse::<std::net::IpAddr>();
    bare == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, ClientError> {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.map_err(|_| ClientError::BrokenOff)?;
    serde_json::from_slice(&bytes).map_err(|_| ClientError::Strange { status })
}

/// What an answer without success says. One that is not ours comes from something in between.
async fn refusal(response: Response) -> ClientError {
    let status = response.status().as_u16();
    match response.json::<ErrorBody>().await {
        Ok(body) => ClientError::Refused {
            status: Some(status),
            code: body.error.code,
            message: body.error.message,
        },
        Err(_) => ClientError::Strange { status },
    }
}
