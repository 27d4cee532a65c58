//! One person with a password, two teams, and what is done to them.

use std::sync::Arc;

use axum::extract::{Path as Segment, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, patch, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use locule_api::{
    AddMemberRequest, ApiKey, AuditEntry, AuditPage, AuthResponse, CreateApiKeyRequest, ErrorCode,
    LoginRequest, Me, Member, Role, SetRoleRequest, SwitchTeamRequest, Team, TeamNameRequest,
    TeamWithRole,
};
use locule_ids::{ApiKeyId, AuditId, TeamId, UserId};

use super::{Shared, refuse};

pub(crate) const EMAIL: &str = "ada@locule.test";
pub(crate) const PASSWORD: &str = "a good password";

#[derive(Debug, Default)]
pub(crate) struct People {
    /// The token is `token-<id of the team>` while somebody is logged in.
    pub(crate) logged_in: bool,
    pub(crate) teams: Vec<TeamWithRole>,
    pub(crate) members: Vec<Member>,
    pub(crate) keys: Vec<ApiKey>,
    /// Queries of the trail.
    pub(crate) queries: Vec<String>,
}

fn then() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn team(name: &str, slug: &str) -> TeamWithRole {
    TeamWithRole {
        team: Team {
            id: TeamId::random(),
            name: name.to_owned(),
            slug: slug.to_owned(),
            is_byoc: false,
            created_at: then(),
        },
        role: Role::Owner,
    }
}

type World = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/v1/auth/login", post(login))
        .route("/v1/auth/logout", post(logout))
        .route("/v1/auth/switch-team", post(switch))
        .route("/v1/me", get(me))
        .route("/v1/teams", get(teams).post(create))
        .route("/v1/teams/{id}", patch(rename).delete(end))
        .route("/v1/teams/{id}/leave", post(end))
        .route("/v1/teams/{id}/members", get(members).post(add))
        .route("/v1/teams/{id}/members/{user}", patch(role).delete(remove))
        .route("/v1/api-keys", get(keys).post(make_key))
        .route("/v1/api-keys/{id}", delete(revoke))
        .route("/v1/audit-logs", get(audit))
}

fn session(team: Option<TeamId>) -> Json<AuthResponse> {
    Json(AuthResponse {
        token: team.map_or_else(|| "token-".to_owned(), |team| format!("token-{team}")),
        user_id: UserId::from_uuid(TeamId::PLATFORM.as_uuid()),
        team_id: team,
        email: EMAIL.to_owned(),
        name: "Ada".to_owned(),
    })
}

