//! One process and one client, until either ends.
//!
//! ```text
//! guest events ─► follow ─┐
//!                         ├─► queue ─► write ─► client
//! client ─► listen ─► stdin ─► feed (acks) ─┘
//! ```
//! Every queue is bounded, so a client that does not read stops the process that prints, and nobody else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use locule_api::stream::STDIN_WINDOW_BYTES;
use locule_api::{ClientMessage, Encoding, ServerMessage, SignalName};
use locule_edge::{
    GuestClient, ProcessEvent, ProcessEvents, Selector, Signal, retry_while_agent_restarts,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::super::text::Text;
use super::text;
use crate::extract::message;

const QUEUE_MESSAGES: usize = 16;
/// The window bounds the bytes; this bounds the messages.
pub(super) const STDIN_MESSAGES: usize = 1024;
/// How long a client may take to read what is left when the process has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The process did, or its stream broke.
    Finished,
    /// The client went away.
    Left,
    /// It could not go on, by the client's fault or a loss, and the client was told so.
    Refused,
    /// We stop; the process goes on.
    Stopping,
}

pub(super) struct Session<'a> {
    pub(super) guest: &'a GuestClient,
    pub(super) process: Selector,
    pub(super) encoding: Encoding,
    pub(super) stop: CancellationToken,
    /// Whether the client's messages mean anything.
    pub(super) listens: bool,
}

#[derive(Debug)]
pub(super) enum Input {
    Bytes(Bytes),
    Close,
}

#[derive(Debug)]
pub(super) enum Wish {
    Input(Input),
    Signal(Signal),
}

type Queue = mpsc::Sender<ServerMessage>;

