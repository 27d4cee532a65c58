//! The calls of the host agent to the control plane: registration, new credentials, heartbeats.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use locule_agent_api::HostStream;
use locule_agent_api::http1::{self, ExchangeBody};
use locule_agent_api::tls::{
    BadCertificate, ControlTrust, control_client, dial_control, rustls, set_options,
};
use locule_api::{
    ErrorBody, ErrorCode, HOST_TOKEN_HEADER, HostCredentials, HostHeartbeat, RefreshHostRequest,
    RegisterHostRequest,
};
use locule_base::clock::SharedClock;
use locule_ids::HostId;
use serde::Serialize;
use tokio::net::TcpStream;

use crate::tls_time::tls_time;

const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The control plane calls the agent back before it answers a first heartbeat, for at most 10 s.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(15);

/// Why a URL is not the control plane's.
#[derive(Debug, thiserror::Error)]
pub enum BadServer {
    #[error(
        "the URL of the control plane must be like https://control.example:8443, or http://127.0.0.1:8000 on the same machine"
    )]
    Form,
    #[error(
        "the URL of the control plane has the scheme http and another address than loopback: credentials would be sent over the network without encryption (--plain-http allows it)"
    )]
    Plain,
}

/// The URL of the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    authority: String,
    address: String,
    is_tls: bool,
}

impl Server {
    /// Reads a URL. `plain`: credentials may be sent without encryption to other machines.
    pub fn at(text: &str, plain: bool) -> Result<Self, BadServer> {
        let uri: Uri = text.parse().map_err(|_| BadServer::Form)?;
        let (scheme, authority) = uri
            .scheme_str()
            .zip(uri.authority())
            .ok_or(BadServer::Form)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(BadServer::Form);
        }
        let (is_tls, port) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err(BadServer::Form),
        };
        let name = authority.host().trim_matches(['[', ']']);
        let is_loopback = name == "localhost"
            || name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        if !is_tls && !is_loopback && !plain {
            return Err(BadServer::Plain);
        }
        let port = authority.port_u16().unwrap_or(port);
        Ok(Self {
            authority: authority.to_string(),
            address: format!("{}:{port}", authority.host()),
            is_tls,
        })
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

/// The control plane's API, as host agents use it.
#[derive(Debug, Clone)]
pub(crate) struct ControlPlane {
    server: Server,
    /// Present where the URL says `https`.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl ControlPlane {
    /// `trust`: how the control plane is known, where the URL says `https`.
    pub(crate) fn new(
        server: Server,
        trust: Option<ControlTrust>,
        clock: &SharedClock,
    ) -> Result<Self, NotTrusted> {
        let tls = match (server.is_tls, trust) {
            (false, _) => None,
            (true, None) => return Err(NotTrusted::NoHash),
            (true, Some(trust)) => Some(Arc::new(control_client(trust, tls_time(clock))?)),
        };
        Ok(Self { server, tls })
    }
}

/// Why the control plane cannot be known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTrusted {
    #[error(
        "the URL of the control plane has the scheme https, and the agent has no credentials: start it with --ca-hash and the hash that the control plane printed"
    )]
    NoHash,
    #[error("the CA in the credentials of the agent cannot be used")]
    BadCa(#[from] BadCertificate),
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No answer, or not one of the control plane: the same call may work later.
    #[error("the control plane does not answer")]
    NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another program answers than the control plane that the agent knows.
    #[error(
        "the certificate of the control plane is not accepted: check the URL, and that --ca-hash is the hash that the control plane prints when it starts"
    )]
    Untrusted(#[source] io::Error),
    /// The control plane cannot answer now.
    #[error("the control plane answered {status}: {message}")]
    Unavailable { status: StatusCode, message: String },
    /// The control plane refuses the call.
    #[error("the control plane refused: {message}")]
    Refused {
        status: StatusCode,
        code: Option<String>,
        /// The host that was deleted.
        host: Option<HostId>,
        message: String,
    },
    #[error("the new credentials cannot be kept")]
    NotKept(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl CallError {
    pub(super) fn no_answer(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::NoAnswer(error.into())
    }

    /// Whether the credential of the call is not valid.
    pub(crate) fn is_unauthorized(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN,
                ..
            }
        )
    }

    /// Whether the same call may work later.
    pub(crate) fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::NoAnswer(_) | Self::Unavailable { .. } | Self::NotKept(_)
        )
    }

    /// Whether the control plane refused the call with this code.
    pub(crate) fn has(&self, expected: ErrorCode) -> bool {
        match self {
            Self::Refused { code, .. } => code.as_deref() == Some(expected.as_str()),
            Self::NoAnswer(_)
            | Self::Untrusted(_)
            | Self::Unavailable { .. }
            | Self::NotKept(_) => false,
        }
    }

    /// Whether the control plane says that it deleted this host.
    pub(crate) fn deletes(&self, id: HostId) -> bool {
        let is_own = matches!(self, Self::Refused { host: Some(deleted), .. } if *deleted == id);
        is_own && self.has(ErrorCode::HostDeleted)
    }

    /// Whether the answer is not the control plane's: a heartbeat has no other "not found" than that of a deleted host.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: StatusCode::NOT_FOUND,
                ..
            }
        )
    }
}

