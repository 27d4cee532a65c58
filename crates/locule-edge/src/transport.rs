//! One HTTP exchange with a port inside a sandbox, through its host's agent.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use locule_agent_api::http1::ExchangeBody;
use locule_agent_api::{Connector, DialError, PROXY_ERROR_HEADER, http1};
use locule_guest_api::rpc::client::{BoxFuture, ClientBody, ClientTransport};
use locule_guest_api::{ACCESS_TOKEN_HEADER, GUEST_PORT};
use locule_ids::SandboxId;
use tokio_util::sync::CancellationToken;

use crate::cut::CutBody;

/// The buffers of a call to the guest agent. A team may have a thousand calls in progress.
const CALL_BUFFER_BYTES_MAX: usize = 16 * 1024;

/// How to reach a running sandbox.
#[derive(Clone)]
pub struct Target {
    pub sandbox: SandboxId,
    pub connector: Connector,
    /// The access token of its guest agent, which no client knows. Added to calls of the platform and to admitted requests.
    pub access_token: String,
    /// Cancelled when the caller loses its right: every request, body and tunnel to the sandbox breaks off.
    pub cut: Arc<CancellationToken>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("sandbox", &self.sandbox)
            .finish_non_exhaustive()
    }
}

/// Why a request did not reach the program behind a port.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("the host agent is not reachable")]
    Host(#[source] Arc<DialError>),
    #[error("the connection to the host agent broke")]
    Exchange(#[source] hyper::Error),
    #[error("the request cannot be forwarded")]
    Request(#[from] http::Error),
    #[error("the host does not run this sandbox")]
    NotRunning,
    #[error("the sandbox is changing its state")]
    Changing,
    #[error("no program listens on this port of the sandbox")]
    PortClosed,
    #[error("the program on this port closed the connection, or its response cannot be read")]
    Broken,
    #[error("too many requests to the sandbox are in progress")]
    Busy,
    #[error("the program on this port sent no response in time")]
    NoAnswer,
    /// The caller lost its right while the request was under way.
    #[error("the credential of this request is no longer valid")]
    Revoked,
}

/// Sends requests to ports of one sandbox. Each request has its own connection, so that a stuck stream never delays another
/// call.
#[derive(Debug, Clone)]
pub struct AgentTransport {
    target: Target,
}

impl AgentTransport {
    pub fn new(target: Target) -> Self {
        Self { target }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends `request` to `port`. A refusal by the host agent is returned as an error; the answer of the program behind the
    /// port is returned as the response, whatever its status.
    pub async fn send<B>(
        &self,
        port: u16,
        request: Request<B>,
    ) -> Result<Response<CutBody<ExchangeBody>>, TransportError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.send_within(port, request, http1::BUFFER_BYTES_MAX)
            .await
    }

    async fn send_within<B>(
        &self,
        port: u16,
        request: Request<B>,
        buffer_bytes_max: usize,
    ) -> Result<Response<CutBody<ExchangeBody>>, TransportError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let cut = &self.target.cut;
        let request = request.map(|body| CutBody::new(body, cut));
        tokio::select! {
            biased;
            () = cut.cancelled() => Err(TransportError::Revoked),
            response = self.exchange(port, request, buffer_bytes_max) => {
                Ok(response?.map(|body| CutBody::new(body, cut)))
            }
        }
    }

    async fn exchange<B>(
        &self,
        port: u16,
        mut request: Request<B>,
        buffer_bytes_max: usize,
    ) -> Result<Response<ExchangeBody>, TransportError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        *request.uri_mut() = agent_uri(self.target.sandbox, port, request.uri())?;
        if !request.headers().contains_key(header::HOST) {
            let host =
                HeaderValue::from_str(&format!("localhost:{port}")).map_err(http::Error::from)?;
            request.headers_mut().insert(header::HOST, host);
        }
        let stream = self
            .target
            .connector
            .connect()
            .await
            .map_err(|error| TransportError::Host(Arc::new(error)))?;
        let response = http1::exchange_within(stream, request, buffer_bytes_max)
            .await
            .map_err(TransportError::Exchange)?;
        match response
            .headers()
            .get(PROXY_ERROR_HEADER)
            .map(HeaderValue::as_bytes)
        {
            None => Ok(response),
            Some(b"port_closed") => Err(TransportError::PortClosed),
            Some(b"broken") => Err(TransportError::Broken),
            Some(b"busy") => Err(TransportError::Busy),
            Some(b"no_answer") => Err(TransportError::NoAnswer),
            Some(b"draining") => Err(TransportError::Changing),
            Some(_) => Err(TransportError::NotRunning),
        }
    }
}

/// The host agent's URI for `uri` inside the sandbox. The path stays percent-encoded as the client sent it.
fn agent_uri(sandbox: SandboxId, port: u16, uri: &Uri) -> Result<Uri, http::Error> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(format!("/proxy/{sandbox}/{port}{slash}{path}").parse::<Uri>()?)
}

impl ClientTransport for AgentTransport {
    type ResponseBody = CutBody<ExchangeBody>;
    type Error = TransportError;

    fn send(
        &self,
        mut request: Request<ClientBody>,
    ) -> BoxFuture<'static, Result<Response<CutBody<ExchangeBody>>, TransportError>> {
        let transport = self.clone();
        Box::pin(async move {
            let token =
                HeaderValue::from_str(&transport.target.access_token).map_err(http::Error::from)?;
            request
                .headers_mut()
                .insert(HeaderName::from_static(ACCESS_TOKEN_HEADER), token);
            transport
                .send_within(GUEST_PORT, request, CALL_BUFFER_BYTES_MAX)
                .await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_forwarded_as_the_client_sent_it() {
        let id = SandboxId::from_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap());
        for (sent, expected) in [
            ("/", "/"),
            ("http://x/a%2Fb/?q=%20&r", "/a%2Fb/?q=%20&r"),
            ("*", "/*"),
        ] {
            let uri = agent_uri(id, 8080, &sent.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), format!("/proxy/{id}/8080{expected}"));
        }
    }
}
