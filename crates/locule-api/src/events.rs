//! The events of a team.

use chrono::{DateTime, Utc};
use locule_ids::{AuditId, SandboxId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// An event of `GET /v1/events`: its name stands after `event:`, its value as JSON after `data:`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum TeamEvent {
    /// Anything may have changed: load what is shown. The first event of every stream, and sent again when events may be missing.
    Resync(NoData),
    Sandbox(SandboxEvent),
    Audit(AuditEvent),
    /// The members or invitations of the team changed.
    Members(NoData),
    /// The API keys of the team changed.
    Keys(NoData),
    /// The team itself changed.
    Team(NoData),
}

/// An empty object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoData {}

/// A sandbox was created, or its state, times, labels or reach changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxEvent {
    #[schema(value_type = schema::SandboxId)]
    pub id: SandboxId,
    #[schema(value_type = crate::SandboxStatus)]
    pub status: String,
    #[schema(value_type = crate::sandboxes::DesiredStatus)]
    pub desired: String,
    pub at: DateTime<Utc>,
}

/// An entry was added to the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Absent for an entry that only owners and administrators of the team may read.
    #[schema(value_type = Option<schema::AuditId>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<AuditId>,
}
