//! Sandboxes in the native dialect.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_ids::SandboxId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Body of `POST /v1/sandboxes`. Every field has a default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CreateSandboxRequest {
    /// The name of the template to start from; `minimal` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::TemplateName>)]
    pub template: Option<String>,
    /// Number of virtual CPUs. Zero or less stands for the default of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::vcpus)]
    pub vcpus: Option<i64>,
    /// Memory in MiB, a multiple of 128. Zero or less stands for the default of 512.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::memory_mb)]
    pub memory_mb: Option<i64>,
    /// Seconds without activity after which the sandbox is paused; 0 never pauses an idle sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::idle_seconds)]
    pub timeout_sec: Option<i64>,
    /// Seconds from now until `expires_at`, when `on_timeout` applies to an idle or active sandbox. Absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::timeout_seconds)]
    pub expires_in_sec: Option<i64>,
    /// The action at `expires_at`; `kill` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
    /// Whether a request for one of the sandbox's ports resumes a paused sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resume: Option<bool>,
    /// Environment variables of every process in the sandbox.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(schema_with = schema::environment)]
    pub envs: BTreeMap<String, String>,
    /// Labels to find the sandbox by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(schema_with = schema::labels)]
    pub labels: BTreeMap<String, String>,
}

/// Action on a sandbox at its `expires_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    Kill,
    Pause,
}

/// The last observed state of a sandbox.
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

/// A sandbox.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Sandbox {
    #[schema(value_type = schema::SandboxId)]
    pub id: SandboxId,
    pub status: SandboxStatus,
    /// The reason of the status `stopped` or `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The last operation's failure, when the failure left the sandbox unchanged.
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
    /// Versions of the components that run the sandbox: `kernel_version`, `vmm_version`, `agent_version`, `guest_version`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}
