//! File operations on a thread that may block.

use std::io;

/// Runs a file operation on a blocking thread: it may block for long, even for ever.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let failed = |_| Err(io::Error::other("the file operation failed"));
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(failed)
}
