//! The guest agent of every sandbox of the test's host: a few programs, a few files, and a web server on port 8080.
//!
//! `chunks` prints each argument, base64, as a chunk of its own and exits with 3; `fail` prints to standard error; `cat`
//! prints its input until that is closed; `sleep` ends when it is signalled; `stuck` does not read; others are not there.

mod filesystem;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response as Answer};
use axum::routing::{any, get};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, StatusCode};
use locule_guest_api::COMMAND_NOT_FOUND;
use locule_guest_api::oneof::process_event::Event as Kind;
use locule_guest_api::oneof::process_event::data_event::Output;
use locule_guest_api::oneof::process_input::Input;
use locule_guest_api::oneof::process_selector::Selector;
use locule_guest_api::proto::process as wire;
use locule_guest_api::rpc::{
    self, ConnectError, Encodable, ErrorDetail, RequestContext, Response, ServiceRequest,
    ServiceResult, ServiceStream,
};
use tokio::sync::{mpsc, watch};

/// What was seen, for assertions.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) signals: Mutex<Vec<i32>>,
    pub(crate) starts: Mutex<Vec<wire::StartRequest>>,
    pub(crate) files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Of the last request to port 8080, and its path and body.
    pub(crate) request: Mutex<Option<(HeaderMap, String, Vec<u8>)>>,
    /// Requests to control paths.
    pub(crate) control_calls: AtomicU32,
    /// Cuts what streams.
    pub(crate) cut: tokio::sync::Notify,
    processes: Mutex<BTreeMap<u32, Process>>,
    next_pid: AtomicU32,
}

struct Process {
    cmd: String,
    events: mpsc::UnboundedSender<Kind>,
    signalled: watch::Sender<bool>,
}

/// Everything behind port 49983.
pub(crate) fn agent(seen: Arc<Seen>) -> Router {
    let services = rpc::Router::new().add_service(Arc::new(Service(seen.clone())));
    let services = filesystem::register(services, seen.clone());
    let control = any(|State(seen): State<Arc<Seen>>| async move {
        seen.control_calls.fetch_add(1, Ordering::SeqCst);
    });
    let mut router = Router::new()
        .route("/health", get(|| async { StatusCode::NO_CONTENT }))
        .route("/files", get(read).post(write))
        .layer(axum::extract::DefaultBodyLimit::disable());
    for path in locule_guest_api::CONTROL_PATHS {
        router = router.route(path, control.clone());
    }
    router
        .with_state(seen)
        .fallback_service(services.into_axum_service())
}

/// The web server on port 8080.
pub(crate) fn web(seen: Arc<Seen>) -> Router {
    Router::new()
        .route("/hang", get(hang))
        .route("/ws", get(echo_socket))
        .fallback(any(echo))
        .with_state(seen)
}

/// What the kernel would take.
fn is_path(text: &str) -> bool {
    text.len() < 4096 && !text.contains('\0')
}

#[derive(serde::Deserialize)]
struct FileQuery {
    path: String,
}

fn refused(status: StatusCode, message: &str) -> Answer {
    let body = serde_json::json!({ "code": status.as_u16(), "message": message });
    (status, axum::Json(body)).into_response()
}

async fn read(State(seen): State<Arc<Seen>>, Query(query): Query<FileQuery>) -> Answer {
    match seen.files.lock().unwrap().get(&query.path) {
        Some(bytes) => bytes.clone().into_response(),
        None => refused(StatusCode::NOT_FOUND, "the path does not exist"),
    }
}

async fn write(
    State(seen): State<Arc<Seen>>,
    Query(query): Query<FileQuery>,
    body: Body,
) -> Answer {
    if !is_path(&query.path) {
        return refused(StatusCode::BAD_REQUEST, "not a path");
    }
    if query.path == "/full" {
        return refused(StatusCode::INSUFFICIENT_STORAGE, "not enough disk space");
    }
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            let bytes = bytes.to_vec();
            seen.files.lock().unwrap().insert(query.path, bytes);
            axum::Json(serde_json::json!([])).into_response()
        }
        Err(_) => refused(StatusCode::BAD_REQUEST, "the body broke off"),
    }
}

async fn echo(State(seen): State<Arc<Seen>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    *seen.request.lock().unwrap() = Some((parts.headers, path, bytes.clone()));
    let headers = [("x-theirs", "1"), ("keep-alive", "timeout=5")];
    (headers, bytes).into_response()
}

