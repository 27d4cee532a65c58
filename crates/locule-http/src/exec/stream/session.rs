//! One session: a process and a client, until the process exits or the client leaves.
//!
//! ```text
//! guest events ─► follow ─┐
//!                         ├─► queue ─► write ─► client
//! client ─► listen ─► stdin ─► feed (acks) ─┘
//! ```
//! Every queue is bounded, so a client that does not read blocks its own process, which prints, and no other.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use locule_api::{Encoding, ServerMessage};
use locule_edge::{
    GuestClient, GuestError, ProcessEvent, ProcessEvents, Selector, Signal,
    retry_while_agent_restarts,
};
use locule_ids::SandboxId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::text::Text;
use super::super::{KILLED, SIGKILL};
use super::input::{Command, Input, STDIN_MESSAGES, Window, command, enqueue};
use super::{SessionEnd, text};
use crate::connection::Connection;
use crate::extract::message;

/// Messages that wait for a client that does not read. One holds up to 32 KiB of output, encoded.
pub(crate) const QUEUE_MESSAGES: usize = 4;
/// Time in which the client must read the queued messages after the process has exited.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);

pub(super) struct Session<'a> {
    pub(super) sandbox: SandboxId,
    pub(super) guest: &'a GuestClient,
    pub(super) connection: &'a Connection,
    pub(super) process: Selector,
    pub(super) encoding: Encoding,
    /// Cancelled when the caller loses its right.
    pub(super) cut: &'a CancellationToken,
    pub(super) stop: CancellationToken,
    /// Whether the client's messages are handled or ignored.
    pub(super) accepts_input: bool,
    pub(super) window: Window,
}

type Queue = mpsc::Sender<ServerMessage>;

