//! The E2B dialect: camel case, ids without a prefix, its own error envelope.
//!
//! The published SDKs read a body only with the documented status and index required fields blindly, so every field that
//! is not an `Option` here is required there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{object, schema};

/// Value of the legacy field `clientID`, which clients require and do not use.
pub const CLIENT_ID: &str = "00000000";

/// Body of every error response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = e2b::Error)]
pub struct E2bError {
    /// The HTTP status code, repeated for the JavaScript SDK, which reads the status from the body.
    pub code: u16,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
}

/// Body of both create operations. The default of `timeout` is 15 seconds in `/sandboxes` and 300 seconds in `/v2/sandboxes`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::NewSandbox)]
pub struct NewSandbox {
    #[serde(rename = "templateID")]
    #[schema(value_type = schema::TemplateName)]
    pub template_id: String,
    /// Seconds until the sandbox is killed or paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::timeout_seconds)]
    pub timeout: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::optional_labels)]
    pub metadata: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::optional_environment)]
    pub env_vars: Option<BTreeMap<String, String>>,
    /// Memory in MiB, rounded up to a multiple of 128. Not in E2B's own API, where a template has the size.
    #[serde(default, rename = "memoryMB", skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::rounded_memory_mb)]
    pub memory_mb: Option<i64>,
    /// Whether the sandbox is paused, instead of killed, at its timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_pause: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::only_true)]
    pub auto_pause_memory: Option<bool>,
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub auto_resume: Option<AutoResume>,
    #[serde(
        default,
        rename = "allow_internet_access",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(schema_with = schema::only_true)]
    pub allow_internet_access: Option<bool>,
    #[serde(
        default,
        deserialize_with = "object::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub network: Option<Network>,
    /// Not supported. A value that is not empty is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::nothing)]
    pub iam: Option<Map<String, Value>>,
    /// Not supported. A value that is not empty is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, max_items = 0)]
    pub volume_mounts: Option<Vec<Value>>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = e2b::AutoResume)]
pub struct AutoResume {
    pub enabled: bool,
}

/// The network configuration. Only `allowPublicTraffic` takes effect. Any other field is refused unless its value is empty,
/// because the platform does not enforce such a rule.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = e2b::Network)]
pub struct Network {
    /// Whether ports are reachable without a token. When `false`, every port except the guest agent's requires the traffic
    /// access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_public_traffic: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, max_items = 0)]
    pub allow_out: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, max_items = 0)]
    pub deny_out: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::nothing)]
    pub rules: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 0)]
    pub mask_request_host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<u16>>, max_items = 0)]
    pub https_ports: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>, max_items = 0)]
    pub dns_servers: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::nothing)]
    pub egress_proxy: Option<Map<String, Value>>,
}

/// A sandbox, as the create and connect operations return one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::Sandbox)]
pub struct Sandbox {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(rename = "sandboxID")]
    #[schema(value_type = schema::BareSandboxId)]
    pub sandbox_id: String,
    #[serde(rename = "clientID")]
    pub client_id: String,
    pub envd_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envd_access_token: Option<String>,
    /// The traffic access token of the sandbox's ports. `null` unless `network.allowPublicTraffic` is `false`.
    pub traffic_access_token: Option<String>,
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// The state of a sandbox. The SDKs know these two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = e2b::SandboxState)]
pub enum SandboxState {
    Running,
    Paused,
}

/// A sandbox in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::ListedSandbox)]
pub struct ListedSandbox {
    #[serde(rename = "templateID")]
    pub template_id: String,
    #[serde(rename = "sandboxID")]
    #[schema(value_type = schema::BareSandboxId)]
    pub sandbox_id: String,
    #[serde(rename = "clientID")]
    pub client_id: String,
    pub started_at: DateTime<Utc>,
    pub end_at: DateTime<Utc>,
    pub envd_version: String,
    pub cpu_count: u32,
    #[serde(rename = "memoryMB")]
    pub memory_mb: u32,
    #[serde(rename = "diskSizeMB")]
    pub disk_size_mb: u32,
    pub state: SandboxState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Response of `GET /sandboxes/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::SandboxDetail)]
pub struct SandboxDetail {
    #[serde(flatten)]
    pub listed: ListedSandbox,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envd_access_token: Option<String>,
    pub domain: Option<String>,
    pub network: Network,
    pub lifecycle: Lifecycle,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::Lifecycle)]
pub struct Lifecycle {
    pub on_timeout: crate::OnTimeout,
    pub auto_resume: bool,
}

/// Body of both connect operations. Clients of `/sandboxes/{id}/connect` always send `timeout`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = e2b::ConnectSandbox)]
pub struct ConnectSandbox {
    /// Whether to restore the memory. `false`, a boot from the disk, is not supported and is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::only_true)]
    pub memory: Option<bool>,
    /// Minimum number of seconds until the sandbox times out, counted from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::timeout_seconds)]
    pub timeout: Option<i64>,
}

/// Body of `POST /sandboxes/{id}/timeout`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = e2b::SetTimeout)]
pub struct SetTimeout {
    /// Seconds until the sandbox times out, counted from now. 0 ends the sandbox at once.
    #[schema(schema_with = schema::required_timeout_seconds)]
    pub timeout: i64,
}

/// Body of `POST /sandboxes/{id}/refreshes`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = e2b::Refresh)]
pub struct Refresh {
    /// Minimum number of seconds until the sandbox times out, counted from now: 3600 at most, 60 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 3600)]
    pub duration: Option<i64>,
}

/// Body of `POST /sandboxes/{id}/pause`; may be absent.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::PauseSandbox)]
pub struct PauseSandbox {
    /// Whether to keep the memory. `false`, which keeps the disk alone, is not supported and is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::only_true)]
    pub memory: Option<bool>,
    /// Not supported. `true` is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::only_false)]
    pub require_healthy_guest: Option<bool>,
}

/// Body of `POST /sandboxes/{id}/resume`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::ResumeSandbox)]
pub struct ResumeSandbox {
    /// Whether to restore the memory. `false`, a boot from the disk, is not supported and is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::only_true)]
    pub memory: Option<bool>,
    /// Whether the sandbox is paused at its timeout. `true` is refused unless the sandbox was created with `autoPause`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_pause: Option<bool>,
    /// Seconds until the sandbox times out; 15 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::timeout_seconds)]
    pub timeout: Option<i64>,
}

/// Error response of the port proxy in front of a sandbox. The SDKs' `is_running()` reads the message.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = e2b::ProxyError)]
pub struct ProxyError {
    pub sandbox_id: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub code: u16,
}
