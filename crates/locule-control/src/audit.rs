//! The events of the audit log. An entry commits in the transaction of the change that it records (D-21).

pub(crate) mod list;

use chrono::{DateTime, Utc};
use locule_domain::{Drain, Role};
use locule_ids::{ApiKeyId, AuditId, HostId, SandboxId, TeamId, UserId};
use locule_store::{PgConnection, audit};
use serde_json::{Value, json};

use crate::caller::Actor;
use crate::error::CommonError;

/// The events about a sandbox (B-081).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SandboxAuditEvent {
    Create {
        template: String,
    },
    /// An operator made the row again from what the host has of the sandbox.
    Import {
        host: HostId,
    },
    Pause,
    AutoPause,
    Resume,
    /// A request set the end of the sandbox to this many seconds from then.
    SetTimeout {
        seconds: u32,
    },
    /// A request changed its labels, its timeouts or how its ports are reached.
    Update {
        changes: Value,
    },
    /// A request or the platform destroys it; `reason` says why the platform does: its time is over.
    Destroy {
        reason: Option<&'static str>,
    },
    /// It ended without a request to destroy it.
    End {
        reason: &'static str,
    },
}

/// The events about a member of a team, or about an invitation, whose id stands for the invited person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberAuditEvent<'a> {
    /// A person was asked to become a member.
    Invite {
        email: &'a str,
        role: Role,
    },
    /// The invitation was revoked.
    Uninvite {
        email: &'a str,
    },
    /// The person became a member.
    Add {
        email: &'a str,
        role: Role,
    },
    Remove,
    Leave,
    RoleUpdate {
        new_role: Role,
    },
}

/// The events about a host (B-081), in the log of its team, or of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostAuditEvent {
    Add,
    /// A registration token was issued, other than the first.
    IssueToken,
    /// The host was unreachable, and its agent sent a heartbeat.
    MarkedUp,
    /// The host was online, and its agent has sent no heartbeat for too long.
    MarkedDown,
    Cordon,
    Uncordon,
    Drain(Drain),
    /// The database was older than the host, or another one.
    AcceptDatabase,
    Delete {
        /// The sandboxes that ended with the host.
        sandboxes: usize,
    },
}

/// The reason why a login was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    Requested,
    /// A token was renewed that had been renewed before: two clients have it.
    TokenReused,
}

