//! One connection to a terminal, until the program exits, the client leaves or the caller loses its right.
//!
//! ```text
//! guest events ─► follow ─┐
//!                         ├─► queue ─► write ─► client
//! client ─► listen ─► input ─► feed (acks) ─┤
//!                 └─► size  ─► resize ──────┘
//! ```
//! Every queue is bounded. `kill` waits behind no input, and the last size replaces those before it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use locule_api::{PtyClientMessage, PtyServerMessage};
use locule_base::tasks::Tasks;
use locule_edge::{
    GuestClient, GuestError, ProcessEvent, ProcessEvents, Selector, Signal, WindowSize,
    retry_while_agent_restarts,
};
use locule_ids::SandboxId;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Opened;
use super::input::Input;
use crate::connection::Connection;
use crate::error::ApiError;
use crate::exec::stream::session::{DRAIN_TIMEOUT, PING_INTERVAL, QUEUE_MESSAGES};
use crate::exec::stream::text;
use crate::extract::message;

/// A client that misses three pings counts as lost: its connection would block the program for the client that came back.
const SILENCE_MAX: Duration = Duration::from_secs(100);
/// Limit of a resize and of a kill.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(5);

/// The end of a session that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionEnd {
    Exited,
    ClientLeft,
    /// The server stops. The program keeps running.
    Stopping,
}

pub(super) struct Session<'a> {
    pub(super) sandbox: SandboxId,
    pub(super) guest: &'a GuestClient,
    pub(super) connection: &'a Connection,
    pub(super) process: Selector,
    pub(super) input: Input,
    /// Cancelled when the caller loses its right.
    pub(super) cut: &'a CancellationToken,
    pub(super) tasks: &'a Tasks,
}

type Queue = mpsc::Sender<PtyServerMessage>;

impl Session<'_> {
    pub(super) async fn run(
        &self,
        opened: Opened,
        socket: &mut WebSocket,
    ) -> Result<SessionEnd, ApiError> {
        let (sink, source) = socket.split();
        let (queue, queued) = mpsc::channel(QUEUE_MESSAGES);
        let (stop, write) = (self.tasks.token(), write(queued, sink));
        let work = self.work(opened, source, queue);
        tokio::pin!(write, work);
        // The cut first: it also breaks the events of the process off, which is not the end of the process.
        let end = tokio::select! {
            biased;
            () = self.cut.cancelled() => return Err(ApiError::revoked()),
            end = &mut work => end,
            () = &mut write => return Ok(SessionEnd::ClientLeft),
            () = stop.cancelled() => return Ok(SessionEnd::Stopping),
        };
        if !matches!(end, Ok(SessionEnd::ClientLeft)) {
            tokio::time::timeout(DRAIN_TIMEOUT, write).await.ok();
        }
        end
    }

    /// Owns the queue: when this returns, the queue closes.
    async fn work(
        &self,
        opened: Opened,
        source: SplitStream<&mut WebSocket>,
        queue: Queue,
    ) -> Result<SessionEnd, ApiError> {
        let (size, sizes) = watch::channel(None);
        tokio::select! {
            biased;
            end = follow(opened, &queue) => end.map_err(ApiError::from),
            () = self.listen(source, &size, &queue) => Ok(SessionEnd::ClientLeft),
            never = self.feed(&queue) => match never {},
            never = self.resize(sizes, &queue) => match never {},
        }
    }

    /// Handles the client's messages until the client leaves. A message that is not valid changes nothing.
    async fn listen(
        &self,
        mut source: SplitStream<&mut WebSocket>,
        size: &watch::Sender<Option<WindowSize>>,
        queue: &Queue,
    ) {
        let killing = Arc::new(AtomicBool::new(false));
        while let Ok(Some(Ok(next))) = tokio::time::timeout(SILENCE_MAX, source.next()).await {
            self.connection.message_received();
            let text = match next {
                Message::Text(text) => text,
                Message::Close(_) => return,
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => continue,
            };
            let handled = match message(&text) {
                Ok(PtyClientMessage::Input { data }) => self.typed(&data, queue).await,
                Ok(
                    PtyClientMessage::Resize { cols: 0, .. }
                    | PtyClientMessage::Resize { rows: 0, .. },
                ) => Err(ApiError::invalid("cols and rows must be greater than 0")),
                Ok(PtyClientMessage::Resize { cols, rows }) => {
                    size.send_replace(Some(WindowSize { cols, rows }));
                    Ok(())
                }
                Ok(PtyClientMessage::Kill) => {
                    self.kill(&killing, queue);
                    Ok(())
                }
                Ok(PtyClientMessage::Pong) => Ok(()),
                Ok(
                    PtyClientMessage::Auth { .. }
                    | PtyClientMessage::Start(_)
                    | PtyClientMessage::Connect(_),
                ) => Err(ApiError::invalid(
                    "the terminal is already open; send input, resize or kill",
                )),
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                tell(queue, error.message()).await;
            }
        }
    }

    async fn typed(&self, data: &str, queue: &Queue) -> Result<(), ApiError> {
        let typed = STANDARD
            .decode(data)
            .map_err(|_| ApiError::invalid("the data of input is not base64"))?;
        let pushed = self.input.push(&typed);
        if pushed.is_err() {
            let bytes = typed.len();
            queue.send(PtyServerMessage::Ack { bytes }).await.ok();
        }
        pushed
    }

    /// Kills the program, also when the client disconnects right after it asked.
    fn kill(&self, killing: &Arc<AtomicBool>, queue: &Queue) {
        if killing.swap(true, Ordering::Relaxed) {
            return;
        }
        let (guest, process) = (self.guest.for_cleanup(), self.process.clone());
        let (killing, queue) = (killing.clone(), queue.downgrade());
        self.tasks
            .spawn_detached("kill the program in a terminal", async move {
                let kill = retry_while_agent_restarts(|| guest.signal(&process, Signal::Kill));
                let killed = tokio::time::timeout(CONTROL_TIMEOUT, kill).await;
                killing.store(false, Ordering::Relaxed);
                if let (Some(failure), Some(queue)) = (failure(killed), queue.upgrade()) {
                    tell(&queue, format!("the program was not killed: {failure}")).await;
                }
            });
    }

    /// Sends input to the terminal and acknowledges it.
    async fn feed(&self, queue: &Queue) -> Infallible {
        loop {
            let typed = self.input.next().await;
            let bytes = typed.len();
            let send = || self.guest.send_terminal_input(&self.process, typed.clone());
            let fed = retry_while_agent_restarts(send).await;
            self.input.done(bytes);
            if let Err(error) = &fed {
                tracing::debug!(sandbox.id = %self.sandbox, %error, "sending input to a terminal failed");
            }
            match fed {
                // The exit of the program follows.
                Ok(()) | Err(GuestError::NotFound(_)) => {}
                Err(error) if error.is_connection_failure() => {
                    let lost = "the connection to the host broke; part of the input may be lost";
                    tell(queue, lost.to_owned()).await;
                }
                Err(error) => tell(queue, error.to_string()).await,
            }
            queue.send(PtyServerMessage::Ack { bytes }).await.ok();
        }
    }

    async fn resize(
        &self,
        mut sizes: watch::Receiver<Option<WindowSize>>,
        queue: &Queue,
    ) -> Infallible {
        while sizes.changed().await.is_ok() {
            let Some(size) = *sizes.borrow_and_update() else {
                continue;
            };
            let resize = retry_while_agent_restarts(|| self.guest.resize(&self.process, size));
            let resized = tokio::time::timeout(CONTROL_TIMEOUT, resize).await;
            if let Some(failure) = failure(resized) {
                tell(queue, format!("the window was not resized: {failure}")).await;
            }
        }
        std::future::pending().await
    }
}

