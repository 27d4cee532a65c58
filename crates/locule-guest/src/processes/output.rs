//! The output of a process, and its followers.
//!
//! A connected follower that reads slowly blocks the process, as a pipe would. Without a follower, output is still read and
//! dropped, and the scrollback keeps the last MiB, with byte offsets, for a follower that reconnects. The end is published
//! once, after the last byte that the process itself wrote.

use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use tokio::sync::{mpsc, watch};

use super::exit::ProcessEnd;
use super::scrollback::{Budget, OutputStream, Replay, Scrollback};

/// Chunks that a follower may lag behind before it blocks the process.
const FOLLOWER_CHUNKS: usize = 8;

#[derive(Debug, Clone)]
pub(crate) enum ProcessEvent {
    Data(OutputStream, Bytes),
    End(ProcessEnd),
}

#[derive(Debug)]
pub(crate) struct Output {
    state: Mutex<State>,
    /// Locked while an event is published: the bytes of both pipes reach every follower in the order of the scrollback, so
    /// that an offset means the same to each of them.
    publishing: tokio::sync::Mutex<()>,
    ended: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    scrollback: Scrollback,
    followers: Vec<mpsc::Sender<ProcessEvent>>,
    /// The process has exited, but some of its output may still be unread.
    exited: bool,
    end: Option<ProcessEnd>,
}

/// A reader of the output: first of the replay, then of new output.
#[derive(Debug)]
pub(crate) struct Follower {
    starts_at: u64,
    replay: Replay,
    end: Option<ProcessEnd>,
    live: mpsc::Receiver<ProcessEvent>,
}

impl Follower {
    pub(crate) async fn next(&mut self) -> Option<ProcessEvent> {
        if let Some((stream, bytes)) = self.replay.next() {
            return Some(ProcessEvent::Data(stream, bytes));
        }
        match self.end.take() {
            Some(end) => Some(ProcessEvent::End(end)),
            None => self.live.recv().await,
        }
    }

    /// The offset of the first byte that this follower gets.
    pub(crate) fn starts_at(&self) -> u64 {
        self.starts_at
    }
}

impl Output {
    pub(super) fn new(budget: Budget) -> Self {
        let state = State {
            scrollback: Scrollback::new(budget),
            followers: Vec::new(),
            exited: false,
            end: None,
        };
        Self {
            state: Mutex::new(state),
            publishing: tokio::sync::Mutex::default(),
            ended: watch::Sender::new(false),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ended(&self) -> bool {
        self.state().end.is_some()
    }

    /// Becomes true before `ended` does: from then on the kernel may give the process id to another process.
    pub(crate) fn exited(&self) -> bool {
        self.state().exited
    }

    pub(super) fn scrollback_bytes(&self) -> usize {
        self.state().scrollback.len()
    }

    /// Follows from now, or from a byte offset as far as the scrollback reaches.
    pub(crate) fn follow(&self, offset: Option<u64>) -> Follower {
        let mut state = self.state();
        let (starts_at, replay) = match offset {
            Some(offset) => state.scrollback.replay(offset),
            None => (state.scrollback.total(), Replay::default()),
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

    pub(super) fn set_exited(&self) {
        self.state().exited = true;
    }

    /// Changes once, when the process has exited and all its output is published.
    pub(crate) fn follow_end(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    pub(super) async fn publish(&self, event: ProcessEvent) {
        let _publishing = self.publishing.lock().await;
        let followers = {
            let mut state = self.state();
            match &event {
                ProcessEvent::Data(stream, bytes) => state.scrollback.push(*stream, bytes),
                ProcessEvent::End(end) => state.end = Some(end.clone()),
            }
            state.followers.retain(|follower| !follower.is_closed());
            state.followers.clone()
        };
        for follower in followers {
            // A follower that disconnects while its queue is full does not get the event.
            let _ = follower.send(event.clone()).await;
        }
        if matches!(event, ProcessEvent::End(_)) {
            self.state().followers.clear();
            self.ended.send_replace(true);
        }
    }
}
