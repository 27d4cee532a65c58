//! One connection, watched.

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::ListenerLimits;
use super::farewell::{Farewell, Heard, Unread};
use super::quiet::Place;
use crate::extract::PeerAddress;

const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of a request is expected, or has begun.
    Reading,
    /// A request is being answered.
    Busy,
    /// Answered; another request may come.
    Idle,
}

type Doing = Arc<watch::Sender<Phase>>;

/// Serves a connection until it ends, has been silent for too long, or must make room for others.
pub(super) async fn serve(
    stream: TcpStream,
    app: Router,
    place: Place,
    limits: Arc<ListenerLimits>,
    stop: CancellationToken,
) {
    // Streamed frames are small and wanted at once; with Nagle's algorithm on they come 40 ms late.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY not set");
    }
    if let Err(error) = keep_alive(&stream) {
        tracing::debug!(%error, "TCP keep-alive not set");
    }
    let peer = stream.peer_addr().ok().map(|peer| PeerAddress(peer.ip()));
    let (doing, done) = watch::channel(Phase::Reading);
    let doing = Arc::new(doing);
    let evicted = place.evicted.clone();
    let unread = Unread::default();
    let io = Watched {
        stream,
        doing: doing.clone(),
        unread: unread.clone(),
        stop: stop.clone(),
        farewell: None,
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        answer(&app, &doing, request.map(|body| unread.watch(body)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Ours tells the beginning of a head from the wait for one.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let overdue = overdue(done, place, &limits);
    tokio::pin!(connection, overdue);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
                return;
            }
            () = &mut overdue => return,
            () = evicted.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A client whose machine vanished never says so: the kernel asks, and breaks the connection when nobody answers. One that
/// merely does not read is left alone.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    Ok(sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?)
}

fn answer(
    app: &Router,
    doing: &Doing,
    request: Request<Heard>,
) -> impl Future<Output = Result<Response<Held>, Infallible>> + use<> {
    let busy = Busy::begin(doing.clone());
    let answer = app.clone().oneshot(request);
    async move { Ok(answer.await?.map(|body| Held { body, _busy: busy })) }
}

/// Comes back when the connection has been in its phase for too long. Keeps its place up to date.
async fn overdue(mut doing: watch::Receiver<Phase>, mut place: Place, limits: &ListenerLimits) {
    loop {
        let phase = *doing.borrow_and_update();
        if phase == Phase::Busy {
            place.be_busy();
        } else {
            place.be_quiet();
        }
        let changed = match phase {
            Phase::Busy => doing.changed().await.is_ok(),
            Phase::Reading => changes_within(&mut doing, limits.head_timeout).await,
            Phase::Idle => changes_within(&mut doing, limits.idle_timeout).await,
        };
        if !changed {
            return;
        }
    }
}

async fn changes_within(doing: &mut watch::Receiver<Phase>, time: Duration) -> bool {
    matches!(
        tokio::time::timeout(time, doing.changed()).await,
        Ok(Ok(()))
    )
}

/// A request is being answered until this is dropped.
struct Busy(Doing);

impl Busy {
    fn begin(doing: Doing) -> Self {
        doing.send_replace(Phase::Busy);
        Self(doing)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_replace(Phase::Idle);
    }
}

/// The body of an answer; the request is under way until it has been sent.
struct Held {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells when the first byte of a head arrives.
struct Watched {
    stream: TcpStream,
    doing: Doing,
    unread: Unread,
    stop: CancellationToken,
    /// Once our side is closed.
    farewell: Option<Farewell>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.doing.send_if_modified(|phase| {
                let begins = *phase == Phase::Idle;
                if begins {
                    *phase = Phase::Reading;
                }
                begins
            });
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.unread.is_so() {
                return Poll::Ready(Ok(()));
            }
        }
        let farewell = || Farewell::new(this.stop.clone());
        let farewell = this.farewell.get_or_insert_with(farewell);
        farewell.poll(context, &mut this.stream).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
