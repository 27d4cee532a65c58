//! One connection: its phases, its timeouts, and its close.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use locule_edge::HEADERS_MAX;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::idle_limit::Entry;
use super::lingering_close::{UnreadBody, WatchedBody};
use super::phase::{InProgress, Phase};
use super::stream::WatchedStream;
use super::{ConnectionCount, Listener, ListenerLimits};
use crate::address::PeerAddress;
use crate::connection::Connection;
use crate::dialect::in_dialect;
use crate::error::ApiError;

const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// Serves a connection until the client closes it, a timeout passes, or the idle limit evicts it.
pub(super) async fn serve(
    stream: TcpStream,
    app: Router,
    (entry, counted): (Entry, ConnectionCount),
    listener: Arc<Listener>,
    stop: CancellationToken,
) {
    let limits = listener.limits.clone();
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
    let handle = Connection::default();
    let watched = handle.clone();
    let io = WatchedStream {
        stream,
        phase: phase.clone(),
        unread: unread.clone(),
        connection: handle.clone(),
        counted,
        stop: stop.clone(),
        lingering_close: None,
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        request.extensions_mut().insert(handle.clone());
        let admitted = listener.admit(&request, peer, &handle);
        let busy = InProgress::begin(phase.clone(), handle.clone());
        let request = request.map(|body| unread.watch(body, phase.clone()));
        answer(&app, busy, request, admitted)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Hyper's timeout would also run while an idle connection waits for a request; `overdue` tells the two apart.
        .header_read_timeout(None)
        .max_header_size(limits.head_bytes_max)
        .max_headers(HEADERS_MAX)
        // A connection whose client is slow holds a buffer of this size for each direction.
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let overdue = overdue(phases, entry, &limits, watched);
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
    busy: InProgress,
    request: Request<WatchedBody>,
    admitted: Result<(), ApiError>,
) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + use<> {
    let app = app.clone();
    async move {
        let answer = match admitted {
            Ok(()) => app.oneshot(request).await?,
            Err(refusal) => in_dialect(request.uri().path(), refusal),
        };
        busy.answers(answer.status());
        Ok(answer.map(|body| ResponseBody { body, _busy: busy }))
    }
}

/// Returns when the connection has been in one phase for too long. Keeps the connection's idle-limit entry up to date.
async fn overdue(
    mut phases: watch::Receiver<Phase>,
    mut entry: Entry,
    limits: &ListenerLimits,
    connection: Connection,
) {
    loop {
        let phase = *phases.borrow_and_update();
        match phase {
            Phase::Busy | Phase::Answering => entry.set_busy(),
            // Bytes of the body arrived since the last wait: the connection is not the one that has been quiet for longest.
            Phase::AwaitingBody => {
                entry.set_busy();
                entry.set_idle();
            }
            Phase::Reading | Phase::Idle => entry.set_idle(),
        }
        let changed = match phase {
            Phase::Answering if connection.holds_answer() => {
                changes_within(&mut phases, limits.held_answer_timeout).await
            }
            Phase::Busy | Phase::AwaitingBody | Phase::Answering => phases.changed().await.is_ok(),
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

/// The body of a response. The request is in progress until the body has been sent.
struct ResponseBody {
    body: Body,
    _busy: InProgress,
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
