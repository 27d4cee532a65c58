//! A connection to a port that a program in the guest opened on a loopback address only, through the guest agent.

use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use locule_agent_api::http1::exchange;
use locule_guest_api::{
    CONTROL_KEY_HEADER, GUEST_PORT, TUNNEL_PATH, TUNNEL_PORT_HEADER, TUNNEL_PROTOCOL,
};
use locule_net::SandboxNet;
use tokio::io::{AsyncRead, AsyncWrite};

use super::transport::GuestError;

/// Opens a tunnel. Fails when no program listens on the port.
pub(crate) async fn open_tunnel(
    net: &SandboxNet,
    key: &str,
    port: u16,
    timeout: Duration,
) -> Result<TokioIo<Upgraded>, GuestError> {
    let work = async {
        let stream = net.connect(GUEST_PORT, timeout).await;
        open_over(stream.map_err(GuestError::Connect)?, key, port).await
    };
    tokio::time::timeout(timeout, work)
        .await
        .map_err(|_| GuestError::Silent)?
}

async fn open_over<S>(stream: S, key: &str, port: u16) -> Result<TokioIo<Upgraded>, GuestError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let request = Request::post(TUNNEL_PATH)
        .header(header::HOST, "guest")
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, TUNNEL_PROTOCOL)
        .header(CONTROL_KEY_HEADER, key)
        .header(TUNNEL_PORT_HEADER, port)
        .body(Empty::<Bytes>::new())
        .map_err(|_| GuestError::Unparsable)?;
    let response = exchange(stream, request).await.map_err(GuestError::Http)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(GuestError::Refused {
            path: TUNNEL_PATH,
            status: response.status(),
        });
    }
    let tunnel = hyper::upgrade::on(response).await;
    Ok(TokioIo::new(tunnel.map_err(GuestError::Http)?))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Opens a tunnel to a guest that answers with these bytes.
    async fn opened(answer: &[u8]) -> (String, Result<Vec<u8>, GuestError>) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let guest = async {
            let mut request = [0; 4096];
            let length = theirs.read(&mut request).await.unwrap();
            theirs.write_all(answer).await.unwrap();
            drop(theirs);
            String::from_utf8_lossy(&request[..length]).into_owned()
        };
        let host = async {
            let mut tunnel = open_over(ours, "key", 8000).await?;
            let mut bytes = Vec::new();
            tunnel.read_to_end(&mut bytes).await.unwrap();
            Ok(bytes)
        };
        tokio::join!(guest, host)
    }

    #[tokio::test]
    async fn a_tunnel_carries_the_bytes_of_the_program_from_the_first() {
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: locule-tunnel\r\n\r\nhello";
        let (request, bytes) = opened(answer).await;
        assert!(
            request.contains("locule-tunnel-port: 8000\r\n"),
            "{request}"
        );
        assert!(request.contains("locule-control-key: key\r\n"), "{request}");
        assert_eq!(bytes.unwrap(), b"hello");
    }

    #[tokio::test]
    async fn an_answer_of_the_guest_that_opens_no_tunnel_is_an_error() {
        for answer in [
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 401 Unauthorized\r\n\r\n",
            "SSH-2.0-x\r\n",
            "",
        ] {
            let (_, bytes) = opened(answer.as_bytes()).await;
            bytes.unwrap_err();
        }
    }
}
