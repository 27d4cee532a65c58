//! Stands between the commands under test and the API: records the traffic, and breaks it where a test says so.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::{self, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{self, Message, client::IntoClientRequest as _};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tower::ServiceExt as _;

const PATIENCE: Duration = Duration::from_secs(30);

/// The traffic that the relay recorded, and the faults that a test sets.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// `METHOD path`, in order.
    pub(crate) calls: Vec<String>,
    /// The bodies and idempotency keys of creates that reached the API.
    pub(crate) created: Vec<Value>,
    pub(crate) idempotency_keys: Vec<String>,
    /// Queries of the audit log.
    pub(crate) queries: Vec<String>,
    /// Start messages of exec streams.
    pub(crate) started: Vec<Value>,
    /// Signals that clients sent to commands.
    pub(crate) signals: Vec<String>,
    /// Count of exec streams that the client closed before the command exited.
    pub(crate) abandoned: usize,
    /// So many of the next calls with this method about sandboxes fail at a gateway.
    pub(crate) fail: Option<(Method, usize)>,
    /// SIGKILL is recorded and not forwarded.
    pub(crate) immortal: bool,
    /// The connection of this command is cut after its first output.
    pub(crate) cut: Option<&'static str>,
    /// First messages that connect to a terminal.
    pub(crate) connected: Vec<Value>,
}

#[derive(Debug)]
pub(super) struct Relay {
    api: Router,
    /// Where the API listens.
    address: SocketAddr,
    traffic: Mutex<Traffic>,
    changed: Condvar,
    /// Breaks every open stream.
    broken: Notify,
}

impl Relay {
    pub(super) fn new(api: Router, address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            api,
            address,
            traffic: Mutex::default(),
            changed: Condvar::new(),
            broken: Notify::new(),
        })
    }

    pub(super) fn router(self: &Arc<Self>) -> Router {
        Router::new().fallback(relay).with_state(self.clone())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Traffic) -> T) -> T {
        let changed = change(&mut self.traffic.lock().unwrap());
        self.changed.notify_all();
        changed
    }

    pub(super) fn break_streams(&self) {
        self.broken.notify_waiters();
    }

    pub(super) fn wait(&self, what: &str, is_so: impl Fn(&Traffic) -> bool) {
        let traffic = self.traffic.lock().unwrap();
        let (traffic, late) = self
            .changed
            .wait_timeout_while(traffic, PATIENCE, |traffic| !is_so(traffic))
            .unwrap();
        assert!(!late.timed_out(), "not seen: {what}: {traffic:?}");
    }

    /// Whether a fault of the test takes this call.
    fn fails(&self, request: &Request) -> bool {
        let is_sandbox = request.uri().path().starts_with("/v1/sandboxes");
        self.change(|traffic| match &mut traffic.fail {
            Some((method, left)) if is_sandbox && method == request.method() && *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        })
    }
}

async fn relay(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let call = format!("{} {path}", request.method());
    relay.change(|traffic| traffic.calls.push(call.clone()));
    if relay.fails(&request) {
        return (StatusCode::BAD_GATEWAY, "no upstream").into_response();
    }
    if path.ends_with("/exec/stream") || path.ends_with("/pty") {
        return stream(relay, request).await;
    }
    if path == "/v1/audit-logs" {
        let query = request.uri().query().unwrap_or_default().to_owned();
        relay.change(|traffic| traffic.queries.push(query));
    }
    if call != "POST /v1/sandboxes" {
        return relay.api.clone().oneshot(request).await.unwrap();
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let key = parts.headers["idempotency-key"].to_str().unwrap();
    relay.change(|traffic| {
        traffic.created.push(serde_json::from_slice(&body).unwrap());
        traffic.idempotency_keys.push(key.to_owned());
    });
    let request = Request::from_parts(parts, Body::from(body));
    relay.api.clone().oneshot(request).await.unwrap()
}

type Upstream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects an exec stream or a terminal to the API.
async fn stream(relay: Arc<Relay>, request: Request) -> Response {
    let url = format!("ws://{}{}", relay.address, request.uri().path());
    let mut upstream = url.into_client_request().unwrap();
    if let Some(key) = request.headers().get("x-api-key") {
        upstream.headers_mut().insert("x-api-key", key.clone());
    }
    let upstream = match tokio_tungstenite::connect_async(upstream).await {
        Ok((upstream, _)) => upstream,
        Err(tungstenite::Error::Http(refusal)) => {
            return refusal.map(|body| Body::from(body.unwrap_or_default()));
        }
        Err(error) => panic!("connect to the API: {error}"),
    };
    let mut parts = request.into_parts().0;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
    let upgrade = upgrade.unwrap();
    upgrade.on_upgrade(async move |client| Stream { relay, upstream }.carry(client).await)
}

/// One exec stream or terminal.
struct Stream {
    relay: Arc<Relay>,
    upstream: Upstream,
}

impl Stream {
    async fn carry(mut self, mut client: WebSocket) {
        let mut cut = false;
        let relay = self.relay.clone();
        let broken = relay.broken.notified();
        tokio::pin!(broken);
        loop {
            tokio::select! {
                () = &mut broken => return,
                message = self.upstream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let is_output = kind(&text) == "stdout";
                        let text = ws::Utf8Bytes::from(text.as_str());
                        client.send(ws::Message::Text(text)).await.ok();
                        if cut && is_output {
                            return;
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let frame = frame.map(|frame| ws::CloseFrame {
                            code: frame.code.into(),
                            reason: frame.reason.as_str().into(),
                        });
                        client.send(ws::Message::Close(frame)).await.ok();
                        // A close with unread input would be a reset, which may overtake the last messages.
                        while let Some(Ok(_)) = client.recv().await {}
                        return;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
                message = client.recv() => match message {
                    Some(Ok(ws::Message::Text(text))) => {
                        let message: Value = serde_json::from_str(&text).unwrap();
                        cut |= self.relay.change(|traffic| traffic.cut.is_some_and(|cmd| message["cmd"] == cmd));
                        if self.record(message) {
                            let text = Message::text(text.as_str());
                            self.upstream.send(text).await.ok();
                        }
                    }
                    Some(Ok(ws::Message::Ping(_) | ws::Message::Pong(_) | ws::Message::Binary(_))) => {}
                    Some(Ok(ws::Message::Close(_)) | Err(_)) | None => {
                        self.relay.change(|traffic| traffic.abandoned += 1);
                        return;
                    }
                },
            }
        }
    }

    /// Records a message of the client; whether it is forwarded.
    fn record(&self, mut message: Value) -> bool {
        let fields = message.as_object_mut().unwrap();
        let kind = fields.remove("type").unwrap();
        self.relay.change(|traffic| match kind.as_str() {
            Some("start") => {
                traffic.started.push(message);
                true
            }
            Some("connect") => {
                traffic.connected.push(message);
                true
            }
            Some("signal") => {
                let signal = message["signal"].as_str().unwrap().to_owned();
                let forwarded = !(traffic.immortal && signal == "SIGKILL");
                traffic.signals.push(signal);
                forwarded
            }
            _ => true,
        })
    }
}

fn kind(message: &str) -> String {
    let message: Value = serde_json::from_str(message).unwrap();
    message["type"].as_str().unwrap_or_default().to_owned()
}
