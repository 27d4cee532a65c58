//! The messages between control plane and host, as plain data.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use locule_domain::Timeouts;
use locule_ids::{SandboxId, TeamId, TemplateId};
use serde::{Deserialize, Serialize};

use crate::{AgentError, PROTOCOL_VERSION};

/// How far the control plane's database had come when an order was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteMark {
    /// The id of the database.
    pub cluster: String,
    /// Drawn from the database for each order; grows unless the database is restored to an earlier state.
    pub counter: i64,
}

impl std::fmt::Display for WriteMark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cluster, self.counter)
    }
}

impl WriteMark {
    /// Reads what [`Display`](std::fmt::Display) writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (cluster, counter) = text.split_once('/')?;
        Some(Self {
            cluster: cluster.to_owned(),
            counter: counter.parse().ok()?,
        })
    }
}

/// What every order of the control plane carries; the whole order where nothing else is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub sandbox: SandboxId,
    /// Grows with each order about this sandbox; a host refuses an order that is older than the last one it carried out.
    pub generation: i64,
    /// Travels as a header beside the message. `None` for an order that does not follow from a row of the database.
    pub write_mark: Option<WriteMark>,
}

/// A sandbox to create.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    pub order: Order,
    pub team: TeamId,
    pub template: String,
    pub template_id: TemplateId,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_size_mb: u32,
    pub timeouts: Timeouts,
    pub auto_resume: bool,
    pub default_user: String,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// The credential that clients present to the guest agent.
    pub access_token: String,
}

impl std::fmt::Debug for SandboxSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SandboxSpec")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct ResumeSandbox {
    pub order: Order,
    pub timeouts: Timeouts,
    pub access_token: String,
}

impl std::fmt::Debug for ResumeSandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResumeSandbox")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// New timeouts for a running sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateSandbox {
    pub order: Order,
    pub timeouts: Timeouts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportedState {
    Running,
    /// Durably: the snapshot is on the disk of the host.
    Paused,
    /// Ended; no file of the sandbox is left on the host.
    Stopped,
}

/// The report of one sandbox: enough to create its row again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxReport {
    pub sandbox: SandboxId,
    pub generation: i64,
    pub state: ReportedState,
    /// The reason of a pause or an end without an order: `idle`, `expired`, `vm_lost`, `guest_shutdown`, …
    pub reason: Option<String>,
    /// The last failure that did not change the state.
    pub last_error: Option<String>,
    pub team: TeamId,
    pub template: String,
    pub template_id: TemplateId,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_size_mb: u32,
    pub timeouts: Timeouts,
    pub guest_ip: String,
    pub host_ip: String,
    /// The versions of kernel, VMM, agent and guest agent.
    pub metadata: BTreeMap<String, String>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub last_active_at: Option<DateTime<Utc>>,
    /// The guest agent did not enter standby before the pause.
    pub unresponsive: bool,
    /// The duration of the last start or restore on the host, in milliseconds.
    pub ready_ms: u32,
}

/// The VMs of one template and shape in the host's warm pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolLevel {
    pub template: String,
    pub vcpus: u32,
    pub memory_mib: u32,
    /// VMs that have run their warm-up and are stopped.
    pub warm: u32,
    /// VMs that are restored from the template snapshot and have run nothing yet.
    pub restored: u32,
    /// Memory that these VMs do not share with the template snapshot.
    pub unique_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    pub protocol: u32,
    pub agent_version: String,
    pub accelerator: String,
    /// The reason why the accelerator is not KVM; empty for KVM.
    pub accelerator_reason: String,
    pub vmm: String,
    pub cpu_cores: u32,
    pub memory_mib: u64,
    pub pool_free_bytes: u64,
    pub templates: Vec<String>,
    /// The warm pool. Its VMs are in no list and are never billed.
    pub warm: Vec<PoolLevel>,
    /// The memory of all VMs; memory that they share with a template snapshot counts once.
    pub memory_used_bytes: u64,
    /// Above this limit the host pauses the sandbox that is idle longest.
    pub memory_limit_bytes: u64,
    /// Whether the host can create sandboxes.
    pub ready: bool,
    /// The highest write mark that came with an order.
    pub write_mark: Option<WriteMark>,
}

impl HostInfo {
    /// Whether this control plane can work with the host: its protocol is ours or the one before. Versions begin at 1.
    pub fn check_protocol(&self) -> Result<(), AgentError> {
        let own = PROTOCOL_VERSION;
        let oldest = own.saturating_sub(1).max(1);
        if (oldest..=own).contains(&self.protocol) {
            Ok(())
        } else {
            let host = self.protocol;
            Err(AgentError::UnsupportedProtocol { host, own })
        }
    }
}

/// One message of a watch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "all messages but one are the large one"
)]
pub enum WatchEvent {
    Report {
        seq: u64,
        report: SandboxReport,
    },
    /// The full list is complete; changes follow.
    Complete,
}

pub type WatchStream = BoxStream<'static, Result<WatchEvent, AgentError>>;

/// A host agent. The client and the agent itself implement it.
#[async_trait]
pub trait HostAgent: Send + Sync + 'static {
    async fn host(&self) -> Result<HostInfo, AgentError>;
    async fn create_sandbox(&self, spec: SandboxSpec) -> Result<SandboxReport, AgentError>;
    async fn destroy_sandbox(&self, order: Order) -> Result<(), AgentError>;
    async fn pause_sandbox(&self, order: Order) -> Result<SandboxReport, AgentError>;
    async fn resume_sandbox(&self, resume: ResumeSandbox) -> Result<SandboxReport, AgentError>;
    async fn update_sandbox(&self, update: UpdateSandbox) -> Result<SandboxReport, AgentError>;
    /// Counts as activity: the idle time starts again.
    async fn ping_sandbox(&self, sandbox: SandboxId) -> Result<(), AgentError>;
    /// The report that [`list_sandboxes`](Self::list_sandboxes) contains for this sandbox; `NotFound` where it contains none.
    async fn get_sandbox(&self, sandbox: SandboxId) -> Result<SandboxReport, AgentError>;
    /// Every sandbox that the host holds, running or paused, and every one that ended lately.
    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError>;
    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError>;
    /// Destroys the listed sandboxes and nothing else.
    async fn terminate(&self, sandboxes: Vec<SandboxId>) -> Result<(), AgentError>;
    /// Replaces the write mark that the host has seen, also by a lower one or by one of another database.
    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError>;
}
