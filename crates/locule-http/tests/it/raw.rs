//! Connections of raw bytes, for requests that stay in the middle of their work.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::PATIENCE;

/// A connection of raw bytes.
pub(crate) struct Raw {
    pub(crate) kind: &'static str,
    pub(crate) stream: TcpStream,
    said: Vec<u8>,
}

impl Raw {
    pub(crate) async fn open(
        kind: &'static str,
        address: SocketAddr,
        head: &str,
        body: &[u8],
    ) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        Self {
            kind,
            stream,
            said: Vec::new(),
        }
    }

    /// Reads until the server has sent these bytes.
    pub(crate) async fn until(mut self, marker: &[u8]) -> Self {
        let read = async {
            while !self.said.windows(marker.len()).any(|part| part == marker) {
                let read = self.stream.read_buf(&mut self.said).await.unwrap();
                assert!(
                    read > 0,
                    "{}: {}",
                    self.kind,
                    String::from_utf8_lossy(&self.said)
                );
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect(self.kind);
        self
    }

    /// What the server sent until it closed the connection.
    pub(crate) async fn ended(mut self) -> String {
        let read = self.stream.read_to_end(&mut self.said);
        // A reset also ends the connection.
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect(self.kind)
            .ok();
        String::from_utf8_lossy(&self.said).into_owned()
    }

    /// Whether the connection carries bytes both ways: an echoed WebSocket message.
    pub(crate) async fn echoes(mut self, message: &str) -> Self {
        self.stream.write_all(&frame(message)).await.unwrap();
        self.until(message.as_bytes()).await
    }
}

/// Sends raw bytes and returns what the server sent until it closed the connection.
pub(crate) async fn exchange(address: SocketAddr, bytes: &str) -> String {
    let raw = Raw::open("raw bytes", address, bytes, b"").await;
    raw.ended().await
}

/// A WebSocket text frame of a client, with a mask of zeros.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 126);
    let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Asks for a WebSocket.
pub(crate) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
/// Makes a refusal of a request under way the last response of its connection.
pub(crate) const ONCE: &str = "Connection: close\r\n";
