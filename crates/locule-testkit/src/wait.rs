//! Waiting for a condition, never for a time.

use std::time::Duration;

/// Longer than any wait takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Whether the condition becomes true in time.
pub async fn comes_true(mut is_so: impl AsyncFnMut() -> bool) -> bool {
    let watch = async {
        while !is_so().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.is_ok()
}

/// Returns as soon as the condition `what` is true. Panics with its name if it is not true in time.
pub async fn eventually(what: &str, is_so: impl AsyncFnMut() -> bool) {
    assert!(comes_true(is_so).await, "never happened: {what}");
}