impl Session<'_> {
    pub(super) async fn run(&self, events: ProcessEvents, socket: &mut WebSocket) -> How {
        let (sink, source) = socket.split();
        let (queue, queued) = mpsc::channel(QUEUE_MESSAGES);
        let write = write(queued, sink);
        let work = self.work(events, source, queue);
        tokio::pin!(write, work);
        let how = tokio::select! {
            how = &mut work => how,
            () = &mut write => How::Left,
            () = self.stop.cancelled() => How::Stopping,
        };
        if matches!(how, How::Finished | How::Refused) {
            tokio::time::timeout(DRAIN_TIMEOUT, write).await.ok();
        }
        how
    }

    /// Owns the queue: when it is done, the writer says good-bye.
    async fn work(
        &self,
        events: ProcessEvents,
        source: SplitStream<&mut WebSocket>,
        queue: Queue,
    ) -> How {
        let (stdin, inputs) = mpsc::channel(STDIN_MESSAGES);
        let in_window = AtomicUsize::new(0);
        tokio::select! {
            biased;
            () = self.follow(events, &queue) => How::Finished,
            refusal = self.listen(source, stdin, &in_window) => match refusal {
                None => How::Left,
                Some(data) => {
                    queue.send(ServerMessage::Error { data }).await.ok();
                    How::Refused
                }
            },
            () = self.feed(inputs, &in_window, &queue) => How::Refused,
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
                Ok(ProcessEvent::Exited(ended)) => {
                    let (rest_out, rest_err) = (stdout.finish(), stderr.finish());
                    if !rest_out.is_empty() {
                        queue
                            .send(ServerMessage::Stdout { data: rest_out })
                            .await
                            .ok();
                    }
                    if !rest_err.is_empty() {
                        queue
                            .send(ServerMessage::Stderr { data: rest_err })
                            .await
                            .ok();
                    }
                    ServerMessage::Exit {
                        exit_code: ended.exit_code,
                        signal: ended.signal,
                    }
                }
                Err(error) => ServerMessage::Error {
                    data: error.to_string(),
                },
            };
            // The writer is gone when the client is; the caller sees that too.
            if queue.send(message).await.is_err() {
                return;
            }
        }
    }

    /// Until the client leaves (`None`) or says something that is refused.
    async fn listen(
        &self,
        mut source: SplitStream<&mut WebSocket>,
        stdin: mpsc::Sender<Input>,
        in_window: &AtomicUsize,
    ) -> Option<String> {
        while let Some(Ok(next)) = source.next().await {
            let text = match next {
                Message::Text(text) => text,
                Message::Close(_) => return None,
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => continue,
            };
            if !self.listens {
                continue;
            }
            let wish = match message(&text) {
                Ok(message) => wish(message),
                Err(error) => Err(error.message()),
            };
            let obeyed = match wish {
                Ok(Wish::Input(input)) => enqueue(input, &stdin, in_window),
                Ok(Wish::Signal(signal)) => {
                    self.signal(signal).await;
                    Ok(())
                }
                Err(refusal) => Err(refusal),
            };
            if let Err(refusal) = obeyed {
                return Some(refusal);
            }
        }
        None
    }

    async fn signal(&self, signal: Signal) {
        let sent = retry_while_agent_restarts(|| self.guest.signal(&self.process, signal)).await;
        // A process that has just ended cannot be signalled; its exit is on the way.
        if let Err(error) = sent {
            tracing::debug!(%error, "signal not delivered");
        }
    }

    /// Gives stdin to the process, piece by piece, and says so. Ends only when nobody can say what arrived.
    async fn feed(
        &self,
        mut inputs: mpsc::Receiver<Input>,
        in_window: &AtomicUsize,
        queue: &Queue,
    ) {
        while let Some(input) = inputs.recv().await {
            let fed = match input {
                Input::Bytes(bytes) => {
                    let length = bytes.len();
                    let send = || self.guest.send_stdin(&self.process, bytes.clone());
                    let fed = retry_while_agent_restarts(send).await;
                    in_window.fetch_sub(length, Ordering::Relaxed);
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
                    tracing::debug!(%error, "stdin may be lost");
                    let data = "the host went away; stdin may not have arrived whole".to_owned();
                    queue.send(ServerMessage::Error { data }).await.ok();
                    return;
                }
                // Like a broken pipe: the process does not read any more, its output and exit still come.
                Err(error) => tracing::debug!(%error, "stdin not delivered"),
            }
        }
        std::future::pending::<()>().await;
    }
}

/// What a client may want of a process that runs.
pub(super) fn wish(message: ClientMessage) -> Result<Wish, String> {
    match message {
        ClientMessage::Stdin { data } => match STANDARD.decode(data) {
            Ok(bytes) => Ok(Wish::Input(Input::Bytes(bytes.into()))),
            Err(_) => Err("stdin is not base64".to_owned()),
        },
        ClientMessage::StdinClose => Ok(Wish::Input(Input::Close)),
        ClientMessage::Signal { signal } => Ok(Wish::Signal(match signal {
            SignalName::Hup => Signal::Hup,
            SignalName::Int => Signal::Int,
            SignalName::Quit => Signal::Quit,
            SignalName::Kill => Signal::Kill,
            SignalName::Term => Signal::Term,
        })),
        ClientMessage::Stop => Ok(Wish::Signal(Signal::Kill)),
        ClientMessage::Auth { .. } | ClientMessage::Start(_) => {
            Err("the process runs already".to_owned())
        }
    }
}

/// Takes stdin in, within the window.
pub(super) fn enqueue(
    input: Input,
    stdin: &mpsc::Sender<Input>,
    in_window: &AtomicUsize,
) -> Result<(), String> {
    if let Input::Bytes(bytes) = &input {
        let waiting = in_window.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        if waiting > STDIN_WINDOW_BYTES {
            return Err("more stdin than the window of 1 MiB allows".to_owned());
        }
    }
    let queued = stdin.try_send(input);
    queued.map_err(|_| "too many stdin messages without an ack".to_owned())
}

/// Sends what is queued and, when the queue is closed, a proper close.
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
