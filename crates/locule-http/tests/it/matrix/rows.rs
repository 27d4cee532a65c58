//! The rows of the matrix: one for each operation of the OpenAPI document.

use serde_json::{Value, json};

use super::Access;
use super::stage::Stage;

/// What an operation writes to the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audit {
    /// Nothing: the operation reads.
    Reads,
    /// An event with this resource and action.
    Event(&'static str),
    /// Nothing, for this reason.
    None(&'static str),
}

pub(super) struct Row {
    pub(super) method: &'static str,
    pub(super) path_template: &'static str,
    pub(super) path: fn(&Stage) -> String,
    pub(super) access: Access,
    pub(super) body: fn(&Stage) -> Value,
    /// The status for the first accepted caller.
    pub(super) success: u16,
    pub(super) audit: Audit,
}

impl Row {
    pub(super) fn is_socket(&self) -> bool {
        let path = self.path_template;
        self.method == "GET" && (path.ends_with("/stream") || path.ends_with("/pty"))
    }
}

const USE: Audit = Audit::None("the use of a sandbox is not recorded");
const TAGS: Audit = Audit::None("a tag of a host is not recorded");
const AGENT: Audit = Audit::None("a host agent is not a person");
const OWN: Audit = Audit::None("an account belongs to no team");

fn nothing(_: &Stage) -> Value {
    Value::Null
}

macro_rules! rows {
    ($($method:literal $path:literal $access:ident $success:literal $audit:expr, $fill:expr, $body:expr;)*) => {
        pub(super) const ROWS: &[Row] = &[$(Row {
            method: $method,
            path_template: $path,
            path: |s| {
                let fill: fn(&Stage) -> &str = $fill;
                let query = if $path.ends_with("/search") { "?email=x@matrix" } else { "" };
                let path = $path.replace("{id}", fill(s)).replace("{user_id}", &s.member).replace("{selector}", "1").replace("{provider}", "github").replace("{token}", "00").replace("{port}", "8080").replace("{tag}", "gpu").replace("{sha256}", "00").replace("{sandbox_id}", &s.sandbox);
                path + query
            },
            access: Access::$access,
            body: $body,
            success: $success,
            audit: $audit,
        },)*];
    };
}

fn sandbox(s: &Stage) -> &str {
    &s.sandbox
}

fn team(s: &Stage) -> &str {
    &s.team
}

fn key(s: &Stage) -> &str {
    &s.key_id
}

fn host(s: &Stage) -> &str {
    &s.host
}

fn none(_: &Stage) -> &'static str {
    ""
}

fn unknown_session(_: &Stage) -> &'static str {
    "ses-00000000-0000-4000-8000-000000000000"
}

fn unknown_entry(_: &Stage) -> &'static str {
    "log-00000000-0000-4000-8000-000000000000"
}

