//! The guest agent of simulated sandboxes: scripted programs, files in memory, and a web server on port 8080.
//!
//! | program | behaviour |
//! |---|---|
//! | `chunks` | prints each argument, base64-decoded, as one chunk, and exits with 3 |
//! | `echo` | prints its arguments, then the byte 0xff to standard error, and exits with 3 |
//! | `fail` | prints `no` to standard error and exits with 1 |
//! | `cat` | prints its input, and exits when its input is closed |
//! | `sleep` | runs until it is signalled |
//! | `/bin/sh` | is `sleep`, so that a terminal has a shell; there is no `/bin/bash` |
//! | `stuck` | runs until it is signalled, and never reads its input |
//! | `flood` | prints as many bytes as its argument says, and runs on |
//! | `print` | prints as many bytes as its argument says, and exits with 0 |
//! | `printer` | prints `abc`, then `de` to standard error, and runs on; a client that attaches again gets the scrollback and exit code 0 |
//! | `folder` | is not executable |
//! | `undetailed` | is refused without an error detail, as guest agents before that detail did |
//! | any other | is not found |
//!
//! One value serves all sandboxes of a test's host, and records what reached it.

mod directories;
mod files;
mod processes;
mod web;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use locule_guest_api::ports::{Listener, Listeners};
use locule_guest_api::proto::process as wire;
use locule_guest_api::{ACCESS_TOKEN_HEADER, PORTS_PATH, rpc};

use self::processes::Process;

/// A request that reached the web server on port 8080.
#[derive(Debug, Clone)]
pub struct WebRequest {
    pub headers: HeaderMap,
    /// With its query, percent-encoded as it was sent.
    pub path: String,
    pub body: Vec<u8>,
}

/// The answer of the web server on port 8080.
pub type WebAnswer = (StatusCode, HeaderMap, String);

/// The simulated guest agent, and what reached it.
#[derive(Debug, Default)]
pub struct FakeGuest {
    /// Every call but `/health` must carry this token; `None` accepts any.
    access_token: Option<String>,
    /// Signals to processes, in order.
    pub signals: Mutex<Vec<i32>>,
    pub starts: Mutex<Vec<wire::StartRequest>>,
    /// The sizes that terminals were given after their start: columns and rows.
    pub sizes: Mutex<Vec<(u32, u32)>>,
    /// By path. A directory exists when a file is in it.
    pub files: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The ports on which programs listen.
    pub listeners: Mutex<Vec<Listener>>,
    /// The last request to the web server.
    pub web_request: Mutex<Option<WebRequest>>,
    /// The access token of each request to port 49983.
    pub access_tokens: Mutex<Vec<Option<String>>>,
    /// What the web server on port 8080 answers instead of an echo.
    pub web_answer: Mutex<Option<WebAnswer>>,
    /// Count of requests to control paths.
    pub control_calls: AtomicU32,
    /// The output of `printer` that the guest agent still keeps, and the offset of its first byte.
    pub scrollback: Mutex<(u64, Vec<u8>)>,
    /// The offset of each `Connect` request.
    pub offsets: Mutex<Vec<Option<u64>>>,
    /// Count of `flood`s and `print`s that have printed everything.
    pub floods: AtomicU32,
    processes: Mutex<BTreeMap<u32, Process>>,
    next_pid: AtomicU32,
}

/// The process id of the first process.
pub const FIRST_PID: u32 = 100;

impl FakeGuest {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A guest agent that refuses calls without this access token.
    pub fn with_access_token(token: &str) -> Arc<Self> {
        Arc::new(Self {
            access_token: Some(token.to_owned()),
            ..Self::default()
        })
    }

    /// The application behind port 49983.
    pub(crate) fn agent(self: &Arc<Self>) -> Router {
        let services = processes::register(rpc::Router::new(), self.clone());
        let services = directories::register(services, self.clone());
        let control = any(|State(guest): State<Arc<Self>>| async move {
            guest.control_calls.fetch_add(1, Ordering::SeqCst);
        });
        let ports = get(|State(guest): State<Arc<Self>>| async move {
            let ports = lock(&guest.listeners).clone();
            Json(Listeners { ports })
        });
        let mut router = Router::new()
            .route(PORTS_PATH, ports)
            .route("/health", get(|| async { StatusCode::NO_CONTENT }))
            .route("/files", get(files::read).post(files::write))
            .layer(DefaultBodyLimit::disable());
        for path in locule_guest_api::CONTROL_PATHS {
            router = router.route(path, control.clone());
        }
        router
            .fallback_service(services.into_axum_service())
            .layer(from_fn_with_state(self.clone(), authorize))
            .with_state(self.clone())
    }

    /// The application behind ports 8080 and 49999.
    pub(crate) fn web(self: &Arc<Self>) -> Router {
        web::router(self.clone())
    }
}

async fn authorize(State(guest): State<Arc<FakeGuest>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(ACCESS_TOKEN_HEADER);
    let presented = presented.map(axum::http::HeaderValue::as_bytes);
    let recorded = presented.map(|token| String::from_utf8_lossy(token).into_owned());
    lock(&guest.access_tokens).push(recorded);
    let expected = guest.access_token.as_ref().map(String::as_bytes);
    if request.uri().path() == "/health" || expected.is_none() || presented == expected {
        return next.run(request).await;
    }
    files::refusal(StatusCode::UNAUTHORIZED, "access token is missing or wrong").into_response()
}

/// A test that panicked reports its own failure.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the kernel would accept the text as a path.
fn is_path(text: &str) -> bool {
    text.len() < 4096 && !text.contains('\0')
}
