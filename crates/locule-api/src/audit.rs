//! The audit log.

use chrono::{DateTime, Utc};
use locule_ids::AuditId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// An audit log entry: an action, its actor and the resource that was acted on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    #[schema(value_type = schema::AuditId)]
    pub id: AuditId,
    /// The kind of actor: `user`, `api_key` or `system`.
    pub actor_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    pub resource_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// The name of the user, team or API key that was acted on. Absent when the platform does not know a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    pub action: String,
    /// Visibility of the entry: `team` for all members of the team, `admin` for its owner and admins.
    pub scope: String,
    /// The outcome: `success`, `info`, `warning` or `error`.
    pub status: String,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    pub created_at: DateTime<Utc>,
}

/// A page of audit log entries, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    pub items: Vec<AuditEntry>,
    /// The value of `before` that gets the next page. Present whenever this page holds an entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}
