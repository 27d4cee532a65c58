//! A command's input and output over a WebSocket.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::{StatusCode, header};
use locule_api::stream::STDIN_WINDOW_BYTES;
use locule_api::{ClientMessage, Encoding, ServerMessage, SignalName, StartMessage};
use locule_ids::SandboxId;
use reqwest::Upgraded;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::{Client, ClientError, error};

pub(crate) type Socket = WebSocketStream<Upgraded>;
const CHUNK_BYTES: usize = 32 * 1024;
/// Limit of messages without an acknowledgement. A server holds 1024, of any size.
const MESSAGES_MAX: usize = 512;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The server pings every 30 seconds. After this much silence, three missed pings, the connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(100);
/// How long to wait for the close frame after an error message: the frame carries the error code.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// An event of a running command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecEvent {
    Started {
        pid: u32,
    },
    Stdout(Bytes),
    Stderr(Bytes),
    /// The last event.
    Exited {
        exit_code: i32,
        signal: Option<i32>,
        /// Whether the command was killed because it ran longer than its timeout.
        timed_out: bool,
    },
}

/// A running command.
#[derive(Debug)]
pub struct ExecStream {
    reader: ExecReader,
    writer: ExecWriter,
}

/// The output of a running command.
#[derive(Debug)]
pub struct ExecReader {
    socket: SplitStream<Socket>,
    acknowledged: watch::Sender<usize>,
}

/// The input of a running command.
#[derive(Debug)]
pub struct ExecWriter {
    socket: SplitSink<Socket, Message>,
    acknowledged: watch::Receiver<usize>,
    sent: usize,
    /// The end position of each message that may not be acknowledged yet.
    in_flight: VecDeque<usize>,
}

/// Opens the WebSocket with the HTTP client of the other calls, and so with its connection settings, its TLS and its errors.
pub(crate) async fn connect(client: &Client, path: &str) -> Result<Socket, ClientError> {
    tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake(client, path))
        .await
        .map_err(|_| ClientError::TimedOut {
            url: client.url.clone(),
        })?
}

async fn handshake(client: &Client, path: &str) -> Result<Socket, ClientError> {
    let key = generate_key();
    let request = client
        .request(http::Method::GET, path)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key);
    let sent = request.send().await;
    let response = sent.map_err(|source| error::exchange(&client.url, &source))?;
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(crate::refusal(response).await);
    }
    let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT);
    if accepted.is_none_or(|accepted| accepted != derive_accept_key(key.as_bytes()).as_str()) {
        return Err(ClientError::UnexpectedStatus {
            status: status.as_u16(),
        });
    }
    let upgraded = response.upgrade().await;
    let upgraded = upgraded.map_err(|_| ClientError::Disconnected)?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
}

pub(crate) async fn open(
    client: &Client,
    id: SandboxId,
    mut start: StartMessage,
) -> Result<ExecStream, ClientError> {
    let socket = connect(client, &format!("/v1/sandboxes/{id}/exec/stream")).await?;
    let (acknowledged, seen) = watch::channel(0);
    let (sink, stream) = socket.split();
    let mut writer = ExecWriter {
        socket: sink,
        acknowledged: seen,
        sent: 0,
        in_flight: VecDeque::new(),
    };
    start.encoding = Encoding::Base64;
    writer.send(&ClientMessage::Start(start)).await?;
    Ok(ExecStream {
        reader: ExecReader {
            socket: stream,
            acknowledged,
        },
        writer,
    })
}

impl ExecStream {
    /// Splits the stream into two halves that can be used at the same time.
    pub fn split(self) -> (ExecReader, ExecWriter) {
        (self.reader, self.writer)
    }
}

/// The next message of the server.
pub(crate) async fn message<M: DeserializeOwned>(
    socket: &mut SplitStream<Socket>,
) -> Result<M, ClientError> {
    loop {
        match tokio::time::timeout(SILENCE_MAX, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => {
                return serde_json::from_str(&text).map_err(|_| ClientError::Disconnected);
            }
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => {
                return Err(ClientError::Disconnected);
            }
            Ok(Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            ))) => {}
        }
    }
}

