//! The report of a host about one sandbox, and its form on the wire.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::Timeouts;
use locule_ids::{SandboxId, TeamId, TemplateId};
use serde::{Deserialize, Serialize};

use super::wire_values::{parse_id, some, time, timeouts, unix_ms};
use crate::AgentError;
use crate::proto::hostagent::v1 as wire;

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
    /// What the sandbox's files occupy in the pool and share with no other file. `None`: not measured yet.
    pub stored_bytes: Option<u64>,
}

impl From<SandboxReport> for wire::SandboxInfo {
    fn from(report: SandboxReport) -> Self {
        let status = match report.state {
            ReportedState::Running => "running",
            ReportedState::Paused => "paused",
            ReportedState::Stopped => "stopped",
        };
        Self {
            sandbox_id: report.sandbox.to_string(),
            status: status.to_owned(),
            template: report.template,
            vcpus: report.vcpus,
            memory_mb: report.memory_mib,
            host_ip: report.host_ip,
            created_at_unix: report.created_at.timestamp(),
            last_active_at_unix: report.last_active_at.map_or(0, |time| time.timestamp()),
            timeout_sec: report.timeouts.timeout_sec,
            team_id: report.team.to_string(),
            template_id: report.template_id.to_string(),
            metadata: report.metadata.into_iter().collect(),
            generation: report.generation,
            reason: report.reason.unwrap_or_default(),
            last_error: report.last_error.unwrap_or_default(),
            guest_ip: report.guest_ip,
            started_at_unix_ms: unix_ms(report.started_at),
            expires_at_unix_ms: unix_ms(report.timeouts.expires_at),
            on_timeout: wire::OnTimeout::from(report.timeouts.on_timeout).into(),
            disk_size_mb: report.disk_size_mb,
            unresponsive: report.unresponsive,
            ready_ms: report.ready_ms,
            stored_bytes: report.stored_bytes.unwrap_or_default(),
            ..Default::default()
        }
    }
}

impl TryFrom<wire::SandboxInfo> for SandboxReport {
    type Error = AgentError;

    fn try_from(info: wire::SandboxInfo) -> Result<Self, AgentError> {
        let state = match info.status.as_str() {
            "running" => ReportedState::Running,
            "paused" => ReportedState::Paused,
            "stopped" => ReportedState::Stopped,
            _ => {
                return Err(AgentError::InvalidArgument(
                    "the sandbox status is unknown".to_owned(),
                ));
            }
        };
        Ok(Self {
            sandbox: parse_id(&info.sandbox_id)?,
            generation: info.generation,
            state,
            reason: some(info.reason),
            last_error: some(info.last_error),
            team: parse_id(&info.team_id)?,
            template: info.template,
            template_id: parse_id(&info.template_id)?,
            vcpus: info.vcpus,
            memory_mib: info.memory_mb,
            disk_size_mb: info.disk_size_mb,
            timeouts: timeouts(info.timeout_sec, info.expires_at_unix_ms, info.on_timeout)?,
            guest_ip: info.guest_ip,
            host_ip: info.host_ip,
            metadata: info.metadata.into_iter().collect(),
            created_at: time(info.created_at_unix.saturating_mul(1000))?.unwrap_or_default(),
            started_at: time(info.started_at_unix_ms)?,
            last_active_at: time(info.last_active_at_unix.saturating_mul(1000))?,
            unresponsive: info.unresponsive,
            ready_ms: info.ready_ms,
            stored_bytes: Some(info.stored_bytes).filter(|bytes| *bytes > 0),
        })
    }
}
