//! Members of a team.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{
    AddMemberRequest, CreatedSandboxes, Member, MemberStatus, Role, SetRoleRequest, TeamWithRole,
    schema,
};
use locule_control::{Invitation, Invited, Members};
use locule_ids::{TeamId, UserId};

use super::{created_view, role_view, team_view};
use crate::caller::{Member as Caller, Person};
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath};
use crate::state::AppState;
use crate::times::seconds;

fn member_view(member: locule_control::Member) -> Member {
    Member {
        user_id: member.user,
        name: member.name,
        email: member.email,
        verified: member.email_verified,
        role: role_view(member.role),
        status: MemberStatus::Active,
        joined_at: seconds(member.joined_at),
        link: None,
    }
}

/// An invited person. Nothing in it shows whether the address has an account.
fn invited_view(invitation: Invitation, link: Option<String>) -> Member {
    Member {
        user_id: invitation.id,
        name: String::new(),
        email: invitation.email,
        verified: false,
        role: role_view(invitation.role),
        status: MemberStatus::Invited,
        joined_at: seconds(invitation.created_at),
        link,
    }
}

pub(super) fn member_views(Members { joined, invited }: Members) -> Vec<Member> {
    let invited = invited
        .into_iter()
        .map(|invitation| invited_view(invitation, None));
    joined.into_iter().map(member_view).chain(invited).collect()
}

/// List team members
///
/// Returns the members in the order of joining, then the invited people. Requires a token for the team.
#[utoipa::path(get, path = "/v1/teams/{id}/members", tag = "teams", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    responses((status = 200, body = Vec<Member>)))]
pub(crate) async fn list_members(
    State(app): State<AppState>,
    Caller(person): Caller,
    ApiPath(id): ApiPath<TeamId>,
) -> Result<Json<Vec<Member>>, ApiError> {
    let members = app.accounts.list_members(&person, id).await?;
    Ok(Json(member_views(members)))
}

/// Invite a person to a team
///
/// The person becomes a member by accepting the invitation within 7 days. The response is the same whether or not an account has the
/// address. A mail server sends the link of the invitation to the address; without one the response contains the link. Another
/// invitation of the same address replaces the first. Requires a token for the team, and the role owner or admin.
#[utoipa::path(post, path = "/v1/teams/{id}/members", tag = "teams", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    request_body = AddMemberRequest,
    responses((status = 201, body = Member), (status = 409), (status = 429)))]
pub(crate) async fn add_member(
    State(app): State<AppState>,
    Caller(person): Caller,
    ApiPath(id): ApiPath<TeamId>,
    ApiJson(request): ApiJson<AddMemberRequest>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let Invited { invitation, link } = app.accounts.invite(&person, id, &request.email).await?;
    Ok((StatusCode::CREATED, Json(invited_view(invitation, link))))
}

/// Accept an invitation to a team
///
/// Makes the authenticated user, whose e-mail address must be the invited one, a member of the team. Returns the team.
#[utoipa::path(post, path = "/v1/invitations/{token}/accept", tag = "teams", security(("token" = [])),
    params(("token" = String, Path, description = "The token in the link of the invitation")),
    responses((status = 200, body = TeamWithRole)))]
pub(crate) async fn accept_invitation(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(token): ApiPath<String>,
) -> Result<Json<TeamWithRole>, ApiError> {
    let (team, role) = app.accounts.accept_invitation(&person, &token).await?;
    Ok(Json(TeamWithRole {
        team: team_view(team),
        role: role_view(role),
    }))
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
/// Revokes the API keys that the member created for the team, or the invitation of an invited person. Returns the team's sandboxes
/// that the member or those keys created and that still exist. The owner cannot be removed. Requires a token for the team, and the
/// role owner or admin.
#[utoipa::path(delete, path = "/v1/teams/{id}/members/{user_id}", tag = "teams", security(("token" = [])),
    params(("id" = schema::TeamId, Path), ("user_id" = schema::UserId, Path)),
    responses((status = 200, body = CreatedSandboxes), (status = 404)))]
pub(crate) async fn remove_member(
    State(app): State<AppState>,
    Caller(person): Caller,
    ApiPath((id, user)): ApiPath<(TeamId, UserId)>,
) -> Result<Json<CreatedSandboxes>, ApiError> {
    let created = app.accounts.remove_member(&person, id, user).await?;
    Ok(Json(created_view(created)))
}
