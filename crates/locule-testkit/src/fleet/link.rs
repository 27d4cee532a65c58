//! The agent of a host, as one process of the control plane reaches it over the [`Network`].

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use locule_agent_api::{
    AgentError, HostAgent, HostInfo, Order, ResumeSandbox, SandboxActivity, SandboxRecord,
    SandboxReport, SandboxSpec, UpdateSandbox, WatchStream, WriteMark,
};
use locule_ids::SandboxId;

use super::network::{Incarnation, Network, Run};
use crate::host::SimHost;
use crate::plan::Call;

/// The way from one process to one host.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) from: Arc<Incarnation>,
    pub(super) network: Network,
    /// The number of the host in the fleet.
    pub(super) number: usize,
    pub(super) host: Arc<SimHost>,
}

impl Link {
    async fn send<T, F>(
        &self,
        call: Call,
        lie: Option<T>,
        run: impl Fn(Arc<SimHost>) -> F,
    ) -> Result<T, AgentError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AgentError>> + Send + 'static,
    {
        let run = || -> Run<T> { run(self.host.clone()).boxed() };
        let to = (self.number, call);
        self.network.send(&self.from, to, run, lie).await
    }
}

#[async_trait]
impl HostAgent for Link {
    async fn host(&self) -> Result<HostInfo, AgentError> {
        let run = |host: Arc<SimHost>| async move { host.host().await };
        self.send(Call::Host, None, run).await
    }

    async fn create_sandbox(&self, of: SandboxSpec) -> Result<SandboxReport, AgentError> {
        let run = move |host: Arc<SimHost>| {
            let of = of.clone();
            async move { host.create_sandbox(of).await }
        };
        self.send(Call::Create, None, run).await
    }

    async fn pause_sandbox(&self, of: Order) -> Result<SandboxReport, AgentError> {
        let run = move |host: Arc<SimHost>| {
            let of = of.clone();
            async move { host.pause_sandbox(of).await }
        };
        self.send(Call::Pause, None, run).await
    }

    async fn resume_sandbox(&self, of: ResumeSandbox) -> Result<SandboxReport, AgentError> {
        let run = move |host: Arc<SimHost>| {
            let of = of.clone();
            async move { host.resume_sandbox(of).await }
        };
        self.send(Call::Resume, None, run).await
    }

    async fn update_sandbox(&self, of: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        let run = move |host: Arc<SimHost>| {
            let of = of.clone();
            async move { host.update_sandbox(of).await }
        };
        self.send(Call::Update, None, run).await
    }

    async fn ping_sandbox(&self, of: SandboxId) -> Result<(), AgentError> {
        let run = move |host: Arc<SimHost>| async move { host.ping_sandbox(of).await };
        self.send(Call::Ping, None, run).await
    }

    async fn get_sandbox(&self, of: SandboxId) -> Result<SandboxReport, AgentError> {
        let run = move |host: Arc<SimHost>| async move { host.get_sandbox(of).await };
        self.send(Call::Get, None, run).await
    }

    async fn sandbox_record(&self, of: SandboxId) -> Result<SandboxRecord, AgentError> {
        let run = move |host: Arc<SimHost>| async move { host.sandbox_record(of).await };
        self.send(Call::Record, None, run).await
    }

    async fn activity(&self, of: SandboxId) -> Result<SandboxActivity, AgentError> {
        let run = move |host: Arc<SimHost>| async move { host.activity(of).await };
        self.send(Call::Activity, None, run).await
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError> {
        let run = |host: Arc<SimHost>| async move { host.list_sandboxes().await };
        self.send(Call::List, None, run).await
    }

    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError> {
        let run = |host: Arc<SimHost>| async move { host.watch_sandboxes().await };
        self.send(Call::Watch, None, run).await
    }

    async fn terminate(&self, of: Vec<Order>) -> Result<(), AgentError> {
        let run = move |host: Arc<SimHost>| {
            let of = of.clone();
            async move { host.terminate(of).await }
        };
        self.send(Call::Terminate, None, run).await
    }

    async fn destroy_sandbox(&self, of: Order) -> Result<(), AgentError> {
        let run = move |host: Arc<SimHost>| {
            let of = of.clone();
            async move { host.destroy_sandbox(of).await }
        };
        self.send(Call::Destroy, Some(()), run).await
    }

    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError> {
        self.host.accept_database(at).await
    }
}
