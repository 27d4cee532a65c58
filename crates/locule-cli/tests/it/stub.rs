//! A server of the API's shapes: sandboxes are rows, their commands run on this machine in a folder of their own.

#![expect(
    clippy::disallowed_methods,
    reason = "this server is its own, and runs the programs that it is asked to run"
)]

mod exec;
pub(crate) mod people;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use axum::extract::{Path as Segment, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{TimeDelta, Utc};
use locule_api::{
    CreateSandboxRequest, ErrorBody, ErrorCode, ExecRequest, ExecStarted, Sandbox, SandboxStatus,
};
use locule_ids::SandboxId;
use tokio::sync::Semaphore;

pub(crate) const KEY: &str = "e2b_0000000000000000000000000000000000000000";
const PATIENCE: Duration = Duration::from_secs(30);

/// What a test looks at, and how it makes the server misbehave.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sandboxes: BTreeMap<SandboxId, Sandbox>,
    /// `METHOD path`, in order.
    pub(crate) calls: Vec<String>,
    pub(crate) created: Vec<CreateSandboxRequest>,
    pub(crate) idempotency_keys: Vec<String>,
    /// Signals that clients sent to commands.
    pub(crate) signals: Vec<String>,
    pub(crate) started: Vec<locule_api::StartMessage>,
    /// Commands whose client went away before they ended.
    pub(crate) left: usize,
    /// So many of the next calls of this method are answered by something in between.
    pub(crate) fail: Option<(Method, usize)>,
    /// SIGKILL is noted but not delivered.
    pub(crate) immortal: bool,
    /// The connection of this command is cut after its first output.
    pub(crate) cut: Option<&'static str>,
    /// A command is not told of input: nothing is acknowledged.
    pub(crate) deaf: bool,
    pub(crate) people: people::People,
    /// Programs are looked for here first.
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    /// Creating needs a permit.
    creating: Semaphore,
    folder: tempfile::TempDir,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let changed = change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
        changed
    }
}

pub(crate) struct Stub {
    pub(crate) url: String,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

impl Stub {
    pub(crate) fn start() -> Self {
        let stub = Self::start_held();
        stub.release_create();
        stub
    }

    /// Creates wait until they are released.
    pub(crate) fn start_held() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            changed: Condvar::new(),
            creating: Semaphore::new(0),
            folder: tempfile::tempdir().unwrap(),
        });
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = router(shared.clone());
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            url,
            shared,
            _runtime: runtime,
        }
    }

    pub(crate) fn release_create(&self) {
        self.shared.creating.add_permits(1000);
    }

    /// Where commands run: their home.
    pub(crate) fn home(&self) -> &Path {
        self.shared.folder.path()
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        self.shared.change(change)
    }

    /// Waits until it is so.
    pub(crate) fn wait(&self, what: &str, so: impl Fn(&Seen) -> bool) {
        let seen = self.shared.seen.lock().unwrap();
        let (seen, late) = self
            .shared
            .changed
            .wait_timeout_while(seen, PATIENCE, |seen| !so(seen))
            .unwrap();
        assert!(!late.timed_out(), "not seen: {what}: {seen:?}");
    }

    pub(crate) fn sandboxes(&self) -> usize {
        self.change(|seen| seen.sandboxes.len())
    }

    /// Puts one there, two hours old.
    pub(crate) fn add(&self, id: &str, status: SandboxStatus) -> SandboxId {
        let id = id.parse().unwrap();
        let mut sandbox = new(id, &CreateSandboxRequest::default());
        sandbox.status = status;
        self.change(|seen| seen.sandboxes.insert(id, sandbox));
        id
    }
}