async fn hang(State(seen): State<Arc<Seen>>) -> Answer {
    let broken = stream::once(async move {
        seen.cut.notified().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(stream::iter([Ok("begun")]).chain(broken)).into_response()
}

async fn echo_socket(upgrade: WebSocketUpgrade) -> Answer {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

struct Service(Arc<Seen>);

fn data(output: Output) -> Kind {
    wire::process_event::DataEvent {
        output: Some(output),
        ..Default::default()
    }
    .into()
}

fn end(exit_code: i32, signal: u32) -> Kind {
    wire::process_event::EndEvent {
        exit_code,
        signal,
        ..Default::default()
    }
    .into()
}

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_default()
}

impl Service {
    fn events(
        &self,
        request: wire::StartRequest,
    ) -> Result<impl Stream<Item = wire::ProcessEvent> + Send + use<>, ConnectError> {
        let process = request.process.clone().into_option().unwrap_or_default();
        self.0.starts.lock().unwrap().push(request);
        let pid = self.0.next_pid.fetch_add(1, Ordering::SeqCst) + 100;
        let (events, received) = mpsc::unbounded_channel();
        let started = wire::process_event::StartEvent {
            pid,
            ..Default::default()
        };
        events.send(started.into()).unwrap();
        match process.cmd.as_str() {
            "chunks" => {
                for chunk in &process.args {
                    events.send(data(Output::Stdout(bytes(chunk)))).unwrap();
                }
                events.send(end(3, 0)).unwrap();
            }
            "fail" => {
                events.send(data(Output::Stderr(b"no\n".to_vec()))).unwrap();
                events.send(end(1, 0)).unwrap();
            }
            "cat" | "sleep" | "stuck" => {
                let process = Process {
                    cmd: process.cmd,
                    events,
                    signalled: watch::Sender::new(false),
                };
                self.0.processes.lock().unwrap().insert(pid, process);
            }
            other => {
                let message = format!("command '{other}' was not found");
                let why = ErrorDetail {
                    type_url: COMMAND_NOT_FOUND.to_owned(),
                    value: Some(String::new()),
                    debug: None,
                };
                return Err(ConnectError::invalid_argument(message).with_detail(why));
            }
        }
        let received = stream::unfold(received, |mut received| async move {
            Some((received.recv().await?, received))
        });
        Ok(received.map(|event| wire::ProcessEvent {
            event: Some(event),
            ..Default::default()
        }))
    }

    fn with<T>(
        &self,
        selector: Option<&wire::ProcessSelector>,
        act: impl FnOnce(u32, &Process) -> T,
    ) -> Result<T, ConnectError> {
        let processes = self.0.processes.lock().unwrap();
        let pid = match selector.and_then(|selector| selector.selector.clone()) {
            Some(Selector::Pid(pid)) => pid,
            Some(Selector::Tag(_)) | None => 0,
        };
        let process = processes.get(&pid);
        let process = process.ok_or_else(|| ConnectError::not_found("no such process"))?;
        Ok(act(pid, process))
    }
}

impl wire::Process for Service {
    async fn start(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::StartRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::StartResponse> + Send + use<>>> {
        let events = self.events(request.to_owned_message())?;
        Ok(Response::stream(events.map(|event| {
            Ok(wire::StartResponse {
                event: event.into(),
                ..Default::default()
            })
        })))
    }

    async fn connect(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::ConnectRequest>,
    ) -> ServiceResult<ServiceStream<impl Encodable<wire::ConnectResponse> + Send + use<>>> {
        let none = stream::iter(Vec::<Result<wire::ConnectResponse, ConnectError>>::new());
        self.with(request.to_owned_message().process.as_option(), |_, _| ())?;
        Ok(Response::stream(none))
    }

    async fn list<'a>(
        &'a self,
        _: RequestContext,
        _: ServiceRequest<'_, wire::ListRequest>,
    ) -> ServiceResult<impl Encodable<wire::ListResponse> + Send + use<'a>> {
        Response::ok(wire::ListResponse::default())
    }

    async fn send_input<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::SendInputRequest>,
    ) -> ServiceResult<impl Encodable<wire::SendInputResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let input = request.input.into_option().and_then(|input| input.input);
        let stuck = self.with(request.process.as_option(), |_, process| {
            if let ("cat", Some(Input::Stdin(bytes))) = (process.cmd.as_str(), input) {
                process.events.send(data(Output::Stdout(bytes))).ok();
            }
            (process.cmd == "stuck").then(|| process.signalled.subscribe())
        })?;
        if let Some(mut signalled) = stuck {
            signalled.wait_for(|signalled| *signalled).await.ok();
        }
        Response::ok(wire::SendInputResponse::default())
    }

    async fn stream_input(
        &self,
        _: RequestContext,
        _: ServiceStream<rpc::StreamMessage<wire::StreamInputRequest>>,
    ) -> ServiceResult<impl Encodable<wire::StreamInputResponse> + Send + use<'_>> {
        Response::ok(wire::StreamInputResponse::default())
    }

    async fn close_stdin<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::CloseStdinRequest>,
    ) -> ServiceResult<impl Encodable<wire::CloseStdinResponse> + Send + use<'a>> {
        self.with(
            request.to_owned_message().process.as_option(),
            |_, process| {
                process.events.send(end(0, 0)).ok();
            },
        )?;
        Response::ok(wire::CloseStdinResponse::default())
    }

    async fn send_signal<'a>(
        &'a self,
        _: RequestContext,
        request: ServiceRequest<'_, wire::SendSignalRequest>,
    ) -> ServiceResult<impl Encodable<wire::SendSignalResponse> + Send + use<'a>> {
        let request = request.to_owned_message();
        let signal = request.signal.to_i32();
        self.with(request.process.as_option(), |_, process| {
            process.events.send(end(-1, signal.unsigned_abs())).ok();
            process.signalled.send_replace(true);
        })?;
        self.0.signals.lock().unwrap().push(signal);
        Response::ok(wire::SendSignalResponse::default())
    }

    async fn update<'a>(
        &'a self,
        _: RequestContext,
        _: ServiceRequest<'_, wire::UpdateRequest>,
    ) -> ServiceResult<impl Encodable<wire::UpdateResponse> + Send + use<'a>> {
        Response::ok(wire::UpdateResponse::default())
    }
}
