//! The exec stream: the input window, refusals, and connections that break.

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::routing::any;
use locule_api::{ClientMessage, ServerMessage, StartMessage};
use locule_client::{Client, ClientError, ExecEvent, ExecStream};
use locule_ids::SandboxId;
use tokio::sync::mpsc;

/// A stream and the server's end of its connection, after the start message.
async fn opened() -> (ExecStream, WebSocket) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (give, mut given) = mpsc::channel(1);
    let accept = async move |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |socket| give.send(socket).await.unwrap())
    };
    let app = Router::new().route("/v1/sandboxes/{id}/exec/stream", any(accept));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::new(&url, "e2b_key").unwrap();
    let stream = client
        .exec(SandboxId::random(), StartMessage::default())
        .await
        .unwrap();
    let mut socket = given.recv().await.unwrap();
    assert!(matches!(hear(&mut socket).await, ClientMessage::Start(_)));
    (stream, socket)
}

async fn hear(socket: &mut WebSocket) -> ClientMessage {
    let message = socket.recv().await.unwrap().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

async fn say(socket: &mut WebSocket, message: ServerMessage) {
    let text = serde_json::to_string(&message).unwrap();
    socket.send(Message::Text(text.into())).await.unwrap();
}

/// The count of bytes and messages that the client sends before it waits for an acknowledgement.
async fn in_flight(piece: &[u8]) -> (usize, usize) {
    let (stream, mut socket) = opened().await;
    let (mut reader, mut writer) = stream.split();
    let (mut bytes, mut messages) = (0, 0);
    while futures::poll!(Box::pin(writer.ready_for_stdin())).is_ready() {
        writer.stdin(piece).await.unwrap();
        assert!(matches!(
            hear(&mut socket).await,
            ClientMessage::Stdin { .. }
        ));
        bytes += piece.len();
        messages += 1;
    }
    say(&mut socket, ServerMessage::Ack { bytes: piece.len() }).await;
    say(&mut socket, ServerMessage::Start { pid: 1 }).await;
    reader.next().await.unwrap();
    // An acknowledgement opens the window again.
    writer.ready_for_stdin().await.unwrap();
    (bytes, messages)
}

#[tokio::test]
async fn unacknowledged_input_is_limited_in_bytes() {
    assert_eq!(in_flight(&vec![0; 32 * 1024]).await, (1024 * 1024, 32));
}

#[tokio::test]
async fn unacknowledged_input_is_limited_in_messages() {
    assert_eq!(in_flight(b"x").await, (512, 512));
}

#[tokio::test]
async fn a_refusal_over_the_websocket_carries_the_error_code() {
    let (stream, mut socket) = opened().await;
    let data = "the sandbox is paused, not running".to_owned();
    say(&mut socket, ServerMessage::Error { data }).await;
    let close = CloseFrame {
        code: close_code::POLICY,
        reason: "invalid_state".into(),
    };
    socket.send(Message::Close(Some(close))).await.unwrap();
    let error = stream.split().0.next().await.unwrap_err();
    assert_eq!(error.code(), Some("invalid_state"));
    assert_eq!(error.to_string(), "the sandbox is paused, not running");
}

#[tokio::test]
async fn a_stream_that_ends_without_an_exit_is_a_lost_connection() {
    let (stream, mut socket) = opened().await;
    say(&mut socket, ServerMessage::Start { pid: 7 }).await;
    drop(socket);
    let (mut reader, _writer) = stream.split();
    assert_eq!(reader.next().await.unwrap(), ExecEvent::Started { pid: 7 });
    let error = reader.next().await.unwrap_err();
    assert!(matches!(error, ClientError::Disconnected), "{error:?}");
}

#[tokio::test]
async fn a_server_that_misses_three_pings_counts_as_lost() {
    let (stream, _socket) = opened().await;
    // From here on the clock advances whenever all tasks wait.
    tokio::time::pause();
    let since = tokio::time::Instant::now();
    let error = stream.split().0.next().await.unwrap_err();
    assert!(matches!(error, ClientError::Disconnected), "{error:?}");
    assert!(since.elapsed() > std::time::Duration::from_secs(90));
}
