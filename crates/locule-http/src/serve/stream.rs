//! The byte stream of one connection, as the listener watches and bounds it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::ConnectionCount;
use super::lingering_close::{LingeringClose, UnreadBody};
use super::phase::{Phase, PhaseSender};
use crate::connection::Connection;

/// A bounded read goes through a buffer of this size.
const PART_BYTES: usize = 1024;

/// A stream that changes the phase when the first byte of a head arrives, and that closes lingeringly.
pub(super) struct WatchedStream {
    pub(super) stream: TcpStream,
    pub(super) phase: PhaseSender,
    pub(super) unread: UnreadBody,
    pub(super) connection: Connection,
    /// What the connection counts as. A connection that continues with another protocol counts until it is closed.
    #[expect(dead_code, reason = "dropping the value ends the count")]
    pub(super) counted: ConnectionCount,
    pub(super) stop: CancellationToken,
    /// Present after the sending side was shut down.
    pub(super) lingering_close: Option<LingeringClose>,
}

impl Drop for WatchedStream {
    fn drop(&mut self) {
        self.connection.closed();
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let allowance = ready!(self.connection.poll_allowance(context));
        let before = buffer.filled().len();
        let this = &mut *self;
        ready!(read_at_most(&mut this.stream, context, buffer, allowance))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.connection.received(read)?;
            self.phase.send_if_modified(|phase| {
                let begins = *phase == Phase::Idle;
                if begins {
                    *phase = Phase::Reading;
                }
                begins
            });
        }
        Poll::Ready(Ok(()))
    }
}

fn read_at_most(
    stream: &mut TcpStream,
    context: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
    most: usize,
) -> Poll<io::Result<()>> {
    let mut stream = Pin::new(stream);
    if most >= buffer.remaining() {
        return stream.poll_read(context, buffer);
    }
    let mut part = [0; PART_BYTES];
    let mut part = ReadBuf::new(&mut part[..most.min(PART_BYTES)]);
    ready!(stream.as_mut().poll_read(context, &mut part))?;
    buffer.put_slice(part.filled());
    Poll::Ready(Ok(()))
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
