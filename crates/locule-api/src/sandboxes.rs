//! Sandboxes in the native dialect.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_ids::SandboxId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Body of `POST /v1/sandboxes`. Everything has a default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CreateSandboxRequest {
    /// What to start from; `minimal` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::TemplateName>)]
    pub template: Option<String>,
    /// Zero or less: the default of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::vcpus)]
    pub vcpus: Option<i64>,
    /// Zero or less: the default of 512.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::memory_mb)]
    pub memory_mb: Option<i64>,
    /// Idle seconds after which the sandbox is paused; 0: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::seconds)]
    pub timeout_sec: Option<i64>,
    /// Seconds from now after which `on_timeout` happens, idle or not; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::life_seconds)]
    pub expires_in_sec: Option<i64>,
    /// What happens at `expires_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
    /// Wake the paused sandbox when a request for one of its ports arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resume: Option<bool>,
    /// Environment of every process in the sandbox.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(schema_with = schema::environment)]
    pub envs: BTreeMap<String, String>,
    /// Free text to find the sandbox by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(schema_with = schema::labels)]
    pub labels: BTreeMap<String, String>,
}

/// What happens to a sandbox at its `expires_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    Kill,
    Pause,
}

/// What a sandbox was last seen doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxStatus {
    Pending,
    Starting,
    Running,
    Paused,
    Missing,
    Stopped,
    Error,
}

/// A sandbox as its team sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Sandbox {
    #[schema(value_type = schema::SandboxId)]
    pub id: SandboxId,
    pub status: SandboxStatus,
    /// Why it is `stopped` or `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// What failed last, when it left the sandbox as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    pub template: String,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub timeout_sec: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
    pub created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_active_at: Option<DateTime<Utc>>,
    pub last_updated: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Versions of what runs it: `kernel_version`, `vmm_version`, `agent_version`, `guest_version`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}
