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
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::{Client, ClientError, error};

type Socket = WebSocketStream<Upgraded>;
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
async fn connect(client: &Client, id: SandboxId) -> Result<Socket, ClientError> {
    let key = generate_key();
    let request = client
        .request(
            http::Method::GET,
            &format!("/v1/sandboxes/{id}/exec/stream"),
        )
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
    let connected = tokio::time::timeout(HANDSHAKE_TIMEOUT, connect(client, id)).await;
    let socket = connected.map_err(|_| ClientError::TimedOut {
        url: client.url.clone(),
    })??;
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

impl ExecReader {
    async fn message(&mut self) -> Result<Message, ClientError> {
        match tokio::time::timeout(SILENCE_MAX, self.socket.next()).await {
            Ok(Some(Ok(message))) => Ok(message),
            Ok(Some(Err(_)) | None) | Err(_) => Err(ClientError::Disconnected),
        }
    }

    /// The next event; `Exited` is the last. A stream that breaks before it is an error.
    pub async fn next(&mut self) -> Result<ExecEvent, ClientError> {
        loop {
            let text = match self.message().await? {
                Message::Text(text) => text,
                Message::Close(_) => return Err(ClientError::Disconnected),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                    continue;
                }
            };
            let message = serde_json::from_str(&text).map_err(|_| ClientError::Disconnected)?;
            let bytes = |data: String| {
                STANDARD
                    .decode(data)
                    .map(Bytes::from)
                    .map_err(|_| ClientError::Disconnected)
            };
            return match message {
                ServerMessage::Start { pid } => Ok(ExecEvent::Started { pid }),
                ServerMessage::Stdout { data } => Ok(ExecEvent::Stdout(bytes(data)?)),
                ServerMessage::Stderr { data } => Ok(ExecEvent::Stderr(bytes(data)?)),
                ServerMessage::Exit { exit_code, signal } => {
                    Ok(ExecEvent::Exited { exit_code, signal })
                }
                ServerMessage::Error { data } => Err(self.refused(data).await),
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

    /// Builds the error from the message and from the code in the close frame that follows it.
    async fn refused(&mut self, message: String) -> ClientError {
        let close = async {
            while let Some(Ok(next)) = self.socket.next().await {
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
}

impl ExecWriter {
    async fn send(&mut self, message: &ClientMessage) -> Result<(), ClientError> {
        let text = serde_json::to_string(message).map_err(|_| ClientError::Disconnected)?;
        self.socket
            .send(Message::text(text))
            .await
            .map_err(|_| ClientError::Disconnected)
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