/// Every event, with the object that it is about. Only `AuditEvent::record` says how an event is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuditEvent<'a> {
    Sandbox(SandboxId, &'a SandboxAuditEvent),
    Host(HostId, HostAuditEvent),
    TeamCreate {
        team: TeamId,
        name: &'a str,
    },
    TeamRename {
        team: TeamId,
        old_name: &'a str,
        new_name: &'a str,
    },
    TeamDelete(TeamId),
    /// Every host has confirmed that no sandbox of a deleted team is left.
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
    ApiKeyRevoke {
        key: ApiKeyId,
        name: &'a str,
    },
    Member(UserId, MemberAuditEvent<'a>),
    UserActivate {
        user: UserId,
        email: &'a str,
    },
    UserDeactivate {
        user: UserId,
        email: &'a str,
    },
    /// A person signed up, or activated the account.
    UserSignUp {
        user: UserId,
        email: &'a str,
    },
    UserLogin {
        user: UserId,
        address: &'a str,
    },
    /// A wrong password, or an account that does not exist.
    UserLoginFailed {
        user: Option<UserId>,
        address: &'a str,
    },
    /// Logins of the user were ended, other than by a logout.
    UserSessionEnd {
        user: UserId,
        count: u64,
        why: SessionEnd,
    },
    UserPasswordChange(UserId),
    UserPasswordReset(UserId),
    UserDelete(UserId),
    /// A sign-in method was added to an account.
    UserConnect {
        user: UserId,
        provider: &'a str,
    },
    UserDisconnect {
        user: UserId,
        provider: &'a str,
    },
}

/// The stored form of an event.
struct AuditRecord {
    resource_type: &'static str,
    resource_id: Option<String>,
    action: &'static str,
    scope: &'static str,
    status: &'static str,
    metadata: Value,
}

fn record(
    resource_type: &'static str,
    resource_id: &dyn std::fmt::Display,
    action: &'static str,
    (scope, status): (&'static str, &'static str),
    metadata: Value,
) -> AuditRecord {
    AuditRecord {
        resource_type,
        resource_id: Some(resource_id.to_string()),
        action,
        scope,
        status,
        metadata,
    }
}

fn of_user(
    user: &dyn std::fmt::Display,
    action: &'static str,
    status: &'static str,
    metadata: Value,
) -> AuditRecord {
    record("user", user, action, ("admin", status), metadata)
}

fn login_failed(user: Option<UserId>, address: &str) -> AuditRecord {
    let address = json!({ "address": address });
    AuditRecord {
        resource_id: user.map(|user| user.to_string()),
        ..of_user(&"", "login_failed", "warning", address)
    }
}

impl SessionEnd {
    fn record(self, user: UserId, count: u64) -> AuditRecord {
        let (status, reason) = match self {
            Self::Requested => ("info", "requested"),
            Self::TokenReused => ("warning", "token_reused"),
        };
        let ended = json!({ "count": count, "reason": reason });
        of_user(&user, "session_end", status, ended)
    }
}

impl SandboxAuditEvent {
    fn record(&self, id: SandboxId) -> AuditRecord {
        let (action, status, metadata) = match self {
            Self::Create { template } => ("create", "success", json!({ "template": template })),
            Self::Import { host } => ("import", "warning", json!({ "host_id": host })),
            Self::Pause => ("pause", "success", json!({})),
            Self::AutoPause => ("auto_pause", "info", json!({})),
            Self::Resume => ("resume", "success", json!({})),
            Self::SetTimeout { seconds } => {
                let timeout = json!({ "timeout_sec": seconds });
                ("set_timeout", "info", timeout)
            }
            Self::Update { changes } => ("update", "info", changes.clone()),
            Self::Destroy { reason: None } => ("destroy", "warning", json!({})),
            Self::Destroy {
                reason: Some(reason),
            }
            | Self::End { reason } => ("destroy", "warning", json!({ "reason": reason })),
        };
        record("sandbox", &id, action, ("team", status), metadata)
    }
}

impl HostAuditEvent {
    fn record(self, id: HostId) -> AuditRecord {
        let (action, status, metadata) = match self {
            Self::Add => ("add", "success", json!({})),
            Self::IssueToken => ("issue_token", "info", json!({})),
            Self::MarkedUp => ("marked_up", "info", json!({})),
            Self::MarkedDown => ("marked_down", "error", json!({})),
            Self::Cordon => ("cordon", "info", json!({})),
            Self::Uncordon => ("uncordon", "info", json!({})),
            Self::Drain(drain) => ("drain", "info", json!({ "running": drain.as_str() })),
            Self::AcceptDatabase => ("accept_database", "warning", json!({})),
            Self::Delete { sandboxes } => ("delete", "warning", json!({ "sandboxes": sandboxes })),
        };
        record("host", &id, action, ("team", status), metadata)
    }
}

impl MemberAuditEvent<'_> {
    fn record(self, id: UserId) -> AuditRecord {
        let (action, status, metadata) = match self {
            Self::Invite { email, role } => {
                let invited = json!({ "email": email, "role": role.as_str() });
                ("invite", "info", invited)
            }
            Self::Uninvite { email } => ("uninvite", "warning", json!({ "email": email })),
            Self::Add { email, role } => {
                let member = json!({ "email": email, "role": role.as_str() });
                ("add", "success", member)
            }
            Self::Remove => ("remove", "warning", json!({})),
            Self::Leave => ("leave", "info", json!({})),
            Self::RoleUpdate { new_role } => (
                "role_update",
                "info",
                json!({ "new_role": new_role.as_str() }),
            ),
        };
        record("member", &id, action, ("admin", status), metadata)
    }
}

