//! Bodies that break off when their caller loses its right.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A body that ends with an error when its token is cancelled. An end in order would look like the end of the work.
pub struct CutBody<B> {
    inner: Pin<Box<B>>,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The token is watched for as long as a connection holds it.
    _open: Arc<CancellationToken>,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    #[error("the credential of this request is no longer valid")]
    Revoked,
    #[error("the body broke off")]
    Broken(#[source] BoxError),
}

impl<B> CutBody<B> {
    pub(crate) fn new(inner: B, cut: &Arc<CancellationToken>) -> Self {
        Self {
            inner: Box::pin(inner),
            cancelled: Box::pin(CancellationToken::clone(cut).cancelled_owned()),
            _open: cut.clone(),
        }
    }
}

impl<B> std::fmt::Debug for CutBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CutBody").finish_non_exhaustive()
    }
}

impl<B> Body for CutBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = CutError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, CutError>>> {
        if self.cancelled.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(CutError::Revoked)));
        }
        let frame = self.inner.as_mut().poll_frame(context);
        frame.map_err(|error| CutError::Broken(error.into()))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
