//! One HTTP exchange with a guest agent. The answer is hostile: it is bounded in size and time.

use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use locule_agent_api::http1::{ExchangeBody, exchange};
use locule_guest_api::{CONTROL_KEY_HEADER, GUEST_PORT};
use locule_net::SandboxNet;
use serde::Serialize;
use serde::de::DeserializeOwned;

const BODY_BYTES_MAX: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum GuestError {
    #[error("the guest agent did not answer in time")]
    Silent,
    #[error("connect to the guest agent")]
    Connect(#[source] std::io::Error),
    #[error("exchange a request with the guest agent")]
    Http(#[source] hyper::Error),
    #[error("the guest agent answered {status} to {path}")]
    Refused {
        path: &'static str,
        status: StatusCode,
    },
    #[error("the guest agent's answer cannot be parsed")]
    Unparsable,
}

impl GuestError {
    /// Whether the guest refused the control key: the guest belongs to another sandbox, or to none any more.
    pub(crate) fn is_wrong_key(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }
}

/// Calls a path of the guest agent that only the host may call.
pub(super) async fn call<T: DeserializeOwned>(
    net: &SandboxNet,
    key: &str,
    path: &'static str,
    body: Vec<u8>,
    timeout: Duration,
) -> Result<Option<T>, GuestError> {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(CONTROL_KEY_HEADER, key);
    let work = async {
        let bytes = send(net, path, request, body).await?;
        parse(&bytes)
    };
    tokio::time::timeout(timeout, work)
        .await
        .map_err(|_| GuestError::Silent)?
}

pub(super) async fn send(
    net: &SandboxNet,
    path: &'static str,
    request: http::request::Builder,
    body: Vec<u8>,
) -> Result<Bytes, GuestError> {
    let stream = net
        .connect(GUEST_PORT, CONNECT_TIMEOUT)
        .await
        .map_err(GuestError::Connect)?;
    let request = request
        .header(header::HOST, "guest")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| GuestError::Unparsable)?;
    let response = exchange(stream, request).await.map_err(GuestError::Http)?;
    read(path, response).await
}

async fn read(path: &'static str, response: Response<ExchangeBody>) -> Result<Bytes, GuestError> {
    let status = response.status();
    if !status.is_success() {
        return Err(GuestError::Refused { path, status });
    }
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX)
        .collect()
        .await
        .map_err(|_| GuestError::Unparsable)?;
    Ok(body.to_bytes())
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, GuestError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(bytes)
        .map(Some)
        .map_err(|_| GuestError::Unparsable)
}

pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    // Plain structures with text keys: serialisation cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod fuzz {
    use locule_guest_api::control::InitResponse;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// The host sends a request; the guest answers `bytes` and closes the connection.
    async fn exchanged(bytes: &[u8]) -> Result<Option<InitResponse>, GuestError> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 17);
        let guest = async {
            let mut request = [0; 4096];
            // The host may have given up already.
            let _ = theirs.read(&mut request).await;
            let _ = theirs.write_all(bytes).await;
            drop(theirs);
        };
        let host = async {
            let request = Request::post("/init").header(header::HOST, "guest");
            let request = request.body(Full::new(Bytes::new())).unwrap();
            let response = exchange(ours, request).await.map_err(GuestError::Http)?;
            parse(&read("/init", response).await?)
        };
        tokio::join!(host, guest).0
    }

    #[test]
    fn any_answer_of_a_guest_is_parsed_or_an_error() {
        let body = r#"{"guestVersion":"1","kernelVersion":"6.1","bootId":"b"}"#;
        let length = body.len();
        let seeds = [
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            ),
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
            ),
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\n{body}"),
            "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(),
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_owned(),
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
                .to_owned(),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let parsed = runtime.block_on(exchanged(seeds[0].as_bytes()));
        assert_eq!(parsed.unwrap().unwrap().kernel_version, "6.1");
        locule_fuzz::fuzz(&seeds, |bytes| {
            runtime.block_on(async {
                let exchanged =
                    tokio::time::timeout(Duration::from_secs(5), exchanged(bytes)).await;
                format!(
                    "{:?}",
                    exchanged.expect("an answer that ends is read to its end")
                )
            })
        });
    }
}
