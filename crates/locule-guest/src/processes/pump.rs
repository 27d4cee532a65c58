//! Reads the output of a process until it ends.
//!
//! Another process may hold the output open after the exit: the `tee` in `exec > >(tee log)` prints moments later, a server in
//! the background for ever. So output is read on for a short time, and what comes later is read and dropped. The end is
//! published last.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::Instant;

use super::output::{Output, ProcessEvent};
use super::scrollback::OutputStream;
use crate::tasks;

/// More than a terminal buffers between its two ends. The kernel cannot be asked for the current amount.
const TERMINAL_BUFFER_BYTES: u64 = 128 * 1024;

/// How long output is read after the exit of a process while another process holds it open. A helper at the end of a pipe has
/// its last input at the exit and needs milliseconds, on an emulated and busy machine some hundred. The start of a server in
/// the background is answered this much later, so the time is not longer.
const GRACE: Duration = Duration::from_secs(1);

/// A non-blocking pipe or terminal that output is read from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) stream: OutputStream,
    pub(crate) fd: Arc<AsyncFd<OwnedFd>>,
    pub(crate) chunk_bytes: usize,
}

/// Reads all output of a process, waits for its exit, and publishes its end last.
pub(super) async fn run(output: &Output, mut child: tokio::process::Child, sources: Vec<Source>) {
    let (exited, seen) = watch::channel(false);
    let pumps = sources
        .iter()
        .map(|source| pump(output, source, seen.clone()));
    let wait = async {
        let status = child.wait().await;
        output.set_exited();
        let _ = exited.send(true);
        status
    };
    let (status, still_open) = tokio::join!(wait, futures::future::join_all(pumps));
    output.publish(ProcessEvent::End(status.into())).await;
    for (source, open) in sources.into_iter().zip(still_open) {
        if open {
            // A child of the process holds the pipe open: without a reader, SIGPIPE would kill that child.
            tasks::spawn(discard(source));
        }
    }
}

/// How far the reading of a stream is.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    /// The process has exited, and this many of its bytes are buffered.
    Exited(u64),
    /// All that the process wrote is published. Until then others may write.
    Grace(Instant),
}

impl Phase {
    fn grace() -> Self {
        Self::Grace(Instant::now() + GRACE)
    }
}

/// Reads until the end of the stream, or until all that the process wrote is published and the grace is over. The grace begins
/// after these bytes: a slow follower does not use it up. `true`: another process may hold the stream open.
async fn pump(output: &Output, source: &Source, mut exited: watch::Receiver<bool>) -> bool {
    let mut buffer = vec![0; source.chunk_bytes];
    let mut phase = Phase::Running;
    loop {
        let ready = match phase {
            Phase::Running => tokio::select! {
                biased;
                _ = exited.wait_for(|exited| *exited) => {
                    phase = Phase::Exited(buffered(source));
                    continue;
                }
                ready = source.fd.readable() => ready.ok(),
            },
            // Without waiting for readiness: the runtime may not know about the last bytes, or about the end, yet.
            Phase::Exited(_) => None,
            // A stream that is always ready would never time out.
            Phase::Grace(end) if Instant::now() >= end => return true,
            Phase::Grace(end) => match tokio::time::timeout_at(end, source.fd.readable()).await {
                Ok(ready) => ready.ok(),
                Err(_) => return true,
            },
        };
        match rustix::io::read(&*source.fd, &mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                let bytes = Bytes::copy_from_slice(&buffer[..count]);
                output
                    .publish(ProcessEvent::Data(source.stream, bytes))
                    .await;
                if let Phase::Exited(left) = &mut phase {
                    *left = left.saturating_sub(count as u64);
                    if *left == 0 {
                        phase = Phase::grace();
                    }
                }
            }
            Err(rustix::io::Errno::AGAIN) => match (ready, phase) {
                (Some(mut ready), _) => ready.clear_ready(),
                (None, Phase::Exited(_)) => phase = Phase::grace(),
                (None, _) => return true,
            },
            Err(rustix::io::Errno::INTR) => {}
            // A terminal answers EIO once its other end is closed everywhere.
            Err(_) => return false,
        }
    }
}

/// The number of bytes that are written and not yet read.
fn buffered(source: &Source) -> u64 {
    match source.stream {
        OutputStream::Stdout | OutputStream::Stderr => {
            rustix::io::ioctl_fionread(&*source.fd).unwrap_or(0)
        }
        OutputStream::Terminal => TERMINAL_BUFFER_BYTES,
    }
}

async fn discard(source: Source) {
    let mut buffer = vec![0; source.chunk_bytes];
    while let Ok(mut ready) = source.fd.readable().await {
        match rustix::io::read(&*source.fd, &mut buffer) {
            Ok(0) => return,
            Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
