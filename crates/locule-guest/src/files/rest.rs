//! The rest of a body whose upload was refused.
//!
//! A client that is still sending when its connection closes sees a broken pipe, not the answer that was on its way: so the rest
//! is read on beside the answer, within bounds.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::{StreamExt as _, stream};
use tokio::sync::Mutex;

const BYTES_MAX: usize = 1024 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(30);

/// What its reader leaves of a body.
pub(super) struct Rest(Arc<Mutex<BodyDataStream>>);

/// The same body, and whatever of it will not have been read.
pub(super) fn split(body: Body) -> (Body, Rest) {
    let shared = Arc::new(Mutex::new(body.into_data_stream()));
    let chunks = stream::unfold(shared.clone(), |shared| async move {
        let next = shared.lock().await.next().await;
        next.map(|chunk| (chunk, shared))
    });
    (Body::from_stream(chunks), Rest(shared))
}

impl Rest {
    pub(super) async fn discard(self) {
        let read = async {
            let mut body = self.0.lock().await;
            let mut bytes = 0;
            while let Some(Ok(chunk)) = body.next().await {
                bytes += chunk.len();
                if bytes > BYTES_MAX {
                    return;
                }
            }
        };
        // Too slow is as good as too much: the connection closes.
        let _ = tokio::time::timeout(TIME_MAX, read).await;
    }
}
