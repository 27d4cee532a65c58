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
/// Messages without an acknowledgement: a server holds 1024, however small they are.
const MESSAGES_MAX: usize = 512;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The server pings every 30 seconds: one that is silent for three of them is gone, whatever the network says.
const SILENCE_MAX: Duration = Duration::from_secs(100);
/// A refusal is followed by a close that carries its code.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What happens to a running command.
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

/// Its output.
#[derive(Debug)]
pub struct ExecReader {
    socket: SplitStream<Socket>,
    acknowledged: watch::Sender<usize>,
}

/// Its input.
#[derive(Debug)]
pub struct ExecWriter {
    socket: SplitSink<Socket, Message>,
    acknowledged: watch::Receiver<usize>,
    sent: usize,
    /// Where each message ends that may not be acknowledged yet.
    in_flight: VecDeque<usize>,
}

/// By the same way as every other call: one connection pool, one TLS configuration, the same refusals.
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
        return Err(ClientError::Strange {
            status: status.as_u16(),
        });
    }
    let upgraded = response.upgrade().await;
    let upgraded = upgraded.map_err(|_| ClientError::BrokenOff)?;
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
    /// The two halves, to be used at the same time.
    pub fn split(self) -> (ExecReader, ExecWriter) {
        (self.reader, self.writer)
    }
}

impl ExecReader {
    async fn message(&mut self) -> Result<Message, ClientError> {
        match tokio::time::timeout(SILENCE_MAX, self.socket.next()).await {
            Ok(Some(Ok(message))) => Ok(message),
            Ok(Some(Err(_)) | None) | Err(_) => Err(ClientError::BrokenOff),
        }
    }

    /// The next event; `Exited` is the last. A stream that breaks off before it is an error.
    pub async fn next(&mut self) -> Result<ExecEvent, ClientError> {
        loop {
            let text = match self.message().await? {
                Message::Text(text) => text,
                Message::Close(_) => return Err(ClientError::BrokenOff),
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                    continue;
                }
            };
            let message = serde_json::from_str(&text).map_err(|_| ClientError::BrokenOff)?;
            let bytes = |data: String| {
                STANDARD
                    .decode(data)
                    .map(Bytes::from)
                    .map_err(|_| ClientError::BrokenOff)
            };
            return match message {
                ServerMessage::Start { pid } => Ok(ExecEvent::Started { pid }),
                ServerMessage::Stdout { data } => Ok(ExecEvent::Stdout(bytes(data)?)),
                ServerMessage::Stderr { data } => Ok(ExecEvent::Stderr(bytes(data)?)),
                ServerMessage::Exit { exit_code, signal } => {
                    Ok(ExecEvent::Exited { exit_code, signal })
                }
                ServerMessage::Error { data } => Err(self.refused(data).await),
                // Whoever reads the output must not take what is left of it for all of it.
                ServerMessage::Gap { bytes } => Err(ClientError::Refused {
                    status: None,
                    code: String::new(),
                    message: format!("{bytes} bytes of output were lost while the host was away"),
                }),
                ServerMessage::Ack { bytes } => {
                    self.acknowledged
                        .send_modify(|total| *total = total.saturating_add(bytes));
                    continue;
                }
            };
        }
    }

    /// The text came as a message; the close that follows it has the code.
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
        ClientError::Refused {
            status: None,
            code: code.ok().flatten().unwrap_or_default(),
            message,
        }
    }
}

impl ExecWriter {
    async fn send(&mut self, message: &ClientMessage) -> Result<(), ClientError> {
        let text = serde_json::to_string(message).map_err(|_| ClientError::BrokenOff)?;
        self.socket
            .send(Message::text(text))
            .await
            .map_err(|_| ClientError::BrokenOff)
    }

    /// Waits until the process has read enough for more input to be sent. May be dropped at any time.
    pub async fn room(&mut self) -> Result<(), ClientError> {
        let (sent, room) = (self.sent, STDIN_WINDOW_BYTES - CHUNK_BYTES);
        let in_flight = &mut self.in_flight;
        let fits = |acknowledged: &usize| {
            while in_flight.front().is_some_and(|end| end <= acknowledged) {
                in_flight.pop_front();
            }
            in_flight.len() < MESSAGES_MAX && sent.saturating_sub(*acknowledged) <= room
        };
        let waited = self.acknowledged.wait_for(fits).await;
        waited.map(drop).map_err(|_| ClientError::BrokenOff)
    }

    /// Sends input, waiting while the process does not read. Acknowledgements arrive while somebody reads the other half.
    pub async fn stdin(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            self.room().await?;
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