/// The team that the token is for, of who is logged in.
fn token(shared: &Shared, headers: &HeaderMap) -> Result<Option<TeamId>, StatusCode> {
    let bearer = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let team = bearer.and_then(|bearer| bearer.strip_prefix("Bearer token-"));
    match team {
        Some(team) if shared.change(|seen| seen.people.logged_in) => Ok(team.parse().ok()),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

fn refused(status: StatusCode) -> Response {
    refuse(status, ErrorCode::Unauthorized, "who are you?")
}

async fn login(State(shared): World, Json(body): Json<LoginRequest>) -> Response {
    if (body.email.as_str(), body.password.as_str()) != (EMAIL, PASSWORD) {
        return refuse(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, "no");
    }
    let first = shared.change(|seen| {
        let people = &mut seen.people;
        people.logged_in = true;
        if people.teams.is_empty() {
            people.teams = vec![
                team("First", "aaaaaa-000001"),
                team("Second", "aaaaaa-000002"),
            ];
            people.members = vec![Member {
                user_id: UserId::random(),
                name: "Ada".to_owned(),
                email: EMAIL.to_owned(),
                role: Role::Owner,
                joined_at: then(),
            }];
        }
        people.teams.first().map(|one| one.team.id)
    });
    session(first).into_response()
}

async fn logout(State(shared): World, headers: HeaderMap) -> Response {
    if let Err(status) = token(&shared, &headers) {
        return refused(status);
    }
    shared.change(|seen| seen.people.logged_in = false);
    StatusCode::NO_CONTENT.into_response()
}

async fn switch(State(_): World, Json(body): Json<SwitchTeamRequest>) -> Json<AuthResponse> {
    session(Some(body.team_id))
}

async fn me(State(shared): World, headers: HeaderMap) -> Response {
    let team_id = match token(&shared, &headers) {
        Err(status) => return refused(status),
        Ok(team) => team,
    };
    let me = Me {
        user_id: UserId::random(),
        name: "Ada".to_owned(),
        email: EMAIL.to_owned(),
        is_admin: false,
        team_id: team_id.filter(|id| {
            shared.change(|seen| seen.people.teams.iter().any(|one| one.team.id == *id))
        }),
        has_password: true,
        providers: Vec::new(),
    };
    Json(me).into_response()
}

async fn teams(State(shared): World) -> Json<Vec<TeamWithRole>> {
    Json(shared.change(|seen| seen.people.teams.clone()))
}

async fn create(State(shared): World, Json(body): Json<TeamNameRequest>) -> Response {
    let made = team(&body.name, "aaaaaa-000003");
    shared.change(|seen| seen.people.teams.push(made.clone()));
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn rename(
    State(shared): World,
    Segment(id): Segment<TeamId>,
    Json(body): Json<TeamNameRequest>,
) -> StatusCode {
    shared.change(|seen| {
        let mut teams = seen.people.teams.iter_mut();
        teams.find(|one| one.team.id == id).unwrap().team.name = body.name;
    });
    StatusCode::NO_CONTENT
}

async fn end(State(shared): World, Segment(id): Segment<TeamId>) -> StatusCode {
    shared.change(|seen| seen.people.teams.retain(|one| one.team.id != id));
    StatusCode::NO_CONTENT
}

async fn members(State(shared): World) -> Json<Vec<Member>> {
    Json(shared.change(|seen| seen.people.members.clone()))
}

async fn add(State(shared): World, Json(body): Json<AddMemberRequest>) -> Response {
    let added = Member {
        user_id: UserId::random(),
        name: "Bob \u{1b}[2J".to_owned(),
        email: body.email,
        role: Role::Member,
        joined_at: then(),
    };
    shared.change(|seen| seen.people.members.push(added.clone()));
    (StatusCode::CREATED, Json(added)).into_response()
}

async fn role(
    State(shared): World,
    Segment((_, user)): Segment<(TeamId, UserId)>,
    Json(body): Json<SetRoleRequest>,
) -> StatusCode {
    shared.change(|seen| {
        let mut members = seen.people.members.iter_mut();
        members.find(|one| one.user_id == user).unwrap().role = body.role;
    });
    StatusCode::NO_CONTENT
}

async fn remove(State(shared): World, Segment((_, user)): Segment<(TeamId, UserId)>) -> StatusCode {
    shared.change(|seen| seen.people.members.retain(|one| one.user_id != user));
    StatusCode::NO_CONTENT
}

async fn keys(State(shared): World) -> Json<Vec<ApiKey>> {
    let mut keys = shared.change(|seen| seen.people.keys.clone());
    for key in &mut keys {
        key.key = None;
    }
    Json(keys)
}

async fn make_key(State(shared): World, Json(body): Json<CreateApiKeyRequest>) -> Response {
    let key = ApiKey {
        id: ApiKeyId::random(),
        team_id: TeamId::PLATFORM,
        name: body.name,
        key_prefix: "e2b_111111".to_owned(),
        scope: body.scope,
        created_by: None,
        creator_email: Some(EMAIL.to_owned()),
        created_at: then(),
        expires_at: body.expires_at,
        last_used: None,
        key: Some(format!("e2b_{}", "1".repeat(40))),
    };
    shared.change(|seen| seen.people.keys.push(key.clone()));
    (StatusCode::CREATED, Json(key)).into_response()
}

async fn revoke(State(shared): World, Segment(id): Segment<ApiKeyId>) -> StatusCode {
    shared.change(|seen| seen.people.keys.retain(|key| key.id != id));
    StatusCode::NO_CONTENT
}

/// Two pages of as many as are asked for, and an empty one.
async fn audit(State(shared): World, RawQuery(query): RawQuery) -> Json<AuditPage> {
    let query = query.unwrap_or_default();
    let number = |name: &str| {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name));
        value.and_then(|value| value.parse::<usize>().ok())
    };
    let (page, limit) = (
        number("before=").unwrap_or(0),
        number("limit=").unwrap_or(1),
    );
    shared.change(|seen| seen.people.queries.push(query.clone()));
    let entry = |number: usize| AuditEntry {
        id: AuditId::random(),
        actor_type: "system".to_owned(),
        actor_id: None,
        actor_name: None,
        resource_type: "sandbox".to_owned(),
        resource_id: Some(format!("sb-{page}-{number}")),
        action: "destroy".to_owned(),
        scope: "team".to_owned(),
        status: "warning".to_owned(),
        metadata: [("reason".to_owned(), "idle".into())].into_iter().collect(),
        created_at: then(),
    };
    let count = if page < 2 { limit } else { 0 };
    Json(AuditPage {
        items: (0..count).map(entry).collect(),
        next_before: (count > 0).then(|| (page + 1).to_string()),
    })
}
