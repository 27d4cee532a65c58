//! A host that does what it is told, in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use http::StatusCode;
use locule_agent_api::{
    AgentError, Connector, HostAgent, HostInfo, Order, PROXY_ERROR_HEADER, ReportedState,
    ResumeSandbox, SandboxReport, SandboxSpec, UpdateSandbox, WatchStream,
};
use locule_base::clock::SystemClock;
use locule_base::tasks::Tasks;
use locule_ids::SandboxId;
use locule_testkit::reports::{host_info, running};
use tokio::net::UnixListener;
use tower::ServiceExt as _;

use crate::guest::{self, Seen};

pub(crate) struct Host {
    held: Mutex<BTreeMap<SandboxId, SandboxReport>>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) resumes: AtomicU32,
    socket: PathBuf,
}

impl Drop for Host {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).ok();
    }
}

/// What stands in for the host agent's `/proxy/{sandbox}/{port}/…`.
async fn proxy(State(host): State<Arc<Host>>, mut request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().as_str().to_owned();
    let mut parts = path.splitn(5, '/').skip(2);
    let sandbox: Option<SandboxId> = parts.next().and_then(|id| id.parse().ok());
    let (port, rest) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let state = sandbox.and_then(|id| Some(host.held.lock().unwrap().get(&id)?.state));
    let refused = |status: StatusCode, why| (status, [(PROXY_ERROR_HEADER, why)]).into_response();
    match state {
        None => return refused(StatusCode::NOT_FOUND, "not_found"),
        Some(ReportedState::Running) => {}
        Some(_) => return refused(StatusCode::CONFLICT, "not_running"),
    }
    *request.uri_mut() = format!("/{rest}").parse().unwrap();
    let behind = match port {
        "49983" => guest::agent(host.seen.clone()),
        "8080" => guest::web(host.seen.clone()),
        _ => return refused(StatusCode::BAD_GATEWAY, "port_closed"),
    };
    behind.oneshot(request).await.unwrap()
}

impl Host {
    /// Listens on a socket of its own, as long as the role that `tasks` belong to.
    pub(crate) fn start(tasks: &Tasks) -> Arc<Self> {
        let name = format!("locule-http-{}.sock", SandboxId::random().base36());
        let socket = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&socket).unwrap();
        let host = Arc::new(Self {
            held: Mutex::default(),
            seen: Arc::default(),
            resumes: AtomicU32::new(0),
            socket,
        });
        let app = Router::new().fallback(proxy).with_state(host.clone());
        tasks.spawn("host", |stop| async move {
            tokio::select! {
                served = async { axum::serve(listener, app).await } => served?,
                () = stop.cancelled() => {}
            }
            Ok(())
        });
        host
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector::Unix(self.socket.clone())
    }

    fn change(
        &self,
        sandbox: SandboxId,
        generation: i64,
        change: impl FnOnce(&mut SandboxReport),
    ) -> Result<SandboxReport, AgentError> {
        let mut held = self.held.lock().unwrap();
        let report = held.get_mut(&sandbox).ok_or(AgentError::NotFound)?;
        report.generation = generation;
        change(report);
        Ok(report.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.held.lock().unwrap().len()
    }
}

#[async_trait]
impl HostAgent for Host {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        Ok(host_info())
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        let report = running(spec, SystemClock::shared().now());
        let mut held = self.held.lock().unwrap();
        held.insert(report.sandbox, report.clone());
        Ok(report)
    }

    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError> {
        let gone = self.held.lock().unwrap().remove(&order.sandbox);
        gone.map(|_| ()).ok_or(AgentError::NotFound)
    }

    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError> {
        self.change(order.sandbox, order.generation, |report| {
            report.state = ReportedState::Paused;
        })
    }

    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        self.resumes.fetch_add(1, Ordering::SeqCst);
        self.change(resume.order.sandbox, resume.order.generation, |report| {
            report.state = ReportedState::Running;
            report.timeouts.expires_at = resume.timeouts.expires_at;
        })
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        self.change(update.order.sandbox, update.order.generation, |report| {
            report.timeouts.expires_at = update.timeouts.expires_at;
        })
    }

    async fn ping_sandbox(&self, _: SandboxId) -> Result<(), AgentError> {
        Ok(())
    }

    async fn get_sandbox(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError> {
        let held = self.held.lock().unwrap();
        held.get(&sandbox).cloned().ok_or(AgentError::NotFound)
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        Ok(self.held.lock().unwrap().values().cloned().collect())
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        Ok(stream::pending().boxed())
    }

    async fn terminate(&self, sandboxes: Vec<SandboxId>) -> Result<(), AgentError> {
        self.held
            .lock()
            .unwrap()
            .retain(|id, _| !sandboxes.contains(id));
        Ok(())
    }

    async fn accept_database(&self, _at: locule_agent_api::WriteMark) -> Result<(), AgentError> {
        Ok(())
    }
}