impl Session<'_> {
    pub(super) async fn run(&self, events: ProcessEvents, socket: &mut WebSocket) -> SessionEnd {
        let (sink, source) = socket.split();
        let (queue, queued) = mpsc::channel(QUEUE_MESSAGES);
        let write = write(queued, sink);
        let work = self.work(events, source, queue);
        tokio::pin!(write, work);
        // The cut first: it also breaks the events of the process off, which is not the end of the process.
        let end = tokio::select! {
            biased;
            () = self.cut.cancelled() => SessionEnd::Revoked,
            end = &mut work => end,
            () = &mut write => SessionEnd::ClientLeft,
            () = self.stop.cancelled() => SessionEnd::Stopping,
        };
        if matches!(end, SessionEnd::Finished | SessionEnd::Failed) {
            tokio::time::timeout(DRAIN_TIMEOUT, write).await.ok();
        }
        end
    }

    /// Owns the queue: when this returns, the queue closes and the writer sends the close frame.
    async fn work(
        &self,
        events: ProcessEvents,
        source: SplitStream<&mut WebSocket>,
        queue: Queue,
    ) -> SessionEnd {
        let (stdin, inputs) = mpsc::channel(STDIN_MESSAGES);
        tokio::select! {
            biased;
            () = self.follow(events, &queue) => SessionEnd::Finished,
            error = self.listen(source, stdin) => match error {
                None => SessionEnd::ClientLeft,
                Some(data) => {
                    queue.send(ServerMessage::Error { data }).await.ok();
                    SessionEnd::Failed
                }
            },
            () = self.feed(inputs, &queue) => SessionEnd::Failed,
        }
    }

    async fn follow(&self, mut events: ProcessEvents, queue: &Queue) {
        let (mut stdout, mut stderr) = (Text::new(self.encoding), Text::new(self.encoding));
        if let Selector::Pid(pid) = self.process {
            queue.send(ServerMessage::Start { pid }).await.ok();
        }
        while let Some(event) = events.next().await {
            let message = match event {
                Ok(ProcessEvent::Started { .. }) => continue,
                Ok(ProcessEvent::Stdout(bytes)) => ServerMessage::Stdout {
                    data: stdout.push(&bytes),
                },
                Ok(ProcessEvent::Stderr(bytes)) => ServerMessage::Stderr {
                    data: stderr.push(&bytes),
                },
                Ok(ProcessEvent::Gap { bytes }) => ServerMessage::Gap { bytes },
                Ok(ProcessEvent::Exited(ended)) => ServerMessage::Exit {
                    exit_code: ended.exit_code,
                    signal: ended.signal,
                    timed_out: false,
                },
                Err(GuestError::TimedOut) => ServerMessage::Exit {
                    exit_code: KILLED,
                    signal: Some(SIGKILL),
                    timed_out: true,
                },
                Err(error) => ServerMessage::Error {
                    data: error.to_string(),
                },
            };
            if let ServerMessage::Exit { .. } = message {
                let (data, errors) = (stdout.finish(), stderr.finish());
                if !data.is_empty() {
                    queue.send(ServerMessage::Stdout { data }).await.ok();
                }
                if !errors.is_empty() {
                    queue
                        .send(ServerMessage::Stderr { data: errors })
                        .await
                        .ok();
                }
            }
            // The writer has ended when the client has left, which ends the session in `run`.
            if queue.send(message).await.is_err() {
                return;
            }
        }
    }

    /// Handles the client's messages until the client leaves (`None`) or sends a message that is not valid.
    async fn listen(
        &self,
        mut source: SplitStream<&mut WebSocket>,
        stdin: mpsc::Sender<Input>,
    ) -> Option<String> {
        while let Some(Ok(next)) = source.next().await {
            self.connection.message_received();
            let text = match next {
                Message::Text(text) => text,
                Message::Close(_) => return None,
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => continue,
            };
            if !self.accepts_input {
                continue;
            }
            let command = match message(&text) {
                Ok(message) => command(message),
                Err(error) => Err(error.message()),
            };
            let handled = match command {
                Ok(Command::Input(input)) => enqueue(input, &stdin, &self.window),
                Ok(Command::Signal(signal)) => {
                    self.signal(signal).await;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = handled {
                return Some(error);
            }
        }
        None
    }

    async fn signal(&self, signal: Signal) {
        let sent = retry_while_agent_restarts(|| self.guest.signal(&self.process, signal)).await;
        // A process that has just exited cannot be signalled; its exit event follows.
        if let Err(error) = sent {
            tracing::debug!(sandbox.id = %self.sandbox, %error, "sending a signal to a process failed");
        }
    }

    /// Sends stdin to the process and acknowledges each message. Returns only when it is unknown how much stdin arrived.
    async fn feed(&self, mut inputs: mpsc::Receiver<Input>, queue: &Queue) {
        while let Some(input) = inputs.recv().await {
            let fed = match input {
                Input::Bytes(bytes) => {
                    let length = bytes.len();
                    let send = || self.guest.send_stdin(&self.process, bytes.clone());
                    let fed = retry_while_agent_restarts(send).await;
                    self.window.taken(length);
                    queue.send(ServerMessage::Ack { bytes: length }).await.ok();
                    fed
                }
                Input::Close => {
                    retry_while_agent_restarts(|| self.guest.close_stdin(&self.process)).await
                }
            };
            match fed {
                Ok(()) => {}
                Err(error) if error.is_connection_failure() => {
                    tracing::debug!(sandbox.id = %self.sandbox, %error, "the connection to the host broke while sending stdin");
                    let data =
                        "the connection to the host broke; part of stdin may be lost".to_owned();
                    queue.send(ServerMessage::Error { data }).await.ok();
                    return;
                }
                // Like a broken pipe: the process no longer reads stdin, while its output and exit still follow.
                Err(error) => {
                    tracing::debug!(sandbox.id = %self.sandbox, %error, "sending stdin to a process failed");
                }
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Sends the queued messages and, when the queue closes, a close frame.
async fn write(
    mut queued: mpsc::Receiver<ServerMessage>,
    mut sink: SplitSink<&mut WebSocket, Message>,
) {
    let mut ping = tokio::time::interval(PING_INTERVAL);
    loop {
        let message = tokio::select! {
            message = queued.recv() => match message {
                Some(message) => text(&message),
                None => break,
            },
            _ = ping.tick() => Some(Message::Ping(Bytes::new())),
        };
        let Some(message) = message else { break };
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let close = CloseFrame {
        code: close_code::NORMAL,
        reason: "".into(),
    };
    sink.send(Message::Close(Some(close))).await.ok();
}
