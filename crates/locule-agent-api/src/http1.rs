//! One HTTP/1.1 exchange over a byte stream that the caller opened: a Unix socket, or one inside a namespace.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

/// The buffers of an exchange with a client of the platform or a program in a sandbox: one of this size for each direction while the
/// client is slow. The head of a response must fit.
pub const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The size of a head is its limit. The parser keeps a place for each header, so their number needs a bound of its own.
pub const HEADERS_MAX: usize = 1024;
/// What the parts of the platform add to a request on its way to a program.
pub const ADDED_HEADERS_MAX: usize = 16;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response. The connection closes with the value.
#[derive(Debug)]
pub struct ExchangeBody {
    body: Incoming,
    _connection: Connection,
}

impl Body for ExchangeBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The task of a connection. It ends with the value, also while the other side does not read the request: a program that
/// never reads would otherwise keep the request in memory after its client has gone.
#[derive(Debug)]
struct Connection(Option<AbortHandle>);

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Sends one request and returns the response when its head has arrived. The connection closes when the caller drops the
/// future, the body of the response, or the upgraded stream.
pub async fn exchange<S, B>(stream: S, request: Request<B>) -> hyper::Result<Response<ExchangeBody>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    exchange_within(stream, request, BUFFER_BYTES_MAX).await
}

/// As [`exchange`]. Each exchange whose client is slow holds a buffer of `buffer_bytes_max` for each direction; the head of a
/// response must fit.
pub async fn exchange_within<S, B>(
    stream: S,
    request: Request<B>,
    buffer_bytes_max: usize,
) -> hyper::Result<Response<ExchangeBody>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(buffer_bytes_max)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(stream))
        .await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the response, which the caller owns"
    )]
    let task = tokio::spawn(connection.with_upgrades());
    let mut connection = Connection(Some(task.abort_handle()));
    let response = sender.send_request(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // The task ends when it hands the stream over.
        connection.0 = None;
    }
    Ok(response.map(|body| ExchangeBody {
        body,
        _connection: connection,
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    const BODY_BYTES: usize = 1 << 20;

    fn request() -> Request<Body> {
        Request::new(Body::from(vec![b'x'; BODY_BYTES]))
    }

    /// What arrives of a request whose sender has gone.
    async fn arrives(mut program: DuplexStream) -> usize {
        let mut arrived = Vec::new();
        program.read_to_end(&mut arrived).await.unwrap();
        arrived.len()
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_ends_while_the_program_does_not_read() {
        let (ours, mut program) = duplex(1024);
        let mut sent = Box::pin(exchange(ours, request()));
        assert!((&mut sent).now_or_never().is_none());
        program.read_exact(&mut [0; 16]).await.unwrap();
        drop(sent);
        let arrived = arrives(program).await;
        assert!(arrived < BODY_BYTES, "{arrived}");
    }

    #[tokio::test]
    async fn a_response_that_is_dropped_ends_while_the_program_does_not_read() {
        let (ours, mut program) = duplex(1024);
        let early = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1\r\n\r\n";
        let (response, ()) = tokio::join!(exchange(ours, request()), async {
            program.read_exact(&mut [0; 16]).await.unwrap();
            program.write_all(early).await.unwrap();
        });
        drop(response.unwrap());
        let arrived = arrives(program).await;
        assert!(arrived < BODY_BYTES, "{arrived}");
    }
}