pub(crate) async fn send(
    socket: &mut SplitSink<Socket, Message>,
    message: &impl Serialize,
) -> Result<(), ClientError> {
    let text = serde_json::to_string(message).map_err(|_| ClientError::Disconnected)?;
    let sent = socket.send(Message::text(text)).await;
    sent.map_err(|_| ClientError::Disconnected)
}

pub(crate) fn bytes(data: &str) -> Result<Bytes, ClientError> {
    let decoded = STANDARD.decode(data).map(Bytes::from);
    decoded.map_err(|_| ClientError::Disconnected)
}

impl ExecReader {
    /// The next event; `Exited` is the last. A stream that breaks before it is an error.
    pub async fn next(&mut self) -> Result<ExecEvent, ClientError> {
        loop {
            return match message(&mut self.socket).await? {
                ServerMessage::Start { pid } => Ok(ExecEvent::Started { pid }),
                ServerMessage::Stdout { data } => Ok(ExecEvent::Stdout(bytes(&data)?)),
                ServerMessage::Stderr { data } => Ok(ExecEvent::Stderr(bytes(&data)?)),
                ServerMessage::Exit {
                    exit_code,
                    signal,
                    timed_out,
                } => Ok(ExecEvent::Exited {
                    exit_code,
                    signal,
                    timed_out,
                }),
                ServerMessage::Error { data } => Err(refused(&mut self.socket, data).await),
                // The caller must not take incomplete output for the whole output.
                ServerMessage::Gap { bytes } => Err(ClientError::Refusal {
                    status: None,
                    code: String::new(),
                    message: format!(
                        "{bytes} bytes of output were lost while the host was unreachable"
                    ),
                }),
                ServerMessage::Ack { bytes } => {
                    self.acknowledged
                        .send_modify(|total| *total = total.saturating_add(bytes));
                    continue;
                }
            };
        }
    }
}

/// Builds the error from the message and from the code in the close frame that follows it.
pub(crate) async fn refused(socket: &mut SplitStream<Socket>, message: String) -> ClientError {
    let close = async {
        while let Some(Ok(next)) = socket.next().await {
            if let Message::Close(frame) = next {
                return frame.map(|frame| frame.reason.as_str().to_owned());
            }
        }
        None
    };
    let code = tokio::time::timeout(CLOSE_TIMEOUT, close).await;
    ClientError::Refusal {
        status: None,
        code: code.ok().flatten().unwrap_or_default(),
        message,
    }
}

impl ExecWriter {
    async fn send(&mut self, message: &ClientMessage) -> Result<(), ClientError> {
        send(&mut self.socket, message).await
    }

    /// Waits until the process has read enough for more input to be sent. Cancel safe.
    pub async fn ready_for_stdin(&mut self) -> Result<(), ClientError> {
        let (sent, window) = (self.sent, STDIN_WINDOW_BYTES - CHUNK_BYTES);
        let in_flight = &mut self.in_flight;
        let fits = |acknowledged: &usize| {
            while in_flight.front().is_some_and(|end| end <= acknowledged) {
                in_flight.pop_front();
            }
            in_flight.len() < MESSAGES_MAX && sent.saturating_sub(*acknowledged) <= window
        };
        let waited = self.acknowledged.wait_for(fits).await;
        waited.map(drop).map_err(|_| ClientError::Disconnected)
    }

    /// Sends input, and waits while the process does not read. Acknowledgements arrive only while the reader is polled.
    pub async fn stdin(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            self.ready_for_stdin().await?;
            self.send(&ClientMessage::Stdin {
                data: STANDARD.encode(chunk),
            })
            .await?;
            self.sent += chunk.len();
            self.in_flight.push_back(self.sent);
        }
        Ok(())
    }

    pub async fn close_stdin(&mut self) -> Result<(), ClientError> {
        self.send(&ClientMessage::StdinClose).await
    }

    pub async fn signal(&mut self, signal: SignalName) -> Result<(), ClientError> {
        self.send(&ClientMessage::Signal { signal }).await
    }
}
