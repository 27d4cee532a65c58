//! What a host must know of one sandbox. The [ledger](crate::ledger) keeps the manifest on disk; the control plane gets it as a
//! report.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_agent_api::{ReportedState, SandboxRecord, SandboxReport, SandboxSpec};
use locule_domain::{OnTimeout, Timeouts};
use locule_ids::{SandboxId, TeamId, TemplateId};
use locule_vmm::{Shape, VmmHandle, VmmIdentity};
use serde::{Deserialize, Serialize};

/// The state of a sandbox on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub(crate) enum ManifestState {
    /// The creation is in progress, and was not acknowledged.
    Creating,
    Running {
        slot: u16,
        vmm: VmmHandle,
        #[serde(rename = "image")]
        snapshot: Option<u32>,
    },
    /// A resume is in progress; the snapshot is still valid.
    Resuming {
        slot: u16,
        #[serde(rename = "image")]
        snapshot: u32,
    },
    Paused {
        #[serde(rename = "image")]
        snapshot: u32,
    },
    Stopped,
}

/// The fields of [`Timeouts`] in the manifest's file.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Timeouts")]
struct TimeoutFields {
    timeout_sec: u32,
    expires_at: Option<DateTime<Utc>>,
    #[serde(with = "OnTimeoutWord")]
    on_timeout: OnTimeout,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OnTimeout", rename_all = "snake_case")]
enum OnTimeoutWord {
    Kill,
    Pause,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) sandbox: SandboxId,
    /// Of the last order that was carried out.
    pub(crate) generation: i64,
    #[serde(rename = "held")]
    pub(crate) state: ManifestState,
    pub(crate) reason: Option<String>,
    pub(crate) last_error: Option<String>,
    pub(crate) unresponsive: bool,
    pub(crate) team: TeamId,
    pub(crate) template: String,
    pub(crate) template_id: TemplateId,
    pub(crate) vcpus: u32,
    #[serde(rename = "memory_mb")]
    pub(crate) memory_mib: u32,
    pub(crate) disk_size_mb: u32,
    #[serde(flatten, with = "TimeoutFields")]
    pub(crate) timeouts: Timeouts,
    pub(crate) auto_resume: bool,
    pub(crate) default_user: String,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) access_token: String,
    /// Authenticates the host to the guest agent.
    pub(crate) control_key: String,
    /// The key of the template snapshot that the sandbox was restored from.
    #[serde(rename = "golden")]
    pub(crate) template_snapshot: String,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) stopped_at: Option<DateTime<Utc>>,
    pub(crate) ready_ms: u32,
    /// The VMM that runs the VM, or that saved the snapshot. Absent in manifests of agents before this field.
    #[serde(default)]
    pub(crate) vmm: Option<VmmIdentity>,
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("sandbox", &self.sandbox)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Manifest {
    pub(crate) fn new(spec: SandboxSpec, control_key: String, now: DateTime<Utc>) -> Self {
        Self {
            sandbox: spec.order.sandbox,
            generation: spec.order.generation,
            state: ManifestState::Creating,
            reason: None,
            last_error: None,
            unresponsive: false,
            team: spec.team,
            template: spec.template,
            template_id: spec.template_id,
            vcpus: spec.vcpus,
            memory_mib: spec.memory_mib,
            disk_size_mb: spec.disk_size_mb,
            timeouts: spec.timeouts,
            auto_resume: spec.auto_resume,
            default_user: spec.default_user,
            env: spec.env,
            labels: spec.labels,
            access_token: spec.access_token,
            control_key,
            template_snapshot: String::new(),
            metadata: BTreeMap::new(),
            created_at: now,
            started_at: None,
            stopped_at: None,
            ready_ms: 0,
            vmm: None,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            vcpus: self.vcpus,
            memory_mib: self.memory_mib,
        }
    }

    /// The VMM that saved the snapshot, or runs the VM. Manifests without the field name the VMM in their metadata.
    pub(crate) fn saved_by(&self) -> Option<VmmIdentity> {
        let named = || self.metadata.get("vmm_version")?.parse().ok();
        self.vmm.clone().or_else(named)
    }

    /// The report for the control plane.
    pub(crate) fn report(&self, last_active_at: Option<DateTime<Utc>>) -> SandboxReport {
        let state = match self.state {
            ManifestState::Creating | ManifestState::Running { .. } => ReportedState::Running,
            ManifestState::Paused { .. } | ManifestState::Resuming { .. } => ReportedState::Paused,
            ManifestState::Stopped => ReportedState::Stopped,
        };
        SandboxReport {
            sandbox: self.sandbox,
            generation: self.generation,
            state,
            reason: self.reason.clone(),
            last_error: self.last_error.clone(),
            team: self.team,
            template: self.template.clone(),
            template_id: self.template_id,
            vcpus: self.vcpus,
            memory_mib: self.memory_mib,
            disk_size_mb: self.disk_size_mb,
            timeouts: self.timeouts,
            guest_ip: locule_net::GUEST_IP.to_string(),
            host_ip: String::new(),
            metadata: self.metadata.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            last_active_at,
            unresponsive: self.unresponsive,
            ready_ms: self.ready_ms,
            // Not in the manifest: it changes while the sandbox runs.
            stored_bytes: None,
        }
    }

    /// The record for a control plane that has lost the row of the sandbox. The keys of the guest agent stay on the host.
    pub(crate) fn record(&self, report: SandboxReport) -> SandboxRecord {
        SandboxRecord {
            report,
            default_user: self.default_user.clone(),
            auto_resume: self.auto_resume,
            env: self.env.clone(),
            labels: self.labels.clone(),
        }
    }
}
