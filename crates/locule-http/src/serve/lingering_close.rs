//! Lingering close: the server sends its response and shuts down the sending side, then reads and discards what the client
//! still sends, and only then closes the connection.
//!
//! A response may be sent before the request body was read to its end, for example when the body is too large. If the server
//! closed the connection at once, the client's remaining bytes would be answered by a TCP reset, which can discard the response
//! before the client reads it. Time and bytes are limited.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::phase::{Phase, PhaseSender};

const BYTES_MAX: usize = 1024 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(30);
const CHUNK_BYTES: usize = 16 * 1024;

/// Whether the last request of a connection was answered before its body was read to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct UnreadBody(Arc<AtomicBool>);

impl UnreadBody {
    /// Wraps the body of the next request.
    pub(super) fn watch(&self, body: Incoming, phase: PhaseSender) -> WatchedBody {
        self.0.store(false, Ordering::Relaxed);
        WatchedBody {
            body,
            ended: false,
            unread: self.clone(),
            phase,
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body of a request. Records in [`UnreadBody`] whether the body was dropped before its end, and in the phase whether the
/// server waits for the client.
pub(super) struct WatchedBody {
    body: Incoming,
    ended: bool,
    unread: UnreadBody,
    phase: PhaseSender,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let (from, to) = if polled.is_pending() {
            (Phase::Busy, Phase::AwaitingBody)
        } else {
            (Phase::AwaitingBody, Phase::Busy)
        };
        self.phase.send_if_modified(|phase| {
            let changes = *phase == from;
            if changes {
                *phase = to;
            }
            changes
        });
        let next = ready!(polled);
        self.ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        let unread = !self.ended && !self.body.is_end_stream();
        self.unread.0.store(unread, Ordering::Relaxed);
        self.phase.send_if_modified(|phase| {
            let waited = *phase == Phase::AwaitingBody;
            if waited {
                *phase = Phase::Busy;
            }
            waited
        });
    }
}

/// Reads and discards what a client still sends.
pub(super) struct LingeringClose {
    time_over: Pin<Box<dyn Future<Output = ()> + Send>>,
    bytes_left: usize,
}

impl LingeringClose {
    pub(super) fn new(stop: CancellationToken) -> Self {
        let time_over = async move {
            tokio::select! {
                () = tokio::time::sleep(TIME_MAX) => {}
                () = stop.cancelled() => {}
            }
        };
        Self {
            time_over: Box::pin(time_over),
            bytes_left: BYTES_MAX,
        }
    }

    /// Ready when the client has closed the connection, or a limit is reached.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<()> {
        let mut buffer = [0; CHUNK_BYTES];
        while self.time_over.as_mut().poll(context).is_pending() && self.bytes_left > 0 {
            let mut buffer = ReadBuf::new(&mut buffer);
            let read = ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            self.bytes_left = self.bytes_left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}