/// Why a control call had no effect. A program that has just exited has none: its exit follows.
fn failure(done: Result<Result<(), GuestError>, tokio::time::error::Elapsed>) -> Option<String> {
    match done {
        Ok(Ok(()) | Err(GuestError::NotFound(_))) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the sandbox did not answer in time".to_owned()),
    }
}

async fn tell(queue: &Queue, data: String) {
    let fatal = false;
    queue
        .send(PtyServerMessage::Error { data, fatal })
        .await
        .ok();
}

async fn follow(opened: Opened, queue: &Queue) -> Result<SessionEnd, GuestError> {
    let (started, gap) = opened.messages();
    for first in std::iter::once(started).chain(gap) {
        queue.send(first).await.ok();
    }
    let mut events: ProcessEvents = opened.events;
    while let Some(event) = events.next().await {
        let message = match event? {
            ProcessEvent::Started { .. } => continue,
            ProcessEvent::Stdout(bytes) | ProcessEvent::Stderr(bytes) => PtyServerMessage::Output {
                data: STANDARD.encode(bytes),
            },
            ProcessEvent::Gap { bytes } => PtyServerMessage::Gap { bytes },
            ProcessEvent::Exited(ended) => PtyServerMessage::Exit {
                exit_code: ended.exit_code,
                signal: ended.signal,
            },
        };
        // The writer has ended when the client has left.
        if queue.send(message).await.is_err() {
            return Ok(SessionEnd::ClientLeft);
        }
    }
    Ok(SessionEnd::Exited)
}

/// Sends the queued messages until the queue closes or the client has left.
async fn write(
    mut queued: mpsc::Receiver<PtyServerMessage>,
    mut sink: SplitSink<&mut WebSocket, Message>,
) {
    let mut ping = tokio::time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    loop {
        let message = tokio::select! {
            message = queued.recv() => match message {
                Some(message) => message,
                None => return,
            },
            _ = ping.tick() => {
                // Every client answers this one by itself, and so is known to be there.
                if sink.send(Message::Ping(Bytes::new())).await.is_err() {
                    return;
                }
                PtyServerMessage::Ping
            }
        };
        let Some(text) = text(&message) else { return };
        if sink.send(text).await.is_err() {
            return;
        }
    }
}
