//! Reads the output of a process until it ends.
//!
//! The end is published after the last byte that the process itself wrote. Output that its children write later is read and
//! dropped.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use axum::body::Bytes;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::output::{Output, ProcessEvent};
use super::scrollback::OutputStream;
use crate::tasks;

/// More than a terminal buffers between its two ends. The kernel cannot be asked for the current amount.
const TERMINAL_BUFFER_BYTES: u64 = 128 * 1024;

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

/// Reads until the end of the stream, or until the process has exited and all that it wrote is read. After the exit it reads
/// only the bytes that were buffered at that moment: otherwise children that keep printing would delay the end for ever.
/// `true`: a child may hold the stream open.
async fn pump(output: &Output, source: &Source, mut exited: watch::Receiver<bool>) -> bool {
    let mut buffer = vec![0; source.chunk_bytes];
    let mut left = None;
    loop {
        let ready = if left.is_some() {
            None
        } else {
            tokio::select! {
                biased;
                _ = exited.wait_for(|exited| *exited) => {
                    left = Some(buffered(source));
                    None
                }
                ready = source.fd.readable() => ready.ok(),
            }
        };
        let most = left.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        });
        let most = most.min(buffer.len());
        if most == 0 {
            return true;
        }
        // After the exit this reads without waiting for readiness: the runtime may not know about the last bytes yet.
        match rustix::io::read(&*source.fd, &mut buffer[..most]) {
            Ok(0) => return false,
            Ok(count) => {
                left = left.map(|left| left.saturating_sub(count as u64));
                let bytes = Bytes::copy_from_slice(&buffer[..count]);
                output
                    .publish(ProcessEvent::Data(source.stream, bytes))
                    .await;
            }
            Err(rustix::io::Errno::AGAIN) => match ready {
                Some(mut ready) => ready.clear_ready(),
                None => return true,
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
