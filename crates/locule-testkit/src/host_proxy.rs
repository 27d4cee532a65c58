//! The socket of a host agent in front of a [`SimHost`]: `/proxy/{sandbox}/{port}/…`, and the calls of a control plane in another
//! process.
//!
//! ```text
//! edge ──► HostProxy ──► port 49983: the guest agent (simulated, or a real one as a process)
//!             │     └──► ports 8080 and 49999: the web server of a simulated guest
//!             ├─ refuses by the state that the SimHost reports
//!             └─ anything outside of /proxy: a call of the control plane, to the SimHost
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use locule_agent_api::{Connector, PROXY_ERROR_HEADER, ReportedState, http1};
use locule_base::tasks::Tasks;
use locule_guest_api::{ACCESS_TOKEN_HEADER, GUEST_PORT};
use locule_ids::SandboxId;
use tokio::net::{TcpStream, UnixListener};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tower::ServiceExt as _;

use crate::{FakeGuest, GuestProcess, SimHost};

/// The guest agent that answers for every running sandbox of the host.
#[derive(Debug)]
pub enum GuestAgent {
    Fake(Arc<FakeGuest>),
    Process(GuestProcess),
}

/// The proxy; its socket is removed with the value.
#[derive(Debug)]
pub struct HostProxy {
    socket: PathBuf,
    tasks: Tasks,
    host: Arc<SimHost>,
    guest: GuestAgent,
    /// Sandboxes that are being paused: their new requests are refused.
    draining: Mutex<BTreeSet<SandboxId>>,
    /// Cancelled to break every response body that is being streamed.
    streams: Mutex<CancellationToken>,
    /// Whether new requests to sandboxes are accepted and never read.
    silent: AtomicBool,
    /// Cancelled to stop listening.
    listener: Mutex<CancellationToken>,
}

impl Drop for HostProxy {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
    }
}

impl HostProxy {
    /// Listens until `tasks` stop. Panics when it cannot listen.
    pub fn start(tasks: &Tasks, host: Arc<SimHost>, guest: GuestAgent) -> Arc<Self> {
        let name = format!("locule-proxy-{}.sock", SandboxId::random().base36());
        let proxy = Arc::new(Self {
            socket: std::env::temp_dir().join(name),
            tasks: tasks.clone(),
            host,
            guest,
            draining: Mutex::default(),
            streams: Mutex::default(),
            silent: AtomicBool::new(false),
            listener: Mutex::default(),
        });
        proxy.listen();
        proxy
    }

    /// The socket, for the `hosts` of a control plane in another process.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    pub fn connector(&self) -> Connector {
        Connector::Unix(self.socket.clone())
    }

    /// Stops accepting connections, as while a host agent restarts. Requests that were accepted go on.
    pub fn stop_listening(&self) {
        std::fs::remove_file(&self.socket).expect("the socket of the proxy");
        replace(&self.listener).cancel();
    }

    /// Accepts connections again. Panics when it cannot listen.
    pub fn listen(self: &Arc<Self>) {
        let listener = UnixListener::bind(&self.socket).expect("listen on a socket");
        let stop = self.tasks.token().child_token();
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = stop.clone();
        // Not a strong reference: the socket is removed with the last one of the test.
        let app = Router::new()
            .fallback(forward)
            .with_state(Arc::downgrade(self));
        self.tasks.spawn("host proxy", |_| async move {
            tokio::select! {
                served = async { axum::serve(listener, app).await } => served?,
                () = stop.cancelled() => {}
            }
            Ok(())
        });
    }

    /// Breaks every response that is being streamed, as when a sandbox or its host is lost.
    pub fn break_streams(&self) {
        replace(&self.streams).cancel();
    }

    /// Reads no new request to a sandbox, as a guest agent that a program in the guest has replaced.
    pub fn silence(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// Refuses new requests to the sandbox, as a host does while it pauses one.
    pub fn drain(&self, sandbox: SandboxId) {
        let mut draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        draining.insert(sandbox);
    }

    /// Why the host agent does not forward a request to this sandbox.
    fn refusal(&self, sandbox: Option<SandboxId>) -> Option<Response> {
        let report = sandbox.and_then(|sandbox| self.host.report(sandbox));
        let Some(report) = report else {
            return Some(refused(StatusCode::NOT_FOUND, "not_found"));
        };
        let draining = self.draining.lock().unwrap_or_else(PoisonError::into_inner);
        if draining.contains(&report.sandbox) {
            return Some(refused(StatusCode::CONFLICT, "draining"));
        }
        let is_running = report.state == ReportedState::Running;
        (!is_running).then(|| refused(StatusCode::CONFLICT, "not_running"))
    }

    async fn answer(&self, port: u16, request: Request) -> Response {
        let result = match (&self.guest, port) {
            (GuestAgent::Fake(guest), GUEST_PORT) => guest.agent().oneshot(request).await,
            (GuestAgent::Fake(guest), 8080 | 49999) => guest.web().oneshot(request).await,
            (GuestAgent::Process(guest), GUEST_PORT) => return exchange(guest, request).await,
            _ => return refused(StatusCode::BAD_GATEWAY, "port_closed"),
        };
        match result {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn replace(token: &Mutex<CancellationToken>) -> CancellationToken {
    let mut token = token.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *token)
}

fn refused(status: StatusCode, error: &'static str) -> Response {
    (status, [(PROXY_ERROR_HEADER, error)]).into_response()
}

/// Sends a request to the guest agent's process. That process serves all sandboxes, so it has one access token of its own.
async fn exchange(guest: &GuestProcess, mut request: Request) -> Response {
    let token = HeaderValue::from_static(GuestProcess::ACCESS_TOKEN);
    request.headers_mut().insert(ACCESS_TOKEN_HEADER, token);
    let Ok(stream) = TcpStream::connect(guest.address()).await else {
        return refused(StatusCode::BAD_GATEWAY, "port_closed");
    };
    match http1::exchange(stream, request).await {
        Ok(response) => response.map(Body::new),
        Err(_) => refused(StatusCode::BAD_GATEWAY, "broken"),
    }
}

async fn forward(
    State(proxy): State<std::sync::Weak<HostProxy>>,
    mut request: Request,
) -> Response {
    let Some(proxy) = proxy.upgrade() else {
        return refused(StatusCode::NOT_FOUND, "not_found");
    };
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    if !target.starts_with("/proxy/") {
        let calls = locule_agent_api::router(proxy.host.clone());
        return calls.oneshot(request).await.into_response();
    }
    if proxy.silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let mut parts = target.splitn(5, '/').skip(2);
    let sandbox = parts.next().and_then(|id| id.parse().ok());
    let port = parts.next().and_then(|port| port.parse().ok());
    let inner = format!("/{}", parts.next().unwrap_or_default());
    if let Some(refusal) = proxy.refusal(sandbox) {
        return refusal;
    }
    let (Some(port), Ok(inner)) = (port, inner.parse::<Uri>()) else {
        return refused(StatusCode::BAD_GATEWAY, "port_closed");
    };
    *request.uri_mut() = inner;
    let streams = proxy
        .streams
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let response = proxy.answer(port, request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    response.map(|inner| {
        Body::new(BreakableBody {
            inner,
            broken: Box::pin(streams.cancelled_owned()),
        })
    })
}

/// A response body that ends with an error when its streams are broken.
struct BreakableBody {
    inner: Body,
    broken: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl HttpBody for BreakableBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.broken.as_mut().poll(context).is_ready() {
            let error = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
