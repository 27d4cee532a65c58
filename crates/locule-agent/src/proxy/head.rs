//! The time limit for the head of the response of a program in a sandbox: a program that never answers holds a request, and with it
//! one of the uses that all visitors share. Once the head has come, a response lasts as long as the program and its client like.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;

/// From the last piece of the request's body to the head of the response. Longer than programs let a client wait that polls.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_mins(5);

/// A request body that tells when a piece of it is passed on. It is dropped when all of it is.
struct Watched {
    inner: Body,
    chunks: watch::Sender<()>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        self.chunks.send_replace(());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body, and what ends once the head of the response is overdue.
pub(super) fn watched(body: Body) -> (Body, impl Future<Output = ()>) {
    let (chunks, mut passed) = watch::channel(());
    let body = Body::new(Watched {
        inner: body,
        chunks,
    });
    let overdue = async move {
        loop {
            match tokio::time::timeout(HEAD_TIMEOUT, passed.changed()).await {
                Ok(Ok(())) => {}
                // The whole body is passed on.
                Ok(Err(_)) => return tokio::time::sleep(HEAD_TIMEOUT).await,
                Err(_) => return,
            }
        }
    };
    (body, overdue)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::time::Instant;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn the_time_begins_when_the_request_was_passed_on() {
        let began = Instant::now();
        let (body, overdue) = watched(Body::from("text"));
        let read = async {
            tokio::time::sleep(MINUTE).await;
            assert_eq!(body.collect().await.unwrap().to_bytes(), "text");
        };
        tokio::join!(read, overdue);
        assert_eq!(began.elapsed(), MINUTE + HEAD_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_lasts_as_long_as_its_chunks_come() {
        let began = Instant::now();
        let chunks = futures::stream::unfold(0, |number| async move {
            tokio::time::sleep(MINUTE * 4).await;
            (number < 10).then_some((Ok::<_, std::io::Error>("piece"), number + 1))
        });
        let (body, overdue) = watched(Body::from_stream(chunks));
        tokio::join!(body.collect(), overdue).0.unwrap();
        assert_eq!(began.elapsed(), MINUTE * 44 + HEAD_TIMEOUT);
        // A body that stalls is overdue too.
        let (body, overdue) = watched(Body::from_stream(futures::stream::pending::<
            Result<Bytes, std::io::Error>,
        >()));
        let began = Instant::now();
        tokio::select! {
            () = overdue => {}
            _ = body.collect() => {}
        }
        assert_eq!(began.elapsed(), HEAD_TIMEOUT);
    }

    #[test]
    fn the_length_of_a_body_stays_known() {
        let (body, _) = watched(Body::from("text"));
        assert_eq!(body.size_hint().exact(), Some(4));
    }
}
