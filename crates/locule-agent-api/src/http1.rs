//! One HTTP/1.1 exchange over a byte stream that the caller opened: a Unix socket, or one inside a namespace.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// The buffers of an exchange with a client of the platform or a program in a sandbox: one of this size for each direction while the
/// client is slow. The head of a response must fit.
pub const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The size of a head is its limit. The parser keeps a place for each header, so their number needs a bound of its own.
pub const HEADERS_MAX: usize = 1024;
/// What the parts of the platform add to a request on its way to a program.
pub const ADDED_HEADERS_MAX: usize = 16;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sends one request and returns the response when its head has arrived. The connection closes when the caller drops the body
/// of the response, or the upgraded stream.
pub async fn exchange<S, B>(stream: S, request: Request<B>) -> hyper::Result<Response<Incoming>>
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
) -> hyper::Result<Response<Incoming>>
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
    // The task ends with the exchange: when the caller has read or dropped the body of the response.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the response, which the caller owns"
    )]
    tokio::spawn(connection.with_upgrades());
    sender.send_request(request).await
}