rows! {
    "GET" "/health" Open 200 Audit::Reads, none, nothing;
    "GET" "/v1/info" Open 200 Audit::Reads, none, nothing;

    "GET" "/v1/sandboxes" AnyTeam 200 Audit::Reads, none, nothing;
    "POST" "/v1/sandboxes" AnyTeam 201 Audit::Event("sandbox create"), none, |_| json!({});
    "GET" "/v1/sandboxes/{id}" TheTeam 200 Audit::Reads, sandbox, nothing;
    "PATCH" "/v1/sandboxes/{id}" TheTeam 200 Audit::Event("sandbox update"), sandbox, |_| json!({ "labels": { "stage": "prod" } });
    "DELETE" "/v1/sandboxes/{id}" TheTeam 204 Audit::Event("sandbox destroy"), sandbox, nothing;
    "GET" "/v1/sandboxes/{id}/clock" TheTeam 200 Audit::Reads, sandbox, nothing;
    "GET" "/v1/limits" AnyTeam 200 Audit::Reads, none, nothing;
    "POST" "/v1/sandboxes/{id}/ping" TheTeam 204 USE, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/pause" TheTeam 200 Audit::Event("sandbox pause"), sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/resume" TheTeam 409 USE, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/exec" TheTeam 200 USE, sandbox, |_| json!({ "cmd": "fail" });
    "GET" "/v1/sandboxes/{id}/exec/stream" TheTeam 101 USE, sandbox, nothing;
    "GET" "/v1/sandboxes/{id}/pty" TheTeam 101 USE, sandbox, nothing;
    "GET" "/v1/sandboxes/{id}/processes" TheTeam 200 Audit::Reads, sandbox, nothing;
    "DELETE" "/v1/sandboxes/{id}/processes/{selector}" TheTeam 404 USE, sandbox, nothing;
    "GET" "/v1/sandboxes/{id}/processes/{selector}/stream" TheTeam 404 USE, sandbox, nothing;
    // The guest of these tests does not have the files.
    "POST" "/v1/sandboxes/{id}/files/list" TheTeam 404 USE, sandbox, |_| json!({ "path": "/" });
    "POST" "/v1/sandboxes/{id}/files/mkdir" TheTeam 200 USE, sandbox, |_| json!({ "path": "/new" });
    "POST" "/v1/sandboxes/{id}/files/read" TheTeam 404 USE, sandbox, |_| json!({ "path": "/none" });
    "POST" "/v1/sandboxes/{id}/files/stream/read" TheTeam 404 USE, sandbox, |_| json!({ "path": "/none" });
    "POST" "/v1/sandboxes/{id}/files/move" TheTeam 404 USE, sandbox, |_| json!({ "from": "/x", "to": "/y" });
    "POST" "/v1/sandboxes/{id}/files/stat" TheTeam 404 USE, sandbox, |_| json!({ "path": "/none" });
    "POST" "/v1/sandboxes/{id}/files/sign" TheTeam 200 USE, sandbox, |_| json!({ "path": "/x", "operation": "read" });
    "GET" "/v1/events" AnyTeam 200 Audit::Reads, none, nothing;
    "GET" "/v1/sandboxes/{id}/ports" TheTeam 200 Audit::Reads, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/ports/{port}/link" TheTeam 200 USE, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/files/remove" TheTeam 404 USE, sandbox, |_| json!({ "path": "/x" });
    "POST" "/v1/sandboxes/{id}/files/write" TheTeam 400 USE, sandbox, |_| json!({});
    "POST" "/v1/sandboxes/{id}/files/stream/write" TheTeam 400 USE, sandbox, |_| json!({});

    "GET" "/sandboxes" AnyTeam 200 Audit::Reads, none, nothing;
    "POST" "/sandboxes" AnyTeam 201 Audit::Event("sandbox create"), none, |_| json!({ "templateID": "base" });
    "GET" "/v2/sandboxes" AnyTeam 200 Audit::Reads, none, nothing;
    "POST" "/v2/sandboxes" AnyTeam 201 Audit::Event("sandbox create"), none, |_| json!({ "templateID": "base" });
    "GET" "/sandboxes/{id}" TheTeam 200 Audit::Reads, sandbox, nothing;
    "DELETE" "/sandboxes/{id}" TheTeam 204 Audit::Event("sandbox destroy"), sandbox, nothing;
    "POST" "/sandboxes/{id}/connect" TheTeam 200 Audit::None("a sandbox without an expiry has no expiry to extend"), sandbox, |_| json!({ "timeout": 60 });
    "POST" "/v2/sandboxes/{id}/connect" TheTeam 200 Audit::None("a sandbox without an expiry has no expiry to extend"), sandbox, |_| json!({ "timeout": 60 });
    "POST" "/sandboxes/{id}/resume" TheTeam 409 USE, sandbox, |_| json!({ "timeout": 60 });
    "POST" "/sandboxes/{id}/pause" TheTeam 204 Audit::Event("sandbox pause"), sandbox, nothing;
    "POST" "/sandboxes/{id}/timeout" TheTeam 204 Audit::Event("sandbox set_timeout"), sandbox, |_| json!({ "timeout": 60 });
    "POST" "/sandboxes/{id}/refreshes" TheTeam 204 Audit::None("a sandbox without an expiry has no expiry to extend"), sandbox, |_| json!({ "duration": 60 });

    "GET" "/v1/api-keys" AnyMember 200 Audit::Reads, none, nothing;
    "POST" "/v1/api-keys" AnyMember 201 Audit::Event("api_key create"), none, |_| json!({});
    // Members revoke their own keys: see `keys`. The key of another team is treated as a key that does not exist.
    "DELETE" "/v1/api-keys/{id}" AnyMember 200 Audit::Event("api_key revoke"), key, nothing;
    "GET" "/v1/audit-logs" AnyMember 200 Audit::Reads, none, nothing;
    // No entry has the id: see `audit_log` for entries that exist.
    "GET" "/v1/audit-logs/{id}" AnyMember 404 Audit::Reads, unknown_entry, nothing;

    "GET" "/v1/teams" Account 200 Audit::Reads, none, nothing;
    "POST" "/v1/teams" Account 201 Audit::Event("team create"), none, |_| json!({ "name": "New" });
    "GET" "/v1/teams/{id}" Member 200 Audit::Reads, team, nothing;
    "PATCH" "/v1/teams/{id}" Admin 204 Audit::Event("team rename"), team, |_| json!({ "name": "It's @ new-name_1" });
    "DELETE" "/v1/teams/{id}" Owner 204 Audit::Event("team delete"), team, nothing;
    "GET" "/v1/teams/{id}/members" Member 200 Audit::Reads, team, nothing;
    "POST" "/v1/teams/{id}/members" Admin 201 Audit::Event("member invite"), team, |_| json!({ "email": "removed@matrix.test" });
    "POST" "/v1/invitations/{token}/accept" Account 400 Audit::None("the token is unknown; see `invitations` for the rest"), none, nothing;
    "PATCH" "/v1/teams/{id}/members/{user_id}" Admin 204 Audit::Event("member role_update"), team, |_| json!({ "role": "admin" });
    "DELETE" "/v1/teams/{id}/members/{user_id}" Admin 200 Audit::Event("member remove"), team, nothing;

    "GET" "/v1/users/search" Account 200 Audit::Reads, none, nothing;
    "GET" "/v1/me" Account 200 Audit::Reads, none, nothing;
    "GET" "/v1/me/sessions" Account 200 Audit::Reads, none, nothing;
    // No login has the id, and each caller has one login: see `sessions` for logins that exist.
    "DELETE" "/v1/me/sessions/{id}" Account 404 Audit::None("no login has the id"), unknown_session, nothing;
    "DELETE" "/v1/me/sessions" Account 204 Audit::None("the caller has no other login"), none, nothing;
    "PATCH" "/v1/me" Account 200 OWN, none, |_| json!({ "name": "Same" });
    // Stops at the confirmation, because the next rows need the account.
    "DELETE" "/v1/me" Account 400 OWN, none, |_| json!({ "confirmation": "no" });
    "POST" "/v1/me/password" Account 400 OWN, none, |_| json!({ "new_password": "long enough" });

    "GET" "/v1/me/providers/{provider}/connect" Account 200 Audit::Reads, none, nothing;
    "DELETE" "/v1/me/providers/{provider}" Account 404 Audit::None("nothing is connected; see `oauth` for the rest"), none, nothing;

    "GET" "/v1/hosts" AnyMember 200 Audit::Reads, none, nothing;
    "POST" "/v1/hosts" Platform 201 Audit::Event("host add"), none, |_| json!({ "type": "regular" });
    "GET" "/v1/hosts/{id}" TeamHost 200 Audit::Reads, host, nothing;
    "PATCH" "/v1/hosts/{id}" TeamHostAdmin 200 Audit::Event("host cordon"), host, |_| json!({ "cordoned": true });
    "DELETE" "/v1/hosts/{id}" TeamHostAdmin 204 Audit::Event("host delete"), host, nothing;
    "GET" "/v1/hosts/{id}/delete-preview" TeamHostAdmin 200 Audit::Reads, host, nothing;
    "GET" "/v1/hosts/{id}/sandboxes" TeamHost 200 Audit::Reads, host, nothing;
    "GET" "/v1/hosts/{id}/quarantine" TeamHost 200 Audit::Reads, host, nothing;
    "POST" "/v1/hosts/{id}/quarantine/{sandbox_id}/import" TeamHostAdmin 404 Audit::None("the host of the matrix was never reached"), host, nothing;
    "POST" "/v1/hosts/{id}/accept-database" Platform 409 Audit::None("the host of the matrix was never reached"), host, nothing;
    "POST" "/v1/hosts/{id}/drain" TeamHostAdmin 200 Audit::Event("host drain"), host, |_| json!({ "running": "pause" });
    "POST" "/v1/hosts/{id}/token" TeamHostAdmin 201 Audit::Event("host issue_token"), host, nothing;
    "GET" "/v1/hosts/{id}/tags" TeamHost 200 Audit::Reads, host, nothing;
    "POST" "/v1/hosts/{id}/tags" TeamHostAdmin 204 TAGS, host, |_| json!({ "tag": "gpu" });
    "DELETE" "/v1/hosts/{id}/tags/{tag}" TeamHostAdmin 204 TAGS, host, nothing;
    "POST" "/v1/hosts/register" Open 401 AGENT, none, |_| json!({ "token": "no", "address": "10.0.0.7:50051" });
    "POST" "/v1/hosts/auth/refresh" Open 401 AGENT, none, |_| json!({ "refresh_token": "no" });
    // No caller of this table is a host agent: see `host_agents` and `host_images`.
    "POST" "/v1/hosts/{id}/heartbeat" HostAgent 204 AGENT, host, |_| json!({
        "agent_version": "1", "protocol": 1, "accelerator": "kvm", "boot_id": "1", "free_memory_mib": 1, "pool_free_bytes": 1 });

    "GET" "/v1/hosts/images" HostAgent 200 Audit::Reads, none, nothing;
    "GET" "/v1/hosts/images/{sha256}" HostAgent 200 Audit::Reads, none, nothing;

    "GET" "/v1/admin/teams" Platform 200 Audit::Reads, none, nothing;
    "DELETE" "/v1/admin/teams/{id}" Platform 204 Audit::Event("team delete"), team, nothing;
    "PUT" "/v1/admin/teams/{id}/byoc" Platform 204 Audit::Event("team set_byoc"), team, |_| json!({ "enabled": true });
    "GET" "/v1/admin/teams/{id}/quota" Platform 200 Audit::Reads, team, nothing;
    "PUT" "/v1/admin/teams/{id}/quota" Platform 204 Audit::Event("team set_quota"), team, |_| json!({ "vcpus_max": 2 });
    "GET" "/v1/admin/users" Platform 200 Audit::Reads, none, nothing;
    "GET" "/v1/admin/sandboxes" Platform 200 Audit::Reads, none, nothing;
    "GET" "/v1/admin/tasks" Platform 200 Audit::Reads, none, nothing;
    "PUT" "/v1/admin/users/{id}/active" Platform 200 Audit::None("the user is already active; see `people` for the rest"),
        |s| s.removed.as_str(), |_| json!({ "active": true });
    "GET" "/v1/admin/audit-logs" Platform 200 Audit::Reads, none, nothing;
    "GET" "/v1/admin/audit-logs/{id}" Platform 404 Audit::Reads, unknown_entry, nothing;

    "GET" "/auth/oauth/{provider}" Open 302 Audit::Reads, none, nothing;
    "GET" "/auth/oauth/{provider}/callback" Open 302 Audit::Reads, none, nothing;
    "POST" "/v1/auth/signup" Open 400 OWN, none, |_| json!({ "email": "no", "password": "long enough", "name": "x" });
    "POST" "/v1/auth/activate" Open 400 OWN, none, |_| json!({ "token": "no", "password": "long enough" });
    "POST" "/v1/me/password/reset" Open 204 OWN, none, |_| json!({ "email": "unknown@matrix.test" });
    "POST" "/v1/me/password/reset/confirm" Open 400 OWN, none, |_| json!({ "token": "no", "new_password": "long enough" });
    "POST" "/v1/auth/login" Open 400 OWN, none, |_| json!({ "email": "no", "password": "long enough" });
    // Any member of a team may switch to the team; for others the team does not exist.
    "POST" "/v1/auth/switch-team" Joined 200 OWN, none, |s| json!({ "team_id": s.team });
    "POST" "/v1/auth/renew" Account 200 Audit::None("a login is recorded, not each renewal"), none, nothing;
    // The last two rows: the callers lose their membership and their login.
    "POST" "/v1/teams/{id}/leave" Member 403 Audit::None("the owner cannot leave; see `teams`"), team, nothing;
    "POST" "/v1/auth/logout" Account 204 OWN, none, nothing;
}
