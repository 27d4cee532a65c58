//! Requests and responses of the platform administrators' operations.

use chrono::{DateTime, Utc};
use locule_ids::{TeamId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sandboxes::{Sandbox, TeamLimits};
use crate::schema;
use crate::teams::Team;

/// A team as platform administrators see it, with its owner and its use of the platform.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminTeam {
    #[serde(flatten)]
    pub team: Team,
    pub deleted_at: Option<DateTime<Utc>>,
    pub member_count: i64,
    pub owner_name: String,
    pub owner_email: String,
    /// Number of sandboxes that have not ended, those of a deleted team included.
    pub active_sandbox_count: i64,
    pub channel_count: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminTeamPage {
    pub teams: Vec<AdminTeam>,
    pub total: i64,
    pub page: i64,
    pub per_page: i64,
    pub total_pages: i64,
}

/// A sandbox as platform administrators see it, with its team.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminSandbox {
    #[serde(flatten)]
    pub sandbox: Sandbox,
    pub team: SandboxTeam,
}

/// The team that owns a sandbox.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SandboxTeam {
    #[schema(value_type = schema::TeamId)]
    pub id: TeamId,
    pub name: String,
}

/// A user account as platform administrators see it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminUser {
    #[schema(value_type = schema::UserId)]
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub is_admin: bool,
    /// The status of the account: `inactive`, `active` or `disabled`.
    pub status: String,
    pub created_at: DateTime<Utc>,
    pub teams_joined: i64,
    pub teams_owned: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminUserPage {
    pub users: Vec<AdminUser>,
    pub total: i64,
    pub page: i64,
    pub per_page: i64,
    pub total_pages: i64,
}

/// A task of the control plane that runs on a period.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminTask {
    pub name: String,
    /// The start of the latest pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_started_at: Option<DateTime<Utc>>,
    /// The end of the latest pass that has ended, whether it failed or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_finished_at: Option<DateTime<Utc>>,
    /// The error of that pass. Absent when the pass succeeded. The log of the control plane has the details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Seconds between two passes.
    pub period_sec: u64,
    /// The number of things that the latest pass looked at. Absent for a task that counts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    /// The number of things that the latest pass changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
    /// The number of things that the latest pass could not change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AdminTaskList {
    pub items: Vec<AdminTask>,
}

/// Body of `PUT /v1/admin/teams/{id}/byoc`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetByocRequest {
    pub enabled: bool,
}

/// Body of `PUT /v1/admin/teams/{id}/quota`. A limit that is absent or `null` has the platform's default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SetQuotaRequest {
    /// Sandboxes that may run or be starting at the same time.
    #[schema(minimum = 0)]
    pub sandboxes_max: Option<i32>,
    #[schema(minimum = 0)]
    pub vcpus_max: Option<i32>,
    #[schema(minimum = 0)]
    pub memory_mb_max: Option<i32>,
    #[schema(minimum = 0)]
    pub creates_per_minute_max: Option<i32>,
    /// Paused sandboxes, and running ones that the platform pauses at a timeout.
    #[schema(minimum = 0)]
    pub paused_sandboxes_max: Option<i32>,
    /// Disks and saved memory of all sandboxes together.
    #[schema(minimum = 0)]
    pub storage_mb_max: Option<i32>,
}

/// The limits of a team as an administrator sees them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TeamQuota {
    /// The limits that `PUT /v1/admin/teams/{id}/quota` set. A limit that is `null` has the platform's default.
    pub own: SetQuotaRequest,
    /// The limits that hold for the team, and the use of them by its sandboxes.
    pub limits: TeamLimits,
}

/// Body of `PUT /v1/admin/users/{id}/active`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SetActiveRequest {
    pub active: bool,
}
