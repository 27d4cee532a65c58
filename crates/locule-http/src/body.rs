//! Reading the body of a request within bounds of size, time and memory.

use std::error::Error;
use std::time::Duration;

use axum::RequestExt as _;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use bytes::Bytes;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::error::ApiError;
use crate::memory::{CallerTeam, Held, MemoryBudget};

/// Time in which a JSON body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// An upload must bring this much in each window of waiting: 1 KiB a second.
const WINDOW: Duration = Duration::from_secs(10);
const WINDOW_BYTES_MIN: usize = 10 * 1024;

/// Reads the whole body and returns the request with it. Until the request ends, the body counts as memory of the caller's team,
/// if there is one. Its maximum size is the `DefaultBodyLimit` of the route.
pub(crate) async fn whole(request: Request, memory: &MemoryBudget) -> Result<Request, ApiError> {
    let team = request.extensions().get::<CallerTeam>();
    let mut held = team.map(|CallerTeam(team)| memory.held_by(*team));
    let (parts, body) = request.with_limited_body().into_parts();
    let read = collect(body, held.as_mut());
    let bytes = tokio::time::timeout(BODY_TIMEOUT, read)
        .await
        .unwrap_or_else(|_| Err(ApiError::too_slow()))?;
    if let Some(held) = held {
        Connection::of(&parts).hold(held);
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Copies the frames: a frame of one byte keeps the listener's whole buffer.
async fn collect(mut body: Body, mut held: Option<&mut Held>) -> Result<Bytes, ApiError> {
    let mut whole = Vec::new();
    loop {
        let frame =
            std::future::poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context));
        let Some(frame) = frame.await else {
            return Ok(whole.into());
        };
        let Ok(data) = frame.map_err(|error| unreadable(&error))?.into_data() else {
            continue;
        };
        if let Some(held) = &mut held {
            // What is read from the body is as large, and is copied once more when the guest agent does not take it.
            held.add(2 * data.len())?;
        }
        whole.extend_from_slice(&data);
    }
}

fn unreadable(error: &axum::Error) -> ApiError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if current.is::<http_body_util::LengthLimitError>() {
            return ApiError::too_large("the body is larger than the operation accepts");
        }
        cause = current.source();
    }
    ApiError::invalid("the connection broke before the body had arrived")
}

/// The least rate of an upload. Only the time in which the server waits for the client counts.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: Duration,
    bytes: usize,
}

impl Pace {
    /// Waits for the next part of the body. Fails when the client sends too slowly.
    pub(crate) async fn wait<T, E>(
        &mut self,
        next: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError>
    where
        ApiError: From<E>,
    {
        let mut next = std::pin::pin!(next);
        loop {
            let began = Instant::now();
            let left = WINDOW.saturating_sub(self.waited);
            let read = tokio::time::timeout(left, next.as_mut()).await;
            self.waited += began.elapsed();
            match read {
                Ok(read) => return Ok(read?),
                Err(_) if self.bytes < WINDOW_BYTES_MIN => return Err(ApiError::too_slow_upload()),
                Err(_) => *self = Self::default(),
            }
        }
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        self.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = Result<(), ApiError>;

    async fn arrives_after(seconds: u64) -> Read {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_stalls_is_refused_however_much_it_sent_before() {
        let mut pace = Pace::default();
        pace.wait(arrives_after(1)).await.unwrap();
        pace.received(50 << 20);
        // The window in which the client sent a lot has ended; the next one brings nothing.
        let stalled = pace.wait(std::future::pending::<Read>()).await;
        assert_eq!(stalled.unwrap_err().status_and_code().0, 408);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_at_the_least_rate_goes_on_and_a_slower_one_does_not() {
        let (mut enough, mut slow) = (Pace::default(), Pace::default());
        for _ in 0..30 {
            enough.wait(arrives_after(2)).await.unwrap();
            enough.received(2100);
        }
        let mut read = Ok(());
        for _ in 0..30 {
            if read.is_ok() {
                read = slow.wait(arrives_after(2)).await;
                slow.received(1900);
            }
        }
        assert_eq!(read.unwrap_err().status_and_code().0, 408);
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_guest_does_not_read_is_not_the_clients() {
        let mut pace = Pace::default();
        for _ in 0..5 {
            pace.wait(arrives_after(1)).await.unwrap();
            arrives_after(60).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_body_of_tiny_frames_is_copied_into_one_piece() {
        let frames =
            (0..1000).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 8192]).slice(..1)));
        let body = Body::from_stream(futures::stream::iter(frames));
        let whole = collect(body, None).await.unwrap();
        assert_eq!(whole, vec![b'x'; 1000]);
    }
}
