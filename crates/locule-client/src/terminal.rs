//! A terminal of a sandbox over a WebSocket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{SplitSink, SplitStream};
use locule_api::terminal::INPUT_WINDOW_BYTES;
use locule_api::{PtyClientMessage, PtyServerMessage};
use locule_ids::SandboxId;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use crate::exec::{Socket, bytes, connect, message, refused, send};
use crate::{Client, ClientError};

/// An event of a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TerminalEvent {
    /// The first event. The offset is the position in the output of what follows.
    Started {
        tag: String,
        offset: u64,
    },
    Output(Bytes),
    /// So many bytes of output are lost.
    Gap(u64),
    /// A message of the client had no effect.
    Refused(String),
    /// The last event.
    Exited {
        exit_code: i32,
        signal: Option<i32>,
    },
}

/// The output of a terminal.
#[derive(Debug)]
pub struct TerminalReader {
    socket: SplitStream<Socket>,
    acknowledged: watch::Sender<usize>,
}

/// The input of a terminal.
#[derive(Debug)]
pub struct TerminalWriter {
    socket: SplitSink<Socket, Message>,
    acknowledged: watch::Receiver<usize>,
    sent: usize,
}

pub(crate) async fn open(
    client: &Client,
    id: SandboxId,
    first: &PtyClientMessage,
) -> Result<(TerminalReader, TerminalWriter), ClientError> {
    let socket = connect(client, &format!("/v1/sandboxes/{id}/pty")).await?;
    let (acknowledged, seen) = watch::channel(0);
    let (mut sink, stream) = socket.split();
    send(&mut sink, first).await?;
    let reader = TerminalReader {
        socket: stream,
        acknowledged,
    };
    let writer = TerminalWriter {
        socket: sink,
        acknowledged: seen,
        sent: 0,
    };
    Ok((reader, writer))
}

impl TerminalReader {
    /// The next event; `Exited` is the last. A connection that breaks before it is an error.
    pub async fn next(&mut self) -> Result<TerminalEvent, ClientError> {
        loop {
            return Ok(match message(&mut self.socket).await? {
                PtyServerMessage::Started { tag, offset, .. } => {
                    TerminalEvent::Started { tag, offset }
                }
                PtyServerMessage::Output { data } => TerminalEvent::Output(bytes(&data)?),
                PtyServerMessage::Gap { bytes } => TerminalEvent::Gap(bytes),
                PtyServerMessage::Exit { exit_code, signal } => {
                    TerminalEvent::Exited { exit_code, signal }
                }
                PtyServerMessage::Error { data, fatal: false } => TerminalEvent::Refused(data),
                PtyServerMessage::Error { data, fatal: true } => {
                    return Err(refused(&mut self.socket, data).await);
                }
                PtyServerMessage::Ack { bytes } => {
                    self.acknowledged
                        .send_modify(|total| *total = total.saturating_add(bytes));
                    continue;
                }
                PtyServerMessage::Ping => continue,
            });
        }
    }
}

impl TerminalWriter {
    /// The largest input that one message holds.
    pub const INPUT_BYTES_MAX: usize = 16 * 1024;

    /// Waits until the terminal has accepted enough for [`INPUT_BYTES_MAX`](Self::INPUT_BYTES_MAX) bytes to be sent. Cancel safe.
    pub async fn ready(&mut self) -> Result<(), ClientError> {
        let (sent, window) = (self.sent, INPUT_WINDOW_BYTES - Self::INPUT_BYTES_MAX);
        let fits = |acknowledged: &usize| sent.saturating_sub(*acknowledged) <= window;
        let waited = self.acknowledged.wait_for(fits).await;
        waited.map(drop).map_err(|_| ClientError::Disconnected)
    }

    /// Sends what was typed, and waits while the program does not read. Acknowledgements arrive only while the reader is polled.
    pub async fn input(&mut self, typed: &[u8]) -> Result<(), ClientError> {
        for chunk in typed.chunks(Self::INPUT_BYTES_MAX) {
            self.ready().await?;
            let data = STANDARD.encode(chunk);
            send(&mut self.socket, &PtyClientMessage::Input { data }).await?;
            self.sent += chunk.len();
        }
        Ok(())
    }

    pub async fn resize(&mut self, cols: u16, rows: u16) -> Result<(), ClientError> {
        send(&mut self.socket, &PtyClientMessage::Resize { cols, rows }).await
    }

    /// Ends the program.
    pub async fn kill(&mut self) -> Result<(), ClientError> {
        send(&mut self.socket, &PtyClientMessage::Kill).await
    }
}
