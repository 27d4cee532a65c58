//! Members of a team.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{AddMemberRequest, Member, Role, SetRoleRequest, schema};
use locule_ids::{TeamId, UserId};

use super::role_view;
use crate::caller::Member as Caller;
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath};
use crate::state::AppState;
use crate::times::seconds;

pub(crate) fn member_view(member: locule_control::Member) -> Member {
    Member {
        user_id: member.user,
        name: member.name,
        email: member.email,
        role: role_view(member.role),
        joined_at: seconds(member.joined_at),
    }
}

/// List team members
///
/// Returns the members in the order of joining. Requires a token for the team.
#[utoipa::path(get, path = "/v1/teams/{id}/members", tag = "teams", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    responses((status = 200, body = Vec<Member>)))]
pub(crate) async fn list_members(
    State(app): State<AppState>,
    Caller(person): Caller,
    ApiPath(id): ApiPath<TeamId>,
) -> Result<Json<Vec<Member>>, ApiError> {
    let members = app.accounts.list_members(&person, id).await?;
    Ok(Json(members.into_iter().map(member_view).collect()))
}

/// Add a team member
///
/// Requires a token for the team, and the role owner or admin.
#[utoipa::path(post, path = "/v1/teams/{id}/members", tag = "teams", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    request_body = AddMemberRequest,
    responses((status = 201, body = Member), (status = 404)))]
pub(crate) async fn add_member(
    State(app): State<AppState>,
    Caller(person): Caller,
    ApiPath(id): ApiPath<TeamId>,
    ApiJson(request): ApiJson<AddMemberRequest>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let added = app.accounts.add_member(&person, id, &request.email).await?;
    Ok((StatusCode::CREATED, Json(member_view(added))))
}

/// Set the role of a team member
///
/// The role of the owner cannot be changed. Requires a token for the team, and the role owner or admin.
#[utoipa::path(patch, path = "/v1/teams/{id}/members/{user_id}", tag = "teams", security(("token" = [])),
    params(("id" = schema::TeamId, Path), ("user_id" = schema::UserId, Path)),
    request_body = SetRoleRequest,
    responses((status = 204), (status = 404)))]
pub(crate) async fn set_member_role(
    State(app): State<AppState>,
    Caller(person): Caller,
    ApiPath((id, user)): ApiPath<(TeamId, UserId)>,
    ApiJson(request): ApiJson<SetRoleRequest>,
) -> Result<StatusCode, ApiError> {
    let role = match request.role {
        Role::Owner => locule_control::Role::Owner,
        Role::Admin => locule_control::Role::Admin,
        Role::Member => locule_control::Role::Member,
    };
    app.accounts
        .set_member_role(&person, id, user, role)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a team member
///
/// Revokes the API keys that the member created for the team. The owner cannot be removed. Requires a token for the team, and
/// the role owner or admin.
#[utoipa::path(delete, path = "/v1/teams/{id}/members/{user_id}", tag = "teams", security(("token" = [])),
    params(("id" = schema::TeamId, Path), ("user_id" = schema::UserId, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn remove_member(
    State(app): State<AppState>,
    Caller(person): Caller,
    ApiPath((id, user)): ApiPath<(TeamId, UserId)>,
) -> Result<StatusCode, ApiError> {
    app.accounts.remove_member(&person, id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
