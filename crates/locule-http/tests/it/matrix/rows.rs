//! One row for each operation of the document.

use serde_json::{Value, json};

use super::{Access, Stage};

/// What an operation leaves in the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trail {
    Looks,
    /// Resource and action.
    Event(&'static str),
    /// Nothing, and why.
    None(&'static str),
}

pub(super) struct Row {
    pub(super) method: &'static str,
    pub(super) path_template: &'static str,
    pub(super) path: fn(&Stage) -> String,
    pub(super) access: Access,
    pub(super) body: fn(&Stage) -> Value,
    /// How the first who may is answered.
    pub(super) success: u16,
    pub(super) trail: Trail,
    /// A key that may only look may this.
    pub(super) looks: bool,
}

const USE: Trail = Trail::None("using a sandbox is not a change of it");
const OWN: Trail = Trail::None("an account is no team's");

fn nothing(_: &Stage) -> Value {
    Value::Null
}

macro_rules! rows {
    ($($method:literal $path:literal $access:ident $success:literal $trail:expr, $looks:literal, $fill:expr, $body:expr;)*) => {
        pub(super) const ROWS: &[Row] = &[$(Row {
            method: $method,
            path_template: $path,
            path: |s| {
                let fill: fn(&Stage) -> &str = $fill;
                let query = if $path.ends_with("/search") { "?email=x@matrix" } else { "" };
                let path = $path.replace("{id}", fill(s)).replace("{user_id}", &s.member).replace("{selector}", "1").replace("{provider}", "github");
                path + query
            },
            access: Access::$access,
            body: $body,
            success: $success,
            trail: $trail,
            looks: $looks,
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

fn none(_: &Stage) -> &'static str {
    ""
}

rows! {
    "GET" "/health" Open 200 Trail::Looks, true, none, nothing;

    "GET" "/v1/sandboxes" AnyTeam 200 Trail::Looks, true, none, nothing;
    "POST" "/v1/sandboxes" AnyTeam 201 Trail::Event("sandbox create"), false, none, |_| json!({});
    "GET" "/v1/sandboxes/{id}" TheTeam 200 Trail::Looks, true, sandbox, nothing;
    "DELETE" "/v1/sandboxes/{id}" TheTeam 204 Trail::Event("sandbox destroy"), false, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/ping" TheTeam 204 USE, false, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/pause" TheTeam 200 Trail::Event("sandbox pause"), false, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/resume" TheTeam 409 USE, false, sandbox, nothing;
    "POST" "/v1/sandboxes/{id}/exec" TheTeam 200 USE, false, sandbox, |_| json!({ "cmd": "fail" });
    "GET" "/v1/sandboxes/{id}/exec/stream" TheTeam 101 USE, false, sandbox, nothing;
    "GET" "/v1/sandboxes/{id}/processes" TheTeam 200 Trail::Looks, true, sandbox, nothing;
    "DELETE" "/v1/sandboxes/{id}/processes/{selector}" TheTeam 404 USE, false, sandbox, nothing;
    "GET" "/v1/sandboxes/{id}/processes/{selector}/stream" TheTeam 404 USE, false, sandbox, nothing;
    // The guest of these tests has no such files.
    "POST" "/v1/sandboxes/{id}/files/list" TheTeam 404 USE, true, sandbox, |_| json!({ "path": "/" });
    "POST" "/v1/sandboxes/{id}/files/mkdir" TheTeam 200 USE, false, sandbox, |_| json!({ "path": "/new" });
    "POST" "/v1/sandboxes/{id}/files/read" TheTeam 404 USE, true, sandbox, |_| json!({ "path": "/none" });
    "POST" "/v1/sandboxes/{id}/files/stream/read" TheTeam 404 USE, true, sandbox, |_| json!({ "path": "/none" });
    "POST" "/v1/sandboxes/{id}/files/remove" TheTeam 404 USE, false, sandbox, |_| json!({ "path": "/x" });
    "POST" "/v1/sandboxes/{id}/files/write" TheTeam 400 USE, false, sandbox, |_| json!({});
    "POST" "/v1/sandboxes/{id}/files/stream/write" TheTeam 400 USE, false, sandbox, |_| json!({});

    "GET" "/sandboxes" AnyTeam 200 Trail::Looks, true, none, nothing;
    "POST" "/sandboxes" AnyTeam 201 Trail::Event("sandbox create"), false, none, |_| json!({ "templateID": "base" });
    "GET" "/v2/sandboxes" AnyTeam 200 Trail::Looks, true, none, nothing;
    "POST" "/v2/sandboxes" AnyTeam 201 Trail::Event("sandbox create"), false, none, |_| json!({ "templateID": "base" });
    "GET" "/sandboxes/{id}" TheTeam 200 Trail::Looks, true, sandbox, nothing;
    "DELETE" "/sandboxes/{id}" TheTeam 204 Trail::Event("sandbox destroy"), false, sandbox, nothing;
    "POST" "/sandboxes/{id}/connect" TheTeam 200 USE, false, sandbox, |_| json!({ "timeout": 60 });
    "POST" "/v2/sandboxes/{id}/connect" TheTeam 200 USE, false, sandbox, |_| json!({ "timeout": 60 });
    "POST" "/sandboxes/{id}/resume" TheTeam 409 USE, false, sandbox, |_| json!({ "timeout": 60 });
    "POST" "/sandboxes/{id}/pause" TheTeam 204 Trail::Event("sandbox pause"), false, sandbox, nothing;
    "POST" "/sandboxes/{id}/timeout" TheTeam 204 USE, false, sandbox, |_| json!({ "timeout": 60 });
    "POST" "/sandboxes/{id}/refreshes" TheTeam 204 USE, false, sandbox, |_| json!({ "duration": 60 });

    "GET" "/v1/api-keys" AnyMember 200 Trail::Looks, true, none, nothing;
    "POST" "/v1/api-keys" AnyMember 201 Trail::Event("api_key create"), false, none, |_| json!({});
    // Members revoke their own: see `keys`. Of another team's key nobody learns more than that it is not there.
    "DELETE" "/v1/api-keys/{id}" AnyMember 204 Trail::Event("api_key revoke"), false, key, nothing;
    "GET" "/v1/audit-logs" AnyMember 200 Trail::Looks, true, none, nothing;

    "GET" "/v1/teams" Account 200 Trail::Looks, true, none, nothing;
    "POST" "/v1/teams" Account 201 Trail::None("a new team has no history"), false, none, |_| json!({ "name": "New" });
    "GET" "/v1/teams/{id}" Member 200 Trail::Looks, true, team, nothing;
    "PATCH" "/v1/teams/{id}" Admin 204 Trail::Event("team rename"), false, team, |_| json!({ "name": "It's @ new-name_1" });
    "DELETE" "/v1/teams/{id}" Owner 204 Trail::Event("team delete"), false, team, nothing;
    "GET" "/v1/teams/{id}/members" Member 200 Trail::Looks, true, team, nothing;
    "POST" "/v1/teams/{id}/members" Admin 201 Trail::Event("member add"), false, team, |_| json!({ "email": "removed@matrix.test" });
    "PATCH" "/v1/teams/{id}/members/{user_id}" Admin 204 Trail::Event("member role_update"), false, team, |_| json!({ "role": "admin" });
    "DELETE" "/v1/teams/{id}/members/{user_id}" Admin 204 Trail::Event("member remove"), false, team, nothing;

    "GET" "/v1/users/search" Account 200 Trail::Looks, true, none, nothing;
    "GET" "/v1/me" Account 200 Trail::Looks, true, none, nothing;
    "PATCH" "/v1/me" Account 200 OWN, false, none, |_| json!({ "name": "Same" });
    // As far as it goes without ending what the next rows need.
    "DELETE" "/v1/me" Account 400 OWN, false, none, |_| json!({ "confirmation": "no" });
    "POST" "/v1/me/password" Account 400 OWN, false, none, |_| json!({ "new_password": "long enough" });

    "GET" "/v1/me/providers/{provider}/connect" Account 200 Trail::Looks, true, none, nothing;
    "DELETE" "/v1/me/providers/{provider}" Account 404 Trail::None("nothing is connected; see `oauth` for the rest"), false, none, nothing;

    "GET" "/v1/admin/teams" Platform 200 Trail::Looks, true, none, nothing;
    "DELETE" "/v1/admin/teams/{id}" Platform 204 Trail::Event("team delete"), false, team, nothing;
    "PUT" "/v1/admin/teams/{id}/byoc" Platform 204 Trail::Event("team set_byoc"), false, team, |_| json!({ "enabled": true });
    "PUT" "/v1/admin/teams/{id}/quota" Platform 204 Trail::Event("team set_quota"), false, team, |_| json!({ "vcpus_max": 2 });
    "GET" "/v1/admin/users" Platform 200 Trail::Looks, true, none, nothing;
    "PUT" "/v1/admin/users/{id}/active" Platform 204 Trail::None("it is active already; see `people` for the rest"), false,
        |s| s.removed.as_str(), |_| json!({ "active": true });
    "GET" "/v1/admin/audit-logs" Platform 200 Trail::Looks, true, none, nothing;

    "GET" "/auth/oauth/{provider}" Open 302 Trail::Looks, true, none, nothing;
    "GET" "/auth/oauth/{provider}/callback" Open 302 Trail::Looks, true, none, nothing;
    "POST" "/v1/auth/signup" Open 400 OWN, false, none, |_| json!({ "email": "no", "password": "long enough", "name": "x" });
    "POST" "/v1/auth/activate" Open 400 OWN, false, none, |_| json!({ "token": "no" });
    "POST" "/v1/me/password/reset" Open 204 OWN, false, none, |_| json!({ "email": "nobody@matrix.test" });
    "POST" "/v1/me/password/reset/confirm" Open 400 OWN, false, none, |_| json!({ "token": "no", "new_password": "long enough" });
    "POST" "/v1/auth/login" Open 400 OWN, false, none, |_| json!({ "email": "no", "password": "long enough" });
    // Whoever is in the team may switch to it.
    "POST" "/v1/auth/switch-team" Member 200 OWN, false, none, |s| json!({ "team_id": s.team });
    // The last two: whoever did them may no more.
    "POST" "/v1/teams/{id}/leave" Member 403 Trail::None("the owner cannot; see `teams`"), false, team, nothing;
    "POST" "/v1/auth/logout" Account 204 OWN, false, none, nothing;
}
