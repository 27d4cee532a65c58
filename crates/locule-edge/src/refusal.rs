//! The proxy's own error responses. The SDKs read these bodies: `is_running()` looks for "was not found".

use http::{HeaderValue, Response, StatusCode, header};
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
    #[error("The sandbox is changing its state; try again")]
    Changing,
    #[error("The traffic access token is missing or wrong")]
    Forbidden,
    #[error("The host of the sandbox is not reachable")]
    HostUnavailable,
    #[error("{0}")]
    Address(AddressError),
    /// A path of the guest agent that only the host agent may call.
    #[error("not found")]
    Control,
    #[error("the method CONNECT is not supported on the port of a sandbox")]
    Tunnel,
    #[error("internal error")]
    Internal,
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
            Self::NotFound | Self::PortClosed => StatusCode::BAD_GATEWAY,
            Self::Changing => StatusCode::CONFLICT,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::HostUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Address(_) => StatusCode::BAD_REQUEST,
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
            port: (self == Self::PortClosed).then_some(port),
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
            TransportError::PortClosed | TransportError::Broken => Self::PortClosed,
            TransportError::Changing => Self::Changing,
            TransportError::Host(_) | TransportError::Exchange(_) => Self::HostUnavailable,
            TransportError::Request(_) => Self::Internal,
        }
    }
}
