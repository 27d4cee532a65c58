//! A simulated host with one running sandbox, whose guest agent is simulated too.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use locule_agent_api::ReportedState;
use locule_base::clock::SystemClock;
use locule_base::tasks::Tasks;
use locule_edge::{Forwarding, GuestClient, Pass, Refusal, Target};
use locule_ids::{SandboxId, TeamId};
use locule_testkit::builders::sandbox;
use locule_testkit::reports::of_row;
use locule_testkit::{FakeGuest, GuestAgent, HostProxy, SimHost};

const TOKEN: &str = "token-of-the-guest";
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Host {
    /// The running sandbox.
    pub(crate) target: Target,
    pub(crate) tasks: Tasks,
    pub(crate) guest: Arc<FakeGuest>,
    pub(crate) sim: Arc<SimHost>,
    pub(crate) proxy: Arc<HostProxy>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

impl Host {
    pub(crate) fn start() -> Self {
        let tasks = Tasks::new();
        let sim = SimHost::new(SystemClock::shared());
        let guest = FakeGuest::with_access_token(TOKEN);
        let agent = GuestAgent::Fake(guest.clone());
        let proxy = HostProxy::start(&tasks, sim.clone(), agent);
        let target = Target {
            sandbox: SandboxId::random(),
            connector: proxy.connector(),
            access_token: TOKEN.to_owned(),
            cut: Arc::default(),
        };
        let mut host = Self {
            target,
            tasks,
            guest,
            sim,
            proxy,
        };
        host.target = host.sandbox(ReportedState::Running);
        host
    }

    /// Another sandbox of the host, in this state.
    pub(crate) fn sandbox(&self, state: ReportedState) -> Target {
        let row = sandbox(TeamId::random()).0;
        self.sim.hold(of_row(&row, state));
        self.unknown(row.id)
    }

    /// A sandbox that may be unknown to the host.
    pub(crate) fn unknown(&self, sandbox: SandboxId) -> Target {
        Target {
            sandbox,
            ..self.target.clone()
        }
    }

    pub(crate) fn client(&self) -> GuestClient {
        GuestClient::new(self.target.clone())
    }
}

/// Forwards a request once, and answers a refusal as the gateway does.
pub(crate) async fn proxy(
    target: Target,
    port: u16,
    pass: Pass,
    request: Request,
    is_credential: impl Fn(&str) -> bool,
    tasks: &Tasks,
) -> Response {
    let sandbox = target.sandbox;
    let refused = |refusal: Refusal| refusal.response(Some(sandbox), port);
    match Forwarding::new(port, pass, request, is_credential) {
        Ok(mut forwarding) => match forwarding.send(target, false, tasks).await {
            Ok(response) => response,
            Err(error) => refused(error.refusal),
        },
        Err(refusal) => refused(refusal),
    }
}
