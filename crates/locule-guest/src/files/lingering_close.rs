//! Lingering close of a refused upload: reads and drops the rest of the body, within limits.
//!
//! A client that is still sending when its connection closes gets a broken pipe instead of the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures::{StreamExt as _, stream};
use tokio::sync::Mutex;

const BYTES_MAX: usize = 1024 * 1024 * 1024;
const TIME_MAX: Duration = Duration::from_secs(30);

/// The part of a body that its reader did not read.
pub(super) struct UnreadBody(Arc<Mutex<BodyDataStream>>);

/// Returns the same body, and a handle to the part of it that stays unread.
pub(super) fn split(body: Body) -> (Body, UnreadBody) {
    let shared = Arc::new(Mutex::new(body.into_data_stream()));
    let chunks = stream::unfold(shared.clone(), |shared| async move {
        let next = shared.lock().await.next().await;
        next.map(|chunk| (chunk, shared))
    });
    (Body::from_stream(chunks), UnreadBody(shared))
}

impl UnreadBody {
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
        // A client that sends too slowly is treated like one that sends too much: its connection closes.
        let _ = tokio::time::timeout(TIME_MAX, read).await;
    }
}
