//! What a process prints, and that nothing of it is lost.
//!
//! A connected follower that reads slowly blocks the process, as a pipe would. Without a follower output is read on and
//! dropped, but the last MiB is kept with byte offsets for one who comes back. `End` is published once, after the last byte
//! that the process itself wrote; what its children still print afterwards is drained and dropped.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use locule_guest_api::OUTPUT_KEPT_BYTES;
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

/// Chunks a follower may lag behind before it blocks the process.
const FOLLOWER_CHUNKS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
    Terminal,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) exit_code: i32,
    pub(crate) exited: bool,
    pub(crate) status: String,
    pub(crate) error: Option<String>,
    pub(crate) signal: u32,
}

#[derive(Debug, Clone)]
pub(crate) enum Event {
    Data(Stream, Bytes),
    End(End),
}

/// Where the bytes come from: a pipe or a terminal, non-blocking.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) stream: Stream,
    pub(crate) fd: Arc<AsyncFd<OwnedFd>>,
    pub(crate) chunk_bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Output {
    state: Mutex<State>,
    ended: watch::Sender<bool>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            ended: watch::Sender::new(false),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<(Stream, Bytes)>,
    kept_bytes: usize,
    /// Bytes ever printed: the offset after the last kept chunk.
    total: u64,
    followers: Vec<mpsc::Sender<Event>>,
    end: Option<End>,
}

/// One who reads along: first what is replayed, then what comes.
#[derive(Debug)]
pub(crate) struct Follower {
    replay: VecDeque<Event>,
    live: mpsc::Receiver<Event>,
}

impl Follower {
    pub(crate) async fn next(&mut self) -> Option<Event> {
        match self.replay.pop_front() {
            Some(event) => Some(event),
            None => self.live.recv().await,
        }
    }
}

impl Output {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ended(&self) -> bool {
        self.state().end.is_some()
    }

    /// Follows from now, or from a byte offset as far as it is still kept.
    pub(crate) fn follow(&self, offset: Option<u64>) -> Follower {
        let mut state = self.state();
        let mut replay = VecDeque::new();
        if let Some(offset) = offset {
            let mut at = state.total - state.kept_bytes as u64;
            for (stream, bytes) in &state.kept {
                let skip = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
                if skip < bytes.len() {
                    replay.push_back(Event::Data(*stream, bytes.slice(skip..)));
                }
                at += bytes.len() as u64;
            }
        }
        let (sender, live) = mpsc::channel(FOLLOWER_CHUNKS);
        match &state.end {
            Some(end) => replay.push_back(Event::End(end.clone())),
            None => state.followers.push(sender),
        }
        Follower { replay, live }
    }

    /// Changes once, when the process has ended.
    pub(crate) fn follow_end(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    async fn publish(&self, event: Event) {
        let followers = {
            let mut state = self.state();
            match &event {
                Event::Data(stream, bytes) => state.keep(*stream, bytes),
                Event::End(end) => state.end = Some(end.clone()),
            }
            state.followers.retain(|follower| !follower.is_closed());
            state.followers.clone()
        };
        for follower in followers {
            // One that leaves while the event waits for room simply does not get it.
            let _ = follower.send(event.clone()).await;
        }
        if matches!(event, Event::End(_)) {
            self.state().followers.clear();
            self.ended.send_replace(true);
        }
    }
}

impl State {
    fn keep(&mut self, stream: Stream, bytes: &Bytes) {
        self.kept.push_back((stream, bytes.clone()));
        self.kept_bytes += bytes.len();
        self.total += bytes.len() as u64;
        while self.kept_bytes > OUTPUT_KEPT_BYTES {
            let Some((_, oldest)) = self.kept.pop_front() else {
                break;
            };
            self.kept_bytes -= oldest.len();
        }
    }
}

/// Follows a process to its end: pumps its output, waits for it, publishes `End` last.
pub(super) async fn run(output: &Output, mut child: tokio::process::Child, sources: Vec<Source>) {
    let (exited, seen) = watch::channel(false);
    let pumps = sources
        .iter()
        .map(|source| pump(output, source, seen.clone()));
    let wait = async {
        let status = child.wait().await;
        let _ = exited.send(true);
        status
    };
    let (status, still_open) = tokio::join!(wait, futures::future::join_all(pumps));
    output.publish(Event::End(end_of(status))).await;
    for (source, open) in sources.into_iter().zip(still_open) {
        if open {
            // A child of the process still holds the pipe: without a reader it would be killed by its own output.
            crate::server::spawn(discard(source));
        }
    }
}

/// Reads until the end of the stream, or until the process has ended and the pipe is empty. `true`: somebody else holds it open.
async fn pump(output: &Output, source: &Source, mut exited: watch::Receiver<bool>) -> bool {
    let mut buffer = vec![0; source.chunk_bytes];
    loop {
        let ready = tokio::select! {
            biased;
            ready = source.fd.readable() => ready.ok(),
            _ = exited.wait_for(|exited| *exited) => None,
        };
        // After the exit the kernel is asked directly: the runtime may not have seen the last bytes arrive yet.
        match rustix::io::read(&*source.fd, &mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                let bytes = Bytes::copy_from_slice(&buffer[..count]);
                output.publish(Event::Data(source.stream, bytes)).await;
            }
            Err(rustix::io::Errno::AGAIN) => match ready {
                Some(mut ready) => ready.clear_ready(),
                None => return true,
            },
            Err(rustix::io::Errno::INTR) => {}
            // A terminal answers EIO once nobody has its other end open.
            Err(_) => return false,
        }
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

fn end_of(status: io::Result<ExitStatus>) -> End {
    let failed = |exit_code, text: String, signal| End {
        exit_code,
        exited: signal == 0,
        error: Some(text.clone()),
        status: text,
        signal,
    };
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(0), _) => End {
                exit_code: 0,
                exited: true,
                status: "exit status 0".to_owned(),
                error: None,
                signal: 0,
            },
            (Some(code), _) => failed(code, format!("exit status {code}"), 0),
            (None, signal) => {
                let number = signal.unwrap_or(0);
                failed(
                    -1,
                    format!("signal: {}", signal_name(number)),
                    number.unsigned_abs(),
                )
            }
        },
        Err(error) => failed(-1, format!("cannot wait for the process: {error}"), 0),
    }
}

/// The words that C libraries and the SDKs' users know.
fn signal_name(number: i32) -> String {
    let known = match Signal::try_from(number) {
        Ok(Signal::SIGHUP) => "hangup",
        Ok(Signal::SIGINT) => "interrupt",
        Ok(Signal::SIGQUIT) => "quit",
        Ok(Signal::SIGABRT) => "aborted",
        Ok(Signal::SIGKILL) => "killed",
        Ok(Signal::SIGSEGV) => "segmentation fault",
        Ok(Signal::SIGPIPE) => "broken pipe",
        Ok(Signal::SIGTERM) => "terminated",
        _ => return number.to_string(),
    };
    known.to_owned()
}
