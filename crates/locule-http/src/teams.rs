//! Teams.

pub(crate) mod members;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{
    CreatedSandbox, CreatedSandboxes, Role, Team, TeamDetail, TeamNameRequest, TeamWithRole, schema,
};
use locule_ids::TeamId;

use self::members::member_views;
use crate::caller::{Member, Person};
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath};
use crate::sandboxes::view::status;
use crate::state::AppState;
use crate::times::seconds;

pub(crate) fn team_view(team: locule_control::Team) -> Team {
    Team {
        id: team.id,
        name: team.name,
        slug: team.slug,
        is_byoc: team.is_byoc,
        created_at: seconds(team.created_at),
    }
}

pub(crate) fn created_view(created: locule_control::CreatedSandboxes) -> CreatedSandboxes {
    let view = |sandbox: locule_control::Created| CreatedSandbox {
        id: sandbox.id,
        team_id: sandbox.team,
        status: status(sandbox.state),
        template: sandbox.template,
        labels: sandbox.labels,
        created_at: seconds(sandbox.created_at),
    };
    CreatedSandboxes {
        sandboxes: created.sandboxes.into_iter().map(view).collect(),
        has_more: created.has_more,
    }
}

pub(crate) fn role_view(role: locule_control::Role) -> Role {
    match role {
        locule_control::Role::Owner => Role::Owner,
        locule_control::Role::Admin => Role::Admin,
        locule_control::Role::Member => Role::Member,
    }
}

/// List teams
///
/// Returns the teams of the authenticated user, in the order of joining.
#[utoipa::path(get, path = "/v1/teams", tag = "teams", security(("token" = [])),
    responses((status = 200, body = Vec<TeamWithRole>)))]
pub(crate) async fn list_teams(
    State(app): State<AppState>,
    Person(person): Person,
) -> Result<Json<Vec<TeamWithRole>>, ApiError> {
    let teams = app.accounts.list_teams(&person).await?;
    let view = |(team, role)| TeamWithRole {
        team: team_view(team),
        role: role_view(role),
    };
    Ok(Json(teams.into_iter().map(view).collect()))
}

/// Create a team
///
/// The authenticated user becomes the owner.
#[utoipa::path(post, path = "/v1/teams", tag = "teams", security(("token" = [])),
    request_body = TeamNameRequest,
    responses((status = 201, body = TeamWithRole)))]
pub(crate) async fn create_team(
    State(app): State<AppState>,
    Person(person): Person,
    ApiJson(request): ApiJson<TeamNameRequest>,
) -> Result<(StatusCode, Json<TeamWithRole>), ApiError> {
    let team = app.accounts.create_team(&person, &request.name).await?;
    let made = TeamWithRole {
        team: team_view(team),
        role: Role::Owner,
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Get a team
///
/// Returns the team, its members and the invited people. Requires a token for the team.
#[utoipa::path(get, path = "/v1/teams/{id}", tag = "teams", security(("token" = [])), params(("id" = schema::TeamId, Path)),
    responses((status = 200, body = TeamDetail)))]
pub(crate) async fn get_team(
    State(app): State<AppState>,
    Member(person): Member,
    ApiPath(id): ApiPath<TeamId>,
) -> Result<Json<TeamDetail>, ApiError> {
    let (team, members) = app.accounts.get_team(&person, id).await?;
    Ok(Json(TeamDetail {
        team: team_view(team),
        members: member_views(members),
    }))
}

/// Rename a team
///
/// Requires a token for the team, and the role owner or admin.
#[utoipa::path(patch, path = "/v1/teams/{id}", tag = "teams", security(("token" = [])), params(("id" = schema::TeamId, Path)),
    request_body = TeamNameRequest,
    responses((status = 204)))]
pub(crate) async fn rename_team(
    State(app): State<AppState>,
    Member(person): Member,
    ApiPath(id): ApiPath<TeamId>,
    ApiJson(request): ApiJson<TeamNameRequest>,
) -> Result<StatusCode, ApiError> {
    app.accounts.rename_team(&person, id, &request.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a team
///
/// Destroys the sandboxes of the team; a sandbox on an unreachable host is destroyed when the host returns. Requires a token
/// for the team, and the role owner.
#[utoipa::path(delete, path = "/v1/teams/{id}", tag = "teams", security(("token" = [])), params(("id" = schema::TeamId, Path)),
    responses((status = 204)))]
pub(crate) async fn delete_team(
    State(app): State<AppState>,
    Member(person): Member,
    ApiPath(id): ApiPath<TeamId>,
) -> Result<StatusCode, ApiError> {
    app.accounts.delete_team(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave a team
///
/// Revokes the API keys that the user created for the team. The owner cannot leave. Requires a token for the team.
#[utoipa::path(post, path = "/v1/teams/{id}/leave", tag = "teams", security(("token" = [])), params(("id" = schema::TeamId, Path)),
    responses((status = 204)))]
pub(crate) async fn leave_team(
    State(app): State<AppState>,
    Member(person): Member,
    ApiPath(id): ApiPath<TeamId>,
) -> Result<StatusCode, ApiError> {
    app.accounts.leave_team(&person, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
