//! Sandboxes in the native dialect.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_ids::{HostId, SandboxId};
use serde::{Deserialize, Deserializer, Serialize};
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
    /// Whether requests for the sandbox's ports need no token; `false` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_traffic: Option<bool>,
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

/// The state that users and policy ask for. It differs from the status while an operation is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesiredStatus {
    Running,
    Paused,
    Gone,
}

/// The kind of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    ApiKey,
    /// The platform itself.
    System,
}

/// A user, an API key, or the platform itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    pub kind: ActorKind,
    /// Absent for the platform, and for a user whose account is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Absent for the platform, for a user whose account is deleted, and for a key that is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The template that a sandbox was started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxOrigin {
    pub template: String,
}

/// A sandbox.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Sandbox {
    #[schema(value_type = schema::SandboxId)]
    pub id: SandboxId,
    pub status: SandboxStatus,
    pub desired: DesiredStatus,
    /// The reason of the status `stopped` or `error`, and of `paused` if the platform paused the sandbox: `idle`, `expired`,
    /// `memory_pressure`, `host_stopping`, or `control_plane_lost` if the host lost the contact with the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The last operation's failure, when the failure left the sandbox unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    pub template: String,
    pub origin: SandboxOrigin,
    /// The user or API key whose request created the sandbox.
    pub created_by: Actor,
    pub vcpus: u32,
    pub memory_mb: u32,
    pub disk_size_mb: u32,
    /// Seconds without activity after which the sandbox is paused; 0 never pauses an idle sandbox.
    pub timeout_sec: u32,
    /// The action at `expires_at`.
    pub on_timeout: OnTimeout,
    /// Whether a request for one of the sandbox's ports resumes the sandbox when it is paused.
    pub auto_resume: bool,
    /// Whether requests for the sandbox's ports need no token.
    pub public_traffic: bool,
    /// The host that runs the sandbox, or that keeps its snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::HostId>)]
    pub host_id: Option<HostId>,
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
    /// The moment at which the status became `stopped` or `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// The user or API key whose request destroyed the sandbox. Every other end is the platform's, for the reason in `status_reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<Actor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Versions of the components that run the sandbox: `kernel_version`, `vmm_version`, `agent_version`, `guest_version`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Body of `PATCH /v1/sandboxes/{id}`. A field that is absent stays as it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct UpdateSandboxRequest {
    /// Labels to set. `null` removes a label; a label that is not named stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::label_changes)]
    pub labels: Option<BTreeMap<String, Option<String>>>,
    /// Seconds without activity after which the sandbox is paused; 0 never pauses an idle sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::idle_seconds)]
    pub timeout_sec: Option<i64>,
    /// Seconds from now until `expires_at`. `null`: the sandbox never expires.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "null_is_a_value"
    )]
    #[schema(schema_with = schema::new_expiry_seconds)]
    pub expires_in_sec: Option<NewExpiry>,
    /// The action at `expires_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
    /// Whether a request for one of the sandbox's ports resumes the sandbox when it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_resume: Option<bool>,
    /// Whether requests for the sandbox's ports need no token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_traffic: Option<bool>,
}

/// When a sandbox expires from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum NewExpiry {
    /// This many seconds from now.
    InSeconds(i64),
    /// `null`.
    Never,
}

/// Reads a field in which `null` differs from an absent field.
fn null_is_a_value<'de, D: Deserializer<'de>>(field: D) -> Result<Option<NewExpiry>, D::Error> {
    let seconds = Option::<i64>::deserialize(field)?;
    Ok(Some(seconds.map_or(NewExpiry::Never, NewExpiry::InSeconds)))
}

/// The moments at which a sandbox is paused or ends, and the uses that keep the sandbox awake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxClock {
    /// The moment of the answer, by the platform's clock.
    pub now: DateTime<Utc>,
    /// Absent without an idle timeout, and while the sandbox does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<IdleClock>,
    /// The moment at which `on_timeout` applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The action at `expires_at`. Absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
    /// Uses of the sandbox at this moment, in the order of the beginnings. At most 100 entries.
    pub held_by: Vec<Holder>,
}

/// The idle timeout of a running sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IdleClock {
    pub timeout_sec: u32,
    pub last_active_at: DateTime<Utc>,
    /// The moment at which the sandbox is paused unless it is used before. Absent while the sandbox is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pauses_at: Option<DateTime<Utc>>,
}

/// The kind of a use of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    /// A client that is connected to a terminal.
    Terminal,
    /// A command that a client started and follows.
    Command,
    /// A client that follows a process which was started before.
    ProcessStream,
    /// An upload or a download.
    Transfer,
    /// A request to a program behind a port.
    Port,
    /// Another call, such as a watch of a folder.
    Call,
}

/// Uses of one kind that keep a sandbox awake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Holder {
    pub kind: HolderKind,
    /// The id of the process, where the client named the process by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The tag of the process, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The port of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Number of such uses.
    pub count: u32,
    /// The beginning of the oldest of them.
    pub since: DateTime<Utc>,
}

/// A limit of a team and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitUse {
    pub used: u64,
    pub max: u64,
}

/// The limits of a team, and the use of each limit by its sandboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamLimits {
    /// Running sandboxes.
    pub sandboxes: LimitUse,
    /// Virtual CPUs of running sandboxes.
    pub vcpus: LimitUse,
    /// Memory of running sandboxes, in MiB.
    pub memory_mb: LimitUse,
    /// Paused sandboxes, and running ones that the platform pauses at a timeout.
    pub paused_sandboxes: LimitUse,
    /// Disks and saved memory, in MiB, as hosts reported them last.
    pub storage_mb: LimitUse,
    /// Sandboxes that the team may create in a minute.
    pub creates_per_minute_max: u32,
    pub sandbox: SandboxLimits,
}

/// The limits of one sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxLimits {
    pub vcpus_max: u32,
    pub memory_mb_min: u32,
    pub memory_mb_max: u32,
    /// The memory of a sandbox is a multiple of this.
    pub memory_mb_step: u32,
    /// The longest idle timeout, and the longest time until a sandbox expires.
    pub timeout_sec_max: u64,
}
