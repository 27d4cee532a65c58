//! Waiting for a condition, never for a time.

use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Returns as soon as `what` is so. Panics, naming it, when it is not so in time.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let watch = async {
        while !is_so().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, watch).await.is_ok(),
        "never happened: {what}"
    );
}
