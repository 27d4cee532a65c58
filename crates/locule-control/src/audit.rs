//! What goes into the audit trail. Writers name an event; it commits with the change it records (D-21, W-017).

use chrono::{DateTime, Utc};
use locule_ids::{AuditId, SandboxId, TeamId};
use locule_store::{PgConnection, audit};
use serde_json::json;

use crate::caller::Actor;
use crate::error::ControlError;

/// Every event about a sandbox that exists by now (B-081).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SandboxEvent {
    Create {
        template: String,
    },
    Pause,
    AutoPause,
    Resume,
    /// Somebody wants it gone; `reason` where that is the platform: its time is over.
    Destroy {
        reason: Option<&'static str>,
    },
    /// It ended, and nobody had asked for it.
    End {
        reason: &'static str,
    },
}

impl SandboxEvent {
    const fn action_and_status(&self) -> (&'static str, &'static str) {
        match self {
            Self::Create { .. } => ("create", "success"),
            Self::Pause => ("pause", "success"),
            Self::AutoPause => ("auto_pause", "info"),
            Self::Resume => ("resume", "success"),
            Self::Destroy { .. } | Self::End { .. } => ("destroy", "warning"),
        }
    }
}

pub(crate) async fn sandbox(
    conn: &mut PgConnection,
    actor: &Actor,
    team: TeamId,
    id: SandboxId,
    event: &SandboxEvent,
    now: DateTime<Utc>,
) -> Result<(), ControlError> {
    let (actor_type, actor_id, actor_name) = match actor {
        Actor::User { id, name } => ("user", Some(id.to_string()), name.as_str()),
        Actor::ApiKey { id, name } => ("api_key", Some(id.to_string()), name.as_str()),
        Actor::System => ("system", None, ""),
    };
    let (action, status) = event.action_and_status();
    let metadata = match event {
        SandboxEvent::Create { template } => json!({ "template": template }),
        SandboxEvent::Destroy {
            reason: Some(reason),
        }
        | SandboxEvent::End { reason } => json!({ "reason": reason }),
        SandboxEvent::Pause
        | SandboxEvent::AutoPause
        | SandboxEvent::Resume
        | SandboxEvent::Destroy { reason: None } => json!({}),
    };
    let entry = audit::Entry {
        id: AuditId::random(),
        team,
        actor_type,
        actor_id,
        actor_name,
        resource_type: "sandbox",
        resource_id: Some(id.to_string()),
        action,
        scope: "team",
        status,
        metadata,
        created_at: now,
    };
    Ok(audit::insert(conn, entry).await?)
}
