//! The end of a connection whose client may still be sending, because its request was answered before it was read whole.
//!
//! A client that is still sending when its connection closes sees a broken connection, not the answer that was on its way. So
//! what it sends is read on, within bounds, before the connection closes.

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

const BYTES_MAX: usize = 1024 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(30);
const CHUNK_BYTES: usize = 16 * 1024;

/// Whether the last request of a connection was answered before it was read whole.
#[derive(Debug, Clone, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// The body of the next request.
    pub(super) fn watch(&self, body: Incoming) -> Heard {
        self.0.store(false, Ordering::Relaxed);
        Heard {
            body,
            ended: false,
            unread: self.clone(),
        }
    }

    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body of a request; notices when it is dropped unread.
pub(super) struct Heard {
    body: Incoming,
    ended: bool,
    unread: Unread,
}

impl HttpBody for Heard {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let next = ready!(Pin::new(&mut self.body).poll_frame(context));
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

impl Drop for Heard {
    fn drop(&mut self) {
        let unread = !self.ended && !self.body.is_end_stream();
        self.unread.0.store(unread, Ordering::Relaxed);
    }
}

/// Reads what a client still sends.
pub(super) struct Farewell {
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    bytes_left: usize,
}

impl Farewell {
    pub(super) fn new(stop: CancellationToken) -> Self {
        let over = async move {
            tokio::select! {
                () = tokio::time::sleep(TIME_MAX) => {}
                () = stop.cancelled() => {}
            }
        };
        Self {
            over: Box::pin(over),
            bytes_left: BYTES_MAX,
        }
    }

    /// Ready when the client has left, or has had its time.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<()> {
        let mut buffer = [0; CHUNK_BYTES];
        while self.over.as_mut().poll(context).is_pending() && self.bytes_left > 0 {
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