fn new(id: SandboxId, wanted: &CreateSandboxRequest) -> Sandbox {
    let at = Utc::now() - TimeDelta::hours(2);
    let number = |value: Option<i64>, default| value.map_or(default, |v| u32::try_from(v).unwrap());
    Sandbox {
        id,
        status: SandboxStatus::Running,
        status_reason: None,
        last_error: None,
        template: wanted
            .template
            .clone()
            .unwrap_or_else(|| "minimal".to_owned()),
        vcpus: number(wanted.vcpus, 1),
        memory_mb: number(wanted.memory_mb, 512),
        timeout_sec: number(wanted.timeout_sec, 0),
        guest_ip: None,
        host_ip: None,
        created_at: at,
        started_at: Some(at),
        last_active_at: None,
        last_updated: at,
        expires_at: None,
        labels: wanted.labels.clone(),
        metadata: BTreeMap::from([("kernel_version".to_owned(), "6.1".to_owned())]),
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/sandboxes", post(create).get(list))
        .route("/v1/sandboxes/{id}", get(one).delete(destroy))
        .route("/v1/sandboxes/{id}/{act}", post(act))
        .route("/v1/sandboxes/{id}/exec/stream", get(exec::stream))
        .merge(people::routes())
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

fn refuse(status: StatusCode, code: ErrorCode, message: &str) -> Response {
    (status, Json(ErrorBody::new(code, message))).into_response()
}

fn missing() -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        ErrorCode::NotFound,
        "sandbox not found",
    )
}

/// Who asks, what is asked, and whether something in between is in the way today.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    if !request.uri().path().starts_with("/v1/sandboxes") {
        // Sandboxes are opened by the key here, the rest by a login.
        shared.change(|seen| seen.calls.push(call));
        return next.run(request).await;
    }
    let failed = shared.change(|seen| {
        seen.calls.push(call);
        match &mut seen.fail {
            Some((method, left)) if method == request.method() && *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    });
    if failed {
        return (StatusCode::BAD_GATEWAY, "no upstream").into_response();
    }
    if request
        .headers()
        .get("x-api-key")
        .is_none_or(|key| key != KEY)
    {
        let message = "this API key is unknown";
        return refuse(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message);
    }
    next.run(request).await
}

async fn create(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Json(wanted): Json<CreateSandboxRequest>,
) -> Response {
    shared.creating.acquire().await.unwrap().forget();
    if wanted.template.as_deref() == Some("nonesuch") {
        let message = "there is no template \"nonesuch\"";
        return refuse(StatusCode::NOT_FOUND, ErrorCode::NotFound, message);
    }
    let sandbox = new(SandboxId::random(), &wanted);
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    shared.change(|seen| {
        seen.created.push(wanted);
        seen.idempotency_keys.push(key);
        seen.sandboxes.insert(sandbox.id, sandbox.clone());
    });
    (StatusCode::CREATED, Json(sandbox)).into_response()
}

async fn list(State(shared): State<Arc<Shared>>) -> Json<Vec<Sandbox>> {
    Json(shared.change(|seen| seen.sandboxes.values().cloned().collect()))
}

async fn one(State(shared): State<Arc<Shared>>, Segment(id): Segment<SandboxId>) -> Response {
    match shared.change(|seen| seen.sandboxes.get(&id).cloned()) {
        Some(sandbox) => Json(sandbox).into_response(),
        None => missing(),
    }
}

async fn destroy(State(shared): State<Arc<Shared>>, Segment(id): Segment<SandboxId>) -> Response {
    match shared.change(|seen| seen.sandboxes.remove(&id)) {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => missing(),
    }
}

async fn act(
    State(shared): State<Arc<Shared>>,
    Segment((id, act)): Segment<(SandboxId, String)>,
    body: axum::body::Bytes,
) -> Response {
    use SandboxStatus::{Paused, Running};
    let Some(sandbox) = shared.change(|seen| seen.sandboxes.get(&id).cloned()) else {
        return missing();
    };
    let (from, to) = match act.as_str() {
        "pause" => (Running, Paused),
        "resume" => (Paused, Running),
        "exec" => {
            let wanted: ExecRequest = serde_json::from_slice(&body).unwrap();
            assert!(wanted.background);
            let started = ExecStarted {
                sandbox_id: id,
                cmd: wanted.cmd,
                pid: 4242,
                tag: "proc-0".to_owned(),
            };
            return (StatusCode::ACCEPTED, Json(started)).into_response();
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if sandbox.status != from {
        let now = serde_json::to_value(sandbox.status).unwrap();
        let message = format!("the sandbox is {}", now.as_str().unwrap());
        return refuse(StatusCode::CONFLICT, ErrorCode::InvalidState, &message);
    }
    let sandbox = shared.change(|seen| {
        let sandbox = seen.sandboxes.get_mut(&id).unwrap();
        sandbox.status = to;
        sandbox.clone()
    });
    Json(sandbox).into_response()
}
