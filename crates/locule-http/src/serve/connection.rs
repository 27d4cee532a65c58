//! One connection: its phases, its timeouts, and its close.

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
use super::idle_limit::Entry;
use super::lingering_close::{LingeringClose, UnreadBody, WatchedBody};
use crate::extract::PeerAddress;

const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The head of a request is awaited or partly received.
    Reading,
    /// A request is in progress.
    Busy,
    /// A request has been answered, and the next has not begun.
    Idle,
}

type PhaseSender = Arc<watch::Sender<Phase>>;

/// Serves a connection until the client closes it, a timeout passes, or the idle limit evicts it.
pub(super) async fn serve(
    stream: TcpStream,
    app: Router,
    entry: Entry,
    limits: Arc<ListenerLimits>,
    stop: CancellationToken,
) {
    // Streamed frames are small: with Nagle's algorithm they arrive 40 ms late.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY on an HTTP connection failed");
    }
    if let Err(error) = keep_alive(&stream) {
        tracing::debug!(%error, "setting TCP keep-alive on an HTTP connection failed");
    }
    let peer = stream.peer_addr().ok().map(|peer| PeerAddress(peer.ip()));
    let (phase, phases) = watch::channel(Phase::Reading);
    let phase = Arc::new(phase);
    let evicted = entry.evicted.clone();
    let unread = UnreadBody::default();
    let io = WatchedStream {
        stream,
        phase: phase.clone(),
        unread: unread.clone(),
        stop: stop.clone(),
        lingering_close: None,
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        answer(&app, &phase, request.map(|body| unread.watch(body)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper's timeout would also run while an idle connection waits for a request; `overdue` tells the two apart.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let overdue = overdue(phases, entry, &limits);
    tokio::pin!(connection, overdue);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "an HTTP connection ended with an error");
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

/// Makes the kernel probe an idle connection and break it when the client's machine does not respond. A client that responds but
/// does not read stays connected.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    Ok(sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?)
}

fn answer(
    app: &Router,
    phase: &PhaseSender,
    request: Request<WatchedBody>,
) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + use<> {
    let busy = Busy::begin(phase.clone());
    let answer = app.clone().oneshot(request);
    async move { Ok(answer.await?.map(|body| ResponseBody { body, _busy: busy })) }
}

/// Returns when the connection has been in one phase for too long. Keeps the connection's idle-limit entry up to date.
async fn overdue(mut phases: watch::Receiver<Phase>, mut entry: Entry, limits: &ListenerLimits) {
    loop {
        let phase = *phases.borrow_and_update();
        if phase == Phase::Busy {
            entry.set_busy();
        } else {
            entry.set_idle();
        }
        let changed = match phase {
            Phase::Busy => phases.changed().await.is_ok(),
            Phase::Reading => changes_within(&mut phases, limits.head_timeout).await,
            Phase::Idle => changes_within(&mut phases, limits.idle_timeout).await,
        };
        if !changed {
            return;
        }
    }
}

async fn changes_within(phases: &mut watch::Receiver<Phase>, time: Duration) -> bool {
    matches!(
        tokio::time::timeout(time, phases.changed()).await,
        Ok(Ok(()))
    )
}

/// The connection is [`Phase::Busy`] until this is dropped.
struct Busy(PhaseSender);

impl Busy {
    fn begin(phase: PhaseSender) -> Self {
        phase.send_replace(Phase::Busy);
        Self(phase)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_replace(Phase::Idle);
    }
}

/// The body of a response. The request is in progress until the body has been sent.
struct ResponseBody {
    body: Body,
    _busy: Busy,
}

impl HttpBody for ResponseBody {
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

/// A stream that changes the phase when the first byte of a head arrives, and that closes lingeringly.
struct WatchedStream {
    stream: TcpStream,
    phase: PhaseSender,
    unread: UnreadBody,
    stop: CancellationToken,
    /// Present after the sending side was shut down.
    lingering_close: Option<LingeringClose>,
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.phase.send_if_modified(|phase| {
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

impl AsyncWrite for WatchedStream {
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
        if this.lingering_close.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.unread.is_unread() {
                return Poll::Ready(Ok(()));
            }
        }
        let stop = &this.stop;
        this.lingering_close
            .get_or_insert_with(|| LingeringClose::new(stop.clone()))
            .poll(context, &mut this.stream)
            .map(Ok)
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
