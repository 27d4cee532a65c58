//! A command's input and output over a WebSocket.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use locule_api::{ClientMessage, Encoding, ServerMessage, SignalName, StartMessage};
use locule_ids::SandboxId;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::ClientError;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
/// Bytes of input on their way that the server has not acknowledged yet.
const WINDOW_BYTES: usize = 1024 * 1024;
const CHUNK_BYTES: usize = 32 * 1024;

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
}

pub(crate) async fn open(
    url: &str,
    key: &str,
    id: SandboxId,
    mut start: StartMessage,
) -> Result<ExecStream, ClientError> {
    let address = url.replacen("http", "ws", 1);
    let unreachable = |source: SocketError| ClientError::Unreachable {
        url: url.to_owned(),
        source: source.into(),
    };
    let mut request = format!("{address}/v1/sandboxes/{id}/exec/stream")
        .into_client_request()
        .map_err(unreachable)?;
    let key = key.parse().map_err(|_| {
        ClientError::Exec("the API key holds characters that no key has".to_owned())
    })?;
    request.headers_mut().insert("x-api-key", key);
    let (socket, _) = tokio_tungstenite::connect_async(request)
        .await
        .map_err(unreachable)?;
    let (acknowledged, seen) = watch::channel(0);
    let (sink, stream) = socket.split();
    let mut writer = ExecWriter {
        socket: sink,
        acknowledged: seen,
        sent: 0,
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
    /// The next event; `Exited` is the last. A stream that breaks off before it is an error.
    pub async fn next(&mut self) -> Result<ExecEvent, ClientError> {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    return Err(ClientError::BrokenOff);
                }
                Some(Ok(_)) => continue,
            };
            let message = serde_json::from_str(&message).map_err(|_| ClientError::BrokenOff)?;
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
                ServerMessage::Error { data } => Err(ClientError::Exec(data)),
                ServerMessage::Ack { bytes } => {
                    self.acknowledged.send_modify(|total| *total += bytes);
                    continue;
                }
            };
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

    /// Sends input, waiting while the process does not read.
    pub async fn stdin(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            let (sent, room) = (self.sent, WINDOW_BYTES - CHUNK_BYTES);
            let fits = self
                .acknowledged
                .wait_for(|acknowledged| sent.saturating_sub(*acknowledged) <= room)
                .await;
            fits.map_err(|_| ClientError::BrokenOff)?;
            self.send(&ClientMessage::Stdin {
                data: STANDARD.encode(chunk),
            })
            .await?;
            self.sent += chunk.len();
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
