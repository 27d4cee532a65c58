//! What a process prints, and that nothing of it is lost.
//!
//! A connected follower that reads slowly blocks the process, as a pipe would. Without a follower output is read on and
//! dropped, but the last MiB is kept with byte offsets for one who comes back. `End` is published once, after the last byte
//! that the process itself wrote; what its children still print afterwards is drained and dropped.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use nix::sys::signal::Signal;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};

use super::kept::{Budget, Kept, Replay};

/// Chunks a follower may lag behind before it blocks the process.
const FOLLOWER_CHUNKS: usize = 8;
/// More than a terminal holds between its two ends; how much that is at a moment cannot be asked.
const TERMINAL_HOLDS_BYTES: u64 = 128 * 1024;

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
    /// Held while an event is handed out: the bytes of both pipes reach every follower in the order in which they are kept,
    /// so that an offset means the same to all.
    turn: tokio::sync::Mutex<()>,
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    kept: Kept,
    followers: Vec<mpsc::Sender<Event>>,
    /// The process is no more, but perhaps not all of its output has been read.
    exited: bool,
    end: Option<End>,
}

/// One who reads along: first what is replayed, then what comes.
#[derive(Debug)]
pub(crate) struct Follower {
    starts_at: u64,
    replay: Replay,
    end: Option<End>,
    live: mpsc::Receiver<Event>,
}

impl Follower {
    pub(crate) async fn next(&mut self) -> Option<Event> {
        if let Some((stream, bytes)) = self.replay.next() {
            return Some(Event::Data(stream, bytes));
        }
        match self.end.take() {
            Some(end) => Some(Event::End(end)),
            None => self.live.recv().await,
        }
    }

    /// Offset of the first byte that this follower gets.
    pub(crate) fn starts_at(&self) -> u64 {
        self.starts_at
    }
}

impl Output {
    pub(super) fn new(budget: Budget) -> Self {
        let state = State {
            kept: Kept::new(budget),
            followers: Vec::new(),
            exited: false,
            end: None,
        };
        Self {
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
            ended: watch::Sender::new(false),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ended(&self) -> bool {
        self.state().end.is_some()
    }

    /// Earlier than `ended`: the number of the process may belong to another one from now on.
    pub(crate) fn exited(&self) -> bool {
        self.state().exited
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.state().kept.len()
    }

    /// Follows from now, or from a byte offset as far as it is still kept.
    pub(crate) fn follow(&self, offset: Option<u64>) -> Follower {
        let mut state = self.state();
        let (starts_at, replay) = match offset {
            Some(offset) => state.kept.replay(offset),
            None => (state.kept.total(), Replay::default()),
        };
        let (sender, live) = mpsc::channel(FOLLOWER_CHUNKS);
        if state.end.is_none() {
            state.followers.push(sender);
        }
        Follower {
            starts_at,
            replay,
            end: state.end.clone(),
            live,
        }
    }

    /// Changes once, when the process has ended.
    pub(crate) fn follow_end(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    async fn publish(&self, event: Event) {
        let _turn = self.turn.lock().await;
        let followers = {
            let mut state = self.state();
            match &event {
                Event::Data(stream, bytes) => state.kept.push(*stream, bytes),
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

/// Follows a process to its end: pumps its output, waits for it, publishes `End` last.
pub(super) async fn run(output: &Output, mut child: tokio::process::Child, sources: Vec<Source>) {
    let (exited, seen) = watch::channel(false);
    let pumps = sources
        .iter()
        .map(|source| pump(output, source, seen.clone()));
    let wait = async {
        let status = child.wait().await;
        output.state().exited = true;
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

/// Reads until the end of the stream, or until the process has ended and all that it wrote is read: no more than was under way
/// at that moment, or its children could hold the end back for as long as they print. `true`: somebody else may hold it open.
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
                    left = Some(under_way(source));
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
        // After the exit the kernel is asked directly: the runtime may not have seen the last bytes arrive yet.
        match rustix::io::read(&*source.fd, &mut buffer[..most]) {
            Ok(0) => return false,
            Ok(count) => {
                left = left.map(|left| left.saturating_sub(count as u64));
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

/// Bytes written and not yet read.
fn under_way(source: &Source) -> u64 {
    match source.stream {
        Stream::Stdout | Stream::Stderr => rustix::io::ioctl_fionread(&*source.fd).unwrap_or(0),
        Stream::Terminal => TERMINAL_HOLDS_BYTES,
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
