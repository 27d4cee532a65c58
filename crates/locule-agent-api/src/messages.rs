//! The messages between control plane and host, as plain data. Each has its form on the wire beside it: texts become ids and
//! times there, and nowhere else.

mod activity;
mod host;
mod inventory;
mod orders;
mod record;
mod report;
mod wire_values;

use async_trait::async_trait;
use futures::stream::BoxStream;
use locule_ids::SandboxId;
use serde::{Deserialize, Serialize};

use crate::AgentError;

pub use activity::{Holder, HolderKind, Purpose, SandboxActivity};
pub use host::{HostInfo, PoolLevel};
pub use inventory::inventory_hash;
pub use orders::{Order, ResumeSandbox, SandboxSpec, UpdateSandbox};
pub use record::SandboxRecord;
pub use report::{ReportedState, SandboxReport};
pub(crate) use wire_values::parse_id;

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
    /// The record of a sandbox that the host holds; `NotFound` where the sandbox ended.
    async fn sandbox_record(&self, sandbox: SandboxId) -> Result<SandboxRecord, AgentError>;
    /// When the sandbox was last used and what uses it now. Asking is no use, and does not reach the guest.
    async fn activity(&self, sandbox: SandboxId) -> Result<SandboxActivity, AgentError>;
    /// Every sandbox that the host holds, running or paused, and every one that ended lately.
    async fn list_sandboxes(&self) -> Result<Vec<SandboxReport>, AgentError>;
    async fn watch_sandboxes(&self) -> Result<WatchStream, AgentError>;
    /// The host was deleted: destroys exactly the sandboxes of the orders, then the agent leaves the platform. It pauses every other
    /// sandbox, keeps its snapshot, removes its own credentials and exits. A sandbox that is gone counts as destroyed, so the
    /// call can be repeated. If an order fails the others are carried out, and the agent stays.
    async fn terminate(&self, orders: Vec<Order>) -> Result<(), AgentError>;
    /// Replaces the write mark that the host has seen, also by a lower one or by one of another database.
    async fn accept_database(&self, at: WriteMark) -> Result<(), AgentError>;
}
