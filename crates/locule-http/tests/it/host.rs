//! A host that does what it is told, in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use locule_agent_api::{
    AgentError, HostAgent, HostInfo, Order, PROTOCOL_VERSION, ReportedState, ResumeSandbox,
    SandboxReport, SandboxSpec, UpdateSandbox, WatchStream,
};
use locule_ids::SandboxId;

#[derive(Default)]
pub(crate) struct Host {
    held: Mutex<BTreeMap<SandboxId, SandboxReport>>,
}

impl Host {
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
        Ok(HostInfo {
            protocol: PROTOCOL_VERSION,
            agent_version: "0".to_owned(),
            accelerator: "none".to_owned(),
            accelerator_reason: String::new(),
            vmm: "none".to_owned(),
            cpu_cores: 8,
            memory_mib: 8192,
            pool_free_bytes: 1 << 40,
            warm: Vec::new(),
            templates: vec!["minimal".to_owned()],
            ready: true,
        })
    }

    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError> {
        let report = SandboxReport {
            sandbox: spec.sandbox,
            generation: spec.generation,
            state: ReportedState::Running,
            reason: None,
            last_error: None,
            team: spec.team,
            template: spec.template,
            template_id: spec.template_id,
            vcpus: spec.vcpus,
            memory_mb: spec.memory_mb,
            disk_size_mb: spec.disk_size_mb,
            timeout_sec: spec.timeout_sec,
            expires_at: spec.expires_at,
            on_timeout: spec.on_timeout,
            guest_ip: "169.254.0.21".to_owned(),
            host_ip: "10.0.0.1".to_owned(),
            metadata: BTreeMap::new(),
            created_at: DateTime::<Utc>::UNIX_EPOCH,
            started_at: None,
            last_active_at: None,
            unresponsive: false,
            ready_ms: 1,
        };
        self.held
            .lock()
            .unwrap()
            .insert(spec.sandbox, report.clone());
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
        self.change(resume.sandbox, resume.generation, |report| {
            report.state = ReportedState::Running;
            report.expires_at = resume.expires_at;
        })
    }

    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError> {
        self.change(update.sandbox, update.generation, |report| {
            report.expires_at = update.expires_at;
        })
    }

    async fn ping_sandbox(&self, _: SandboxId) -> Result<(), AgentError> {
        Ok(())
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
}