impl AuditEvent<'_> {
    fn record(&self) -> AuditRecord {
        let none = || json!({});
        match self {
            Self::Sandbox(id, event) => event.record(*id),
            Self::Host(id, event) => event.record(*id),
            Self::TeamCreate { team, name } => {
                let name = json!({ "name": name });
                record("team", team, "create", ("team", "success"), name)
            }
            Self::TeamRename {
                team,
                old_name,
                new_name,
            } => {
                let names = json!({ "old_name": old_name, "new_name": new_name });
                record("team", team, "rename", ("team", "info"), names)
            }
            Self::TeamDelete(team) => record("team", team, "delete", ("admin", "warning"), none()),
            Self::TeamEmptied(team) => {
                record("team", team, "emptied", ("admin", "success"), none())
            }
            Self::TeamSetByoc { team, enabled } => {
                let enabled = json!({ "enabled": enabled });
                record("team", team, "set_byoc", ("admin", "info"), enabled)
            }
            Self::TeamSetQuota(team) => {
                record("team", team, "set_quota", ("admin", "info"), none())
            }
            Self::ApiKeyCreate { key, name } => {
                let name = json!({ "name": name });
                record("api_key", key, "create", ("team", "success"), name)
            }
            Self::ApiKeyRevoke { key, name } => {
                let name = json!({ "name": name });
                record("api_key", key, "revoke", ("team", "warning"), name)
            }
            Self::Member(id, event) => event.record(*id),
            Self::UserActivate { user, email } => {
                of_user(user, "activate", "success", json!({ "email": email }))
            }
            Self::UserDeactivate { user, email } => {
                of_user(user, "deactivate", "warning", json!({ "email": email }))
            }
            Self::UserSignUp { user, email } => {
                of_user(user, "sign_up", "success", json!({ "email": email }))
            }
            Self::UserLogin { user, address } => {
                of_user(user, "login", "success", json!({ "address": address }))
            }
            Self::UserLoginFailed { user, address } => login_failed(*user, address),
            Self::UserSessionEnd { user, count, why } => why.record(*user, *count),
            Self::UserPasswordChange(user) => of_user(user, "password_change", "info", none()),
            Self::UserPasswordReset(user) => of_user(user, "password_reset", "warning", none()),
            Self::UserDelete(user) => of_user(user, "delete", "warning", none()),
            Self::UserConnect { user, provider } => {
                of_user(user, "connect", "success", json!({ "provider": provider }))
            }
            Self::UserDisconnect { user, provider } => of_user(
                user,
                "disconnect",
                "warning",
                json!({ "provider": provider }),
            ),
        }
    }
}

/// Writes an event into the audit log of a team, in the transaction of the change that it records.
pub(crate) async fn write(
    conn: &mut PgConnection,
    actor: &Actor,
    team: TeamId,
    event: &AuditEvent<'_>,
    now: DateTime<Utc>,
) -> Result<(), CommonError> {
    Ok(audit::insert(conn, entry(actor, team, event, now)).await?)
}

/// As [`write()`], into the audit log of each of these teams.
pub(crate) async fn write_all(
    conn: &mut PgConnection,
    actor: &Actor,
    teams: &[TeamId],
    event: &AuditEvent<'_>,
    now: DateTime<Utc>,
) -> Result<(), CommonError> {
    let entry = entry(actor, TeamId::PLATFORM, event, now);
    Ok(audit::insert_each(conn, entry, teams).await?)
}

fn entry<'a>(
    actor: &'a Actor,
    team: TeamId,
    event: &AuditEvent<'_>,
    now: DateTime<Utc>,
) -> audit::Entry<'a> {
    let (actor_type, actor_id, actor_name) = match actor {
        Actor::User { id, name } => ("user", Some(id.to_string()), name.as_str()),
        Actor::ApiKey { id, name } => ("api_key", Some(id.to_string()), name.as_str()),
        Actor::System => ("system", None, ""),
    };
    let record = event.record();
    audit::Entry {
        id: AuditId::random(),
        team,
        actor_type,
        actor_id,
        actor_name,
        resource_type: record.resource_type,
        resource_id: record.resource_id,
        action: record.action,
        scope: record.scope,
        status: record.status,
        metadata: record.metadata,
        created_at: now,
    }
}
