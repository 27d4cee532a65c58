//! The proxy's own error responses. The SDKs read these bodies: `is_running()` looks for "was not found".

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use locule_ids::SandboxId;
use serde::Serialize;

use crate::{AddressError, TransportError};

/// Why a request was not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The sandbox is unknown, stopped or expired, or paused without automatic resume.
    #[error("The sandbox was not found")]
    NotFound,
    #[error("The sandbox is running but port is not open")]
    PortClosed,
    /// The program behind the port closed the connection, or its response is no HTTP or has a head that is too large.
    #[error("The sandbox is running but the response of the program on the port could not be read")]
    Broken,
    #[error("The sandbox is changing its state; try again")]
    Changing,
    #[error("Too many requests to the sandbox are in progress; try again")]
    Busy,
    #[error("The program on this port sent no response in time")]
    NoAnswer,
    /// The same answer for a private sandbox and for one that does not exist, so that an outsider cannot tell them apart.
    #[error(
        "The sandbox is private or does not exist; send its traffic access token or a key of its team"
    )]
    Forbidden,
    /// The same answer whatever is wrong with the link.
    #[error(
        "The link to the port was used before, is older than a minute or is not valid; make a new one"
    )]
    Link,
    #[error("The credential of this request is no longer valid")]
    Revoked,
    #[error("The host of the sandbox is not reachable")]
    HostUnavailable,
    #[error("{0}")]
    Address(AddressError),
    /// The operator has set a sandbox domain, and the host name is not under it.
    #[error(
        "The platform answers requests with the header E2b-Sandbox-Id under its sandbox domain only"
    )]
    Misdirected,
    /// A path of the guest agent that only the host agent may call.
    #[error("not found")]
    Control,
    #[error("the method CONNECT is not supported on the port of a sandbox")]
    Tunnel,
    #[error("internal error")]
    Internal,
}

#[derive(Serialize)]
struct GuestRefusalBody<'a> {
    code: u16,
    message: &'a str,
}

/// A refusal of a request to the guest agent's port, in the form in which the guest agent itself refuses requests.
pub fn guest_refusal(status: StatusCode, message: &str) -> Response<axum::body::Body> {
    let code = status.as_u16();
    let body = serde_json::to_vec(&GuestRefusalBody { code, message }).unwrap_or_default();
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    any_page_may_read(headers);
    response
}

/// The answer to a browser that asks whether a page may call the guest agent: as the guest agent answers, whatever the state
/// of the sandbox.
pub fn guest_preflight(requested: Option<&HeaderValue>) -> Response<axum::body::Body> {
    let any = HeaderValue::from_static("*");
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    any_page_may_read(headers);
    let methods = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, HEAD");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        requested.cloned().unwrap_or(any),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("7200"),
    );
    response
}

fn any_page_may_read(headers: &mut HeaderMap) {
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, any);
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusalBody<'a> {
    sandbox_id: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    code: u16,
}

impl Refusal {
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::PortClosed | Self::Broken => StatusCode::BAD_GATEWAY,
            Self::Changing => StatusCode::CONFLICT,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
            Self::Forbidden | Self::Link => StatusCode::FORBIDDEN,
            Self::Revoked => StatusCode::UNAUTHORIZED,
            Self::HostUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Address(_) => StatusCode::BAD_REQUEST,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Control => StatusCode::NOT_FOUND,
            Self::Tunnel => StatusCode::METHOD_NOT_ALLOWED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The error response; `sandbox` is `None` when the request named no valid sandbox id.
    pub fn response(self, sandbox: Option<SandboxId>, port: u16) -> Response<axum::body::Body> {
        let id = sandbox.map(SandboxId::base36).unwrap_or_default();
        let body = RefusalBody {
            sandbox_id: &id,
            message: &self.to_string(),
            port: matches!(self, Self::PortClosed | Self::Broken).then_some(port),
            code: self.status().as_u16(),
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(body.into());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        // A web page that calls a sandbox may read the error.
        let any_origin = HeaderValue::from_static("*");
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any_origin);
        response
    }
}

impl From<&TransportError> for Refusal {
    fn from(error: &TransportError) -> Self {
        match error {
            TransportError::NotRunning => Self::NotFound,
            TransportError::PortClosed => Self::PortClosed,
            TransportError::Broken => Self::Broken,
            TransportError::Changing => Self::Changing,
            TransportError::Busy => Self::Busy,
            TransportError::NoAnswer => Self::NoAnswer,
            TransportError::Revoked => Self::Revoked,
            TransportError::Host(_) | TransportError::Exchange(_) => Self::HostUnavailable,
            TransportError::Request(_) => Self::Internal,
        }
    }
}
