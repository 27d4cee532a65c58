//! Hosts: the machines that run sandboxes, and what their agents say to the control plane.

use chrono::{DateTime, Utc};
use locule_ids::{HostId, SandboxId, TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{SandboxStatus, schema};

/// The header with the access token of a host agent.
pub const HOST_TOKEN_HEADER: &str = "x-host-token";

/// The owner of a host, whose sandboxes the host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostType {
    /// A host of the platform: runs the sandboxes of teams without hosts of their own.
    Regular,
    /// A host of a team: runs the sandboxes of this team.
    Byoc,
}

/// The state of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostStatus {
    /// The host agent has not registered, or the control plane has not reached the host agent at its address yet.
    Pending,
    Online,
    /// The host agent has sent no heartbeat for more than 90 seconds.
    Unreachable,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Host {
    #[schema(value_type = schema::HostId)]
    pub id: HostId,
    #[serde(rename = "type")]
    pub kind: HostType,
    /// The team that brought the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::TeamId>)]
    pub team_id: Option<TeamId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// The processor architecture of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_cores: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_gb: Option<i32>,
    /// The address at which the control plane reaches the host agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub status: HostStatus,
    /// The time of the latest heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    /// The version of the host agent, as its latest heartbeat said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// The accelerator of the virtual machines: `kvm`, or `tcg` for emulation, which does not isolate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accelerator: Option<String>,
    /// Whether new sandboxes are placed on other hosts only.
    #[serde(default)]
    pub cordoned: bool,
    /// Whether the host is being drained, and what happens to its running sandboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<HostDrain>,
    /// The sandboxes on the host that run, start, or are missing.
    #[serde(default)]
    pub running_sandboxes: i64,
    #[serde(default)]
    pub paused_sandboxes: i64,
    /// The memory of the running sandboxes together, as they were created with.
    #[serde(default)]
    pub reserved_memory_mb: i64,
    /// Memory that virtual machines may still use, as the latest heartbeat said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_memory_mb: Option<i64>,
    /// Free space for disks and snapshots, as the latest heartbeat said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_free_bytes: Option<i64>,
    /// The user that created the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::UserId>)]
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The treatment of the running sandboxes of a host that is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostDrain {
    /// The platform pauses the sandboxes.
    Pause,
    /// The sandboxes run until they end or are paused.
    Wait,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UpdateHostRequest {
    /// `true`: new sandboxes are placed on other hosts only. `false` also ends a drain.
    pub cordoned: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DrainHostRequest {
    /// The treatment of the sandboxes that run.
    pub running: HostDrain,
}

/// A sandbox on a host, in any state in which the host holds files of the sandbox.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HostSandbox {
    #[schema(value_type = schema::SandboxId)]
    pub id: SandboxId,
    pub status: SandboxStatus,
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_name: Option<String>,
    pub template: String,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_size_mb: u32,
    pub created_at: DateTime<Utc>,
}

/// A sandbox that a host holds and that is not in the database. The values are the host's.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QuarantinedSandbox {
    #[schema(value_type = schema::SandboxId)]
    pub id: SandboxId,
    /// `paused`, or `running` until the platform pauses the sandbox.
    pub status: SandboxStatus,
    #[schema(value_type = schema::TeamId)]
    pub team_id: TeamId,
    /// The name of the team. Absent where no such team exists: an import needs another `team_id` then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_name: Option<String>,
    pub template: String,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_size_mb: u32,
    /// The bytes that the disk and the saved memory of the sandbox occupy on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<i64>,
    pub created_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_active_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ImportSandboxRequest {
    /// The team that gets the sandbox, where the team of the sandbox does not exist any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::TeamId>)]
    pub team_id: Option<TeamId>,
}

/// A host that is drained, and the sandboxes that it holds at this moment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DrainedHost {
    pub host: Host,
    pub sandboxes: Vec<HostSandbox>,
}

/// The sandboxes that a forced delete of a host ends.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HostDeletePreview {
    pub host: Host,
    #[schema(value_type = Vec<schema::SandboxId>)]
    pub sandbox_ids: Vec<SandboxId>,
    pub sandboxes: Vec<HostSandbox>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreateHostRequest {
    #[serde(rename = "type")]
    pub kind: HostType,
    /// The team that brings the host. Required for the type `byoc`.
    #[serde(default)]
    #[schema(value_type = Option<schema::TeamId>)]
    pub team_id: Option<TeamId>,
    /// The provider of the machine, such as `hetzner`.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub provider: Option<String>,
    #[serde(default)]
    #[schema(max_length = 64)]
    pub availability_zone: Option<String>,
}

/// A host, and the token with which its agent registers. The token is shown once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedHost {
    pub host: Host,
    /// Valid for an hour, and for one registration.
    pub registration_token: String,
    /// The hash of the CA by which the host agent knows the control plane: `locule agent --ca-hash`.
    pub ca_hash: String,
    /// The URL that host agents on other machines call: `locule agent --server`. Absent when the operator has set none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts_url: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AddHostTagRequest {
    #[schema(min_length = 1, max_length = 64)]
    pub tag: String,
}

