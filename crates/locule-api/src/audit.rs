//! The audit trail.

use chrono::{DateTime, Utc};
use locule_ids::AuditId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::schema;

/// Something that happened, and who did it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    #[schema(value_type = schema::AuditId)]
    pub id: AuditId,
    /// `user`, `api_key` or `system`.
    pub actor_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    pub resource_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    pub action: String,
    /// `team`: all members see it; `admin`: owner and admins do.
    pub scope: String,
    /// `success`, `info`, `warning` or `error`.
    pub status: String,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object)]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    pub created_at: DateTime<Utc>,
}

/// A page of the trail, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    pub items: Vec<AuditEntry>,
    /// For `before`: what follows. There is one whenever the page holds something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<String>,
}
