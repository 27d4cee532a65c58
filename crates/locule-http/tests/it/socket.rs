//! A client of the `WebSocket`s of the API.

use std::net::SocketAddr;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::app::PATIENCE;

/// The client's end of a WebSocket of the API.
pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(address: SocketAddr, path: &str, key: Option<&str>) -> Self {
        let url = format!("ws://{address}{path}");
        let mut request = url.into_client_request().unwrap();
        if let Some(key) = key {
            let headers = request.headers_mut();
            headers.insert("x-api-key", key.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        Self(socket)
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    pub(crate) async fn frame(&mut self) -> Option<Result<Message, tungstenite::Error>> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap();
            match next {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return other,
            }
        }
    }

    /// The next message.
    pub(crate) async fn heard(&mut self) -> Value {
        match self.frame().await {
            Some(Ok(Message::Text(text))) => serde_json::from_str(&text).unwrap(),
            other => panic!("no message but {other:?}"),
        }
    }

    /// The code of the server's close frame.
    pub(crate) async fn closed(&mut self) -> u16 {
        self.closed_for().await.0
    }

    /// The code and the reason of the server's close frame.
    pub(crate) async fn closed_for(&mut self) -> (u16, String) {
        match self.frame().await {
            Some(Ok(Message::Close(Some(frame)))) => {
                (frame.code.into(), frame.reason.as_str().to_owned())
            }
            other => panic!("no close but {other:?}"),
        }
    }
}