/// A host agent's request to register.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RegisterHostRequest {
    /// The registration token of the host.
    #[schema(max_length = 128)]
    pub token: String,
    /// The address at which the control plane reaches the host agent: a name or an IP address, and a port.
    #[schema(max_length = 300)]
    pub address: String,
    #[serde(default)]
    #[schema(max_length = 32)]
    pub arch: Option<String>,
    #[serde(default)]
    #[schema(minimum = 0)]
    pub cpu_cores: Option<i32>,
    #[serde(default)]
    #[schema(minimum = 0)]
    pub memory_mb: Option<i32>,
    #[serde(default)]
    #[schema(minimum = 0)]
    pub disk_gb: Option<i32>,
    /// A certificate signing request in PEM, of an ECDSA key on the curve P-256. Required at an address on another machine.
    #[serde(default)]
    #[schema(max_length = 8192)]
    pub csr_pem: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefreshHostRequest {
    #[schema(max_length = 128)]
    pub refresh_token: String,
    /// A certificate signing request, as for a registration.
    #[serde(default)]
    #[schema(max_length = 8192)]
    pub csr_pem: Option<String>,
}

/// The credentials of a host agent. They are shown once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct HostCredentials {
    pub host: Host,
    /// The access token, for the header `X-Host-Token`. Valid for 7 days.
    pub token: String,
    /// Valid for 60 days, and for one refresh.
    pub refresh_token: String,
    /// The certificate for the key of the signing request, in PEM. Valid for 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_pem: Option<String>,
    /// The certificate of the CA of hosts, in PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert_pem: Option<String>,
}

/// A host agent's statement about its host, every 30 seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostHeartbeat {
    /// The address of the host agent, if it is not the one of the registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 300)]
    pub address: Option<String>,
    #[schema(max_length = 256)]
    pub agent_version: String,
    /// The version of the protocol between the control plane and the host agent.
    pub protocol: u32,
    #[schema(max_length = 256)]
    pub accelerator: String,
    /// The id of the machine's current boot.
    #[schema(max_length = 256)]
    pub boot_id: String,
    pub free_memory_mib: u64,
    pub pool_free_bytes: u64,
    /// The templates from which the host can create sandboxes.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub templates: Vec<HostTemplate>,
    /// A hash of all sandboxes on the host and their states. Empty: the agent does not know yet what the host holds.
    #[serde(default)]
    #[schema(max_length = 256)]
    pub inventory_hash: String,
}

/// A template that a host has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostTemplate {
    #[schema(value_type = schema::TemplateName)]
    pub name: String,
    /// The hash of the template's root filesystem.
    #[schema(value_type = schema::Sha256)]
    pub sha256: String,
}

/// The use of a guest image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostImageKind {
    Kernel,
    Initramfs,
    /// The root filesystem of a template.
    Template,
}

/// A guest image that host agents fetch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostImage {
    pub kind: HostImageKind,
    /// The name of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of the kernel, or of the guest agent in the initramfs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The hash of the bytes that a host fetches.
    #[schema(value_type = schema::Sha256)]
    pub sha256: String,
    /// The number of the bytes that a host fetches.
    pub size_bytes: u64,
}

impl std::fmt::Debug for HostCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostCredentials")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}
