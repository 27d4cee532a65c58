//! Rows of the table, and their conversion to sandboxes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::{Desired, OnTimeout, Sandbox, SandboxState, Timeouts};
use locule_ids::{HostId, SandboxId, TeamId, TemplateId};
use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::row;

type Texts = BTreeMap<String, String>;

/// A map as a parameter of a JSONB column.
pub(super) type JsonTexts<'a> = Json<&'a Texts>;

pub(super) fn json(texts: &Texts) -> JsonTexts<'_> {
    Json(texts)
}

/// A JSONB column, whose form is checked when the row becomes a sandbox: a row that cannot be read hides no other.
type JsonText = Json<Box<RawValue>>;

/// A statement that reads whole rows.
macro_rules! select {
    ($rest:expr $(, $more:expr)*) => {
        concat!(
            "SELECT id, team_id, host_id, status, desired, generation, version, status_reason, last_error, cleanup_pending,
                    template, template_id, default_user, vcpus, memory_mb, disk_size_mb, timeout_sec, expires_at,
                    timeout_given_sec, on_timeout, auto_resume, public_traffic, env, labels, guest_ip, host_ip, metadata,
                    stored_bytes, created_at, started_at, last_active_at, last_updated
             FROM sandboxes ", $rest $(, $more)*
        )
    };
}
pub(super) use select;

row! {
    pub(super) struct SandboxRow {
        id: Uuid,
        team_id: Uuid,
        host_id: Option<Uuid>,
        status: String,
        desired: String,
        generation: i64,
        version: i64,
        status_reason: Option<String>,
        last_error: Option<String>,
        cleanup_pending: bool,
        template: String,
        template_id: Uuid,
        default_user: String,
        vcpus: i32,
        memory_mb: i32,
        disk_size_mb: i32,
        timeout_sec: i32,
        expires_at: Option<DateTime<Utc>>,
        timeout_given_sec: Option<i32>,
        on_timeout: String,
        auto_resume: bool,
        public_traffic: bool,
        env: JsonText,
        labels: JsonText,
        guest_ip: String,
        host_ip: String,
        metadata: JsonText,
        stored_bytes: i64,
        created_at: DateTime<Utc>,
        started_at: Option<DateTime<Utc>>,
        last_active_at: Option<DateTime<Utc>>,
        last_updated: DateTime<Utc>,
    }
}

impl SandboxRow {
    pub(super) fn id(&self) -> SandboxId {
        SandboxId::from_uuid(self.id)
    }
}

/// The state of a sandbox that has not ended.
pub(super) fn exists(status: &str) -> Option<SandboxState> {
    state(status, None).filter(|state| !state.is_final())
}

pub(super) fn impossible(id: Uuid) -> StoreError {
    StoreError::Impossible {
        table: "sandboxes",
        id: id.to_string(),
    }
}

pub(super) fn state(status: &str, reason: Option<&str>) -> Option<SandboxState> {
    let reason = || reason.unwrap_or_default();
    match status {
        "pending" => Some(SandboxState::Pending),
        "starting" => Some(SandboxState::Starting),
        "running" => Some(SandboxState::Running),
        "paused" => Some(SandboxState::Paused),
        "missing" => Some(SandboxState::Missing),
        "stopped" => reason()
            .parse()
            .ok()
            .map(|reason| SandboxState::Stopped { reason }),
        "error" => reason()
            .parse()
            .ok()
            .map(|reason| SandboxState::Error { reason }),
        _ => None,
    }
}

fn desired(text: &str) -> Option<Desired> {
    Desired::ALL
        .into_iter()
        .find(|desired| desired.as_str() == text)
}

fn on_timeout(text: &str) -> Option<OnTimeout> {
    OnTimeout::ALL
        .into_iter()
        .find(|value| value.as_str() == text)
}

impl TryFrom<SandboxRow> for Sandbox {
    type Error = StoreError;

    fn try_from(row: SandboxRow) -> Result<Self, StoreError> {
        let id = row.id;
        let impossible = || impossible(id);
        let texts =
            |text: &RawValue| serde_json::from_str::<Texts>(text.get()).map_err(|_| impossible());
        let number = |value: i32| u32::try_from(value).map_err(|_| impossible());
        Ok(Self {
            id: SandboxId::from_uuid(row.id),
            team: TeamId::from_uuid(row.team_id),
            host: row.host_id.map(HostId::from_uuid),
            state: state(&row.status, row.status_reason.as_deref()).ok_or_else(impossible)?,
            desired: desired(&row.desired).ok_or_else(impossible)?,
            generation: row.generation,
            version: row.version,
            last_error: row.last_error.clone(),
            cleanup_pending: row.cleanup_pending,
            template_id: TemplateId::from_uuid(row.template_id),
            default_user: row.default_user,
            vcpus: number(row.vcpus)?,
            memory_mib: number(row.memory_mb)?,
            disk_size_mb: number(row.disk_size_mb)?,
            timeouts: Timeouts {
                timeout_sec: number(row.timeout_sec)?,
                expires_at: row.expires_at,
                on_timeout: on_timeout(&row.on_timeout).ok_or_else(impossible)?,
            },
            timeout_given_sec: row.timeout_given_sec.map(number).transpose()?,
            template: row.template,
            status_reason: row.status_reason,
            auto_resume: row.auto_resume,
            public_traffic: row.public_traffic,
            env: texts(&row.env.0)?,
            labels: texts(&row.labels.0)?,
            guest_ip: row.guest_ip,
            host_ip: row.host_ip,
            metadata: texts(&row.metadata.0)?,
            stored_bytes: u64::try_from(row.stored_bytes).map_err(|_| impossible())?,
            created_at: row.created_at,
            started_at: row.started_at,
            last_active_at: row.last_active_at,
            last_updated: row.last_updated,
        })
    }
}
