//! What goes into the audit trail. Writers name an event; it commits with the change it records (D-21).

use chrono::{DateTime, Utc};
use locule_domain::Role;
use locule_ids::{ApiKeyId, AuditId, SandboxId, TeamId, UserId};
use locule_store::{PgConnection, audit};
use serde_json::{Value, json};

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

/// Every event there is, and what it is about. The trail's words for it are in `Event::words`, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Sandbox(SandboxId, &'a SandboxEvent),
    TeamRename {
        team: TeamId,
        old_name: &'a str,
        new_name: &'a str,
    },
    TeamDelete(TeamId),
    /// Nothing of a deleted team is left on any host.
    TeamEmptied(TeamId),
    TeamSetByoc {
        team: TeamId,
        enabled: bool,
    },
    TeamSetQuota(TeamId),
    ApiKeyCreate {
        key: ApiKeyId,
        name: &'a str,
    },
    ApiKeyRevoke(ApiKeyId),
    MemberAdd {
        user: UserId,
        email: &'a str,
        role: Role,
    },
    MemberRemove(UserId),
    MemberLeave(UserId),
    MemberRoleUpdate {
        user: UserId,
        new_role: Role,
    },
    UserActivate {
        user: UserId,
        email: &'a str,
    },
    UserDeactivate {
        user: UserId,
        email: &'a str,
    },
    /// Another way into an account, or one less.
    UserConnect {
        user: UserId,
        provider: &'a str,
    },
    UserDisconnect {
        user: UserId,
        provider: &'a str,
    },
}

/// How the trail words an event.
struct Words {
    resource_type: &'static str,
    resource_id: String,
    action: &'static str,
    scope: &'static str,
    status: &'static str,
    metadata: Value,
}

fn words(
    resource_type: &'static str,
    resource_id: &dyn std::fmt::Display,
    action: &'static str,
    (scope, status): (&'static str, &'static str),
    metadata: Value,
) -> Words {
    Words {
        resource_type,
        resource_id: resource_id.to_string(),
        action,
        scope,
        status,
        metadata,
    }
}

impl SandboxEvent {
    fn words(&self, id: SandboxId) -> Words {
        let (action, status, metadata) = match self {
            Self::Create { template } => ("create", "success", json!({ "template": template })),
            Self::Pause => ("pause", "success", json!({})),
            Self::AutoPause => ("auto_pause", "info", json!({})),
            Self::Resume => ("resume", "success", json!({})),
            Self::Destroy { reason: None } => ("destroy", "warning", json!({})),
            Self::Destroy {
                reason: Some(reason),
            }
            | Self::End { reason } => ("destroy", "warning", json!({ "reason": reason })),
        };
        words("sandbox", &id, action, ("team", status), metadata)
    }
}

impl Event<'_> {
    fn words(&self) -> Words {
        let none = || json!({});
        match self {
            Self::Sandbox(id, event) => event.words(*id),
            Self::TeamRename {
                team,
                old_name,
                new_name,
            } => {
                let names = json!({ "old_name": old_name, "new_name": new_name });
                words("team", team, "rename", ("team", "info"), names)
            }
            Self::TeamDelete(team) => words("team", team, "delete", ("admin", "warning"), none()),
            Self::TeamEmptied(team) => words("team", team, "emptied", ("admin", "success"), none()),
            Self::TeamSetByoc { team, enabled } => {
                let enabled = json!({ "enabled": enabled });
                words("team", team, "set_byoc", ("admin", "info"), enabled)
            }
            Self::TeamSetQuota(team) => words("team", team, "set_quota", ("admin", "info"), none()),
            Self::ApiKeyCreate { key, name } => {
                let name = json!({ "name": name });
                words("api_key", key, "create", ("team", "success"), name)
            }
            Self::ApiKeyRevoke(key) => words("api_key", key, "revoke", ("team", "warning"), none()),
            Self::MemberAdd { user, email, role } => {
                let who = json!({ "email": email, "role": role.as_str() });
                words("member", user, "add", ("admin", "success"), who)
            }
            Self::MemberRemove(user) => {
                words("member", user, "remove", ("admin", "warning"), none())
            }
            Self::MemberLeave(user) => words("member", user, "leave", ("admin", "info"), none()),
            Self::MemberRoleUpdate { user, new_role } => {
                let role = json!({ "new_role": new_role.as_str() });
                words("member", user, "role_update", ("admin", "info"), role)
            }
            Self::UserActivate { user, email } => {
                let email = json!({ "email": email });
                words("user", user, "activate", ("admin", "success"), email)
            }
            Self::UserDeactivate { user, email } => {
                let email = json!({ "email": email });
                words("user", user, "deactivate", ("admin", "warning"), email)
            }
            Self::UserConnect { user, provider } => {
                let provider = json!({ "provider": provider });
                words("user", user, "connect", ("admin", "success"), provider)
            }
            Self::UserDisconnect { user, provider } => {
                let provider = json!({ "provider": provider });
                words("user", user, "disconnect", ("admin", "warning"), provider)
            }
        }
    }
}

/// Writes an event into the trail of a team, in the transaction of what it tells of.
pub(crate) async fn write(
    conn: &mut PgConnection,
    actor: &Actor,
    team: TeamId,
    event: &Event<'_>,
    now: DateTime<Utc>,
) -> Result<(), ControlError> {
    let (actor_type, actor_id, actor_name) = match actor {
        Actor::User { id, name } => ("user", Some(id.to_string()), name.as_str()),
        Actor::ApiKey { id, name } => ("api_key", Some(id.to_string()), name.as_str()),
        Actor::System => ("system", None, ""),
    };
    let words = event.words();
    let entry = audit::Entry {
        id: AuditId::random(),
        team,
        actor_type,
        actor_id,
        actor_name,
        resource_type: words.resource_type,
        resource_id: Some(words.resource_id),
        action: words.action,
        scope: words.scope,
        status: words.status,
        metadata: words.metadata,
        created_at: now,
    };
    Ok(audit::insert(conn, entry).await?)
}