impl ControlPlane {
    pub(crate) async fn register(
        &self,
        request: &RegisterHostRequest,
    ) -> Result<HostCredentials, CallError> {
        let answer = self.call("/v1/hosts/register", None, request).await?;
        serde_json::from_slice(&answer).map_err(CallError::no_answer)
    }

    /// Gets new credentials. `token`: the access token that the agent has, by which the control plane knows an agent that did not
    /// receive the answer to its last refresh.
    pub(crate) async fn refresh(
        &self,
        request: &RefreshHostRequest,
        token: &str,
    ) -> Result<HostCredentials, CallError> {
        let path = "/v1/hosts/auth/refresh";
        let answer = self.call(path, Some(token), request).await?;
        serde_json::from_slice(&answer).map_err(CallError::no_answer)
    }

    pub(crate) async fn heartbeat(
        &self,
        host: HostId,
        token: &str,
        heartbeat: &HostHeartbeat,
    ) -> Result<(), CallError> {
        let path = format!("/v1/hosts/{host}/heartbeat");
        self.call(&path, Some(token), heartbeat).await.map(drop)
    }

    /// Sends a request with a JSON body and returns the body of the answer.
    async fn call(
        &self,
        path: &str,
        token: Option<&str>,
        body: &(impl Serialize + Sync),
    ) -> Result<Bytes, CallError> {
        let body = serde_json::to_vec(body).map_err(CallError::no_answer)?;
        let request = self.request(Method::POST, path, token);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.whole(request, body.into()).await
    }

    /// A request of this host.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
    ) -> http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.server.authority);
        match token {
            Some(token) => request.header(HOST_TOKEN_HEADER, token),
            None => request,
        }
    }

    /// Sends a request and reads the answer to its end, within the time limit.
    pub(super) async fn whole(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Bytes, CallError> {
        let exchanged = async { read(self.exchange(request, body).await?).await };
        let exchanged = tokio::time::timeout(TIME_LIMIT, exchanged).await;
        exchanged.map_err(CallError::no_answer)?
    }

    /// Sends a request, and returns the answer when its head has arrived. A refusal is read to its end.
    pub(super) async fn exchange(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Response<ExchangeBody>, CallError> {
        let request = request.body(Full::new(body));
        let request = request.map_err(CallError::no_answer)?;
        let stream: HostStream = self.connect().await.map_err(not_connected)?;
        let response = http1::exchange(stream, request).await;
        let response = response.map_err(CallError::no_answer)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        Err(refusal(status, &read(response).await?))
    }

    async fn connect(&self) -> io::Result<HostStream> {
        let stream = TcpStream::connect(&self.server.address).await?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        set_options(&stream)?;
        let stream = dial_control(tls.clone(), stream).await?;
        Ok(Box::new(stream))
    }
}

async fn read(response: Response<ExchangeBody>) -> Result<Bytes, CallError> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect();
    Ok(body.await.map_err(CallError::no_answer)?.to_bytes())
}

fn refusal(status: StatusCode, answer: &[u8]) -> CallError {
    let error = serde_json::from_slice::<ErrorBody>(answer).ok();
    let (code, host, message) = match error {
        Some(ErrorBody { error, .. }) => (Some(error.code), error.host_id, error.message),
        None => (None, None, status.to_string()),
    };
    // 429 and 408 say that the same call may work later, as every 5xx does.
    let is_temporary = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    if is_temporary {
        CallError::Unavailable { status, message }
    } else {
        CallError::Refused {
            status,
            code,
            host,
            message,
        }
    }
}

/// A certificate that is not accepted is not so later either.
fn not_connected(error: io::Error) -> CallError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => CallError::Untrusted(error),
        _ => CallError::no_answer(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_plane_is_reached_without_encryption_on_loopback_only() {
        for text in [
            "http://127.0.0.1:8000",
            "http://localhost:8000/",
            "http://[::1]:8000",
        ] {
            assert!(Server::at(text, false).is_ok(), "{text}");
        }
        for text in [
            "http://10.0.0.7:8000",
            "http://control.example",
            "http://localhost.example:1",
        ] {
            let refused = Server::at(text, false);
            assert!(matches!(refused, Err(BadServer::Plain)), "{text}");
            assert!(Server::at(text, true).is_ok(), "{text}");
        }
        let encrypted = Server::at("https://control.example", false).unwrap();
        assert_eq!(encrypted.address, "control.example:443");
        assert_eq!(encrypted.to_string(), "https://control.example");
        for text in [
            "",
            "127.0.0.1:8000",
            "ftp://127.0.0.1",
            "http://127.0.0.1/api",
            "http://127.0.0.1?x",
        ] {
            let refused = Server::at(text, true);
            assert!(matches!(refused, Err(BadServer::Form)), "{text}");
        }
    }
}
