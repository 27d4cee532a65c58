//! Operations of platform administrators on teams and users.

pub(crate) mod sandboxes;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{
    AdminTask, AdminTaskList, AdminTeam, AdminTeamPage, AdminUser, AdminUserPage, CreatedSandboxes,
    SetActiveRequest, SetByocRequest, SetQuotaRequest, TeamQuota, schema,
};
use locule_control::{OwnLimits, PER_PAGE};
use locule_ids::{TeamId, UserId};
use serde::Deserialize;

use crate::caller::PlatformAdmin;
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::sandboxes::limits::limits_view;
use crate::state::AppState;
use crate::teams::{created_view, team_view};
use crate::times::seconds;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The number of the page, from 1.
    #[param(minimum = 1, maximum = 1_000_000)]
    page: Option<i64>,
    /// Text to search for, in any case: in the name, the e-mail address and the id of a user; in the name, the slug, the id and the
    /// owner of a team.
    #[param(max_length = 254, pattern = r"^[^\x00]*$")]
    q: Option<String>,
}

/// List all teams
///
/// Deleted teams come last.
#[utoipa::path(get, path = "/v1/admin/teams", tag = "admin", security(("token" = [])), params(PageQuery),
    responses((status = 200, body = AdminTeamPage)))]
pub(crate) async fn list_all_teams(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<AdminTeamPage>, ApiError> {
    let page = query.page.unwrap_or(1);
    let (teams, total) = app
        .accounts
        .list_all_teams(&admin, query.q.as_deref(), page)
        .await?;
    let view = |listed: locule_control::ListedTeam| AdminTeam {
        team: team_view(listed.team),
        deleted_at: listed.deleted_at.map(seconds),
        member_count: listed.member_count,
        owner_name: listed.owner_name,
        owner_email: listed.owner_email,
        active_sandbox_count: listed.active_sandbox_count,
        channel_count: listed.channel_count,
    };
    Ok(Json(AdminTeamPage {
        teams: teams.into_iter().map(view).collect(),
        total,
        page,
        per_page: PER_PAGE,
        total_pages: pages(total),
    }))
}

/// List all users
#[utoipa::path(get, path = "/v1/admin/users", tag = "admin", security(("token" = [])), params(PageQuery),
    responses((status = 200, body = AdminUserPage)))]
pub(crate) async fn list_all_users(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<AdminUserPage>, ApiError> {
    let page = query.page.unwrap_or(1);
    let (users, total) = app
        .accounts
        .list_all_users(&admin, query.q.as_deref(), page)
        .await?;
    let view = |listed: locule_control::ListedUser| AdminUser {
        id: listed.user.id,
        email: listed.user.email,
        name: listed.user.name,
        is_admin: listed.user.is_admin,
        status: listed.user.status.to_string(),
        created_at: seconds(listed.user.created_at),
        teams_joined: listed.teams_joined,
        teams_owned: listed.teams_owned,
    };
    Ok(Json(AdminUserPage {
        users: users.into_iter().map(view).collect(),
        total,
        page,
        per_page: PER_PAGE,
        total_pages: pages(total),
    }))
}

/// List background tasks
///
/// Returns the periodic tasks of the control plane, with their latest pass. A task that each process runs is shown as the process that
/// responds runs it.
#[utoipa::path(get, path = "/v1/admin/tasks", tag = "admin", security(("token" = [])),
    responses((status = 200, body = AdminTaskList)))]
pub(crate) async fn list_tasks(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
) -> Result<Json<AdminTaskList>, ApiError> {
    let tasks = app.accounts.list_periodic_tasks(&admin).await?;
    let view = |task: locule_control::PeriodicTask| AdminTask {
        name: task.name,
        found: task.pass.map(|pass| pass.found),
        changed: task.pass.map(|pass| pass.changed),
        failed: task.pass.map(|pass| pass.failed),
        last_started_at: task.last_started_at.map(seconds),
        last_finished_at: task.last_finished_at.map(seconds),
        last_error: task.last_error,
        period_sec: task.period.as_secs(),
    };
    let items = tasks.into_iter().map(view).collect();
    Ok(Json(AdminTaskList { items }))
}

fn pages(total: i64) -> i64 {
    (total + PER_PAGE - 1) / PER_PAGE
}

/// Set whether a team may bring its own hosts
///
/// The permission cannot be withdrawn while the team has hosts.
#[utoipa::path(put, path = "/v1/admin/teams/{id}/byoc", tag = "admin", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    request_body = SetByocRequest,
    responses((status = 204), (status = 404), (status = 409)))]
pub(crate) async fn set_team_byoc(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiPath(id): ApiPath<TeamId>,
    ApiJson(request): ApiJson<SetByocRequest>,
) -> Result<StatusCode, ApiError> {
    app.accounts.set_byoc(&admin, id, request.enabled).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get the limits of any team
///
/// Returns the limits that were set for the team, the limits in force, and their use by the sandboxes of the team.
#[utoipa::path(get, path = "/v1/admin/teams/{id}/quota", tag = "admin", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    responses((status = 200, body = TeamQuota), (status = 404)))]
pub(crate) async fn get_team_quota(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiPath(id): ApiPath<TeamId>,
) -> Result<Json<TeamQuota>, ApiError> {
    let limits = app.sandboxes.any_team_limits(&admin, id).await?;
    let own = limits.own;
    Ok(Json(TeamQuota {
        own: SetQuotaRequest {
            sandboxes_max: own.sandboxes_max,
            vcpus_max: own.vcpus_max,
            memory_mb_max: own.memory_mib_max,
            creates_per_minute_max: own.creates_per_minute_max,
            paused_sandboxes_max: own.paused_max,
            storage_mb_max: own.storage_mib_max,
        },
        limits: limits_view(&limits),
    }))
}

/// Set the limits of a team
#[utoipa::path(put, path = "/v1/admin/teams/{id}/quota", tag = "admin", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    request_body = SetQuotaRequest,
    responses((status = 204), (status = 404)))]
pub(crate) async fn set_team_quota(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiPath(id): ApiPath<TeamId>,
    ApiJson(request): ApiJson<SetQuotaRequest>,
) -> Result<StatusCode, ApiError> {
    let own = OwnLimits {
        sandboxes_max: request.sandboxes_max,
        vcpus_max: request.vcpus_max,
        memory_mib_max: request.memory_mb_max,
        creates_per_minute_max: request.creates_per_minute_max,
        paused_max: request.paused_sandboxes_max,
        storage_mib_max: request.storage_mb_max,
    };
    app.accounts.set_limits(&admin, id, own).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete any team
///
/// Destroys the sandboxes of the team.
#[utoipa::path(delete, path = "/v1/admin/teams/{id}", tag = "admin", security(("token" = [])),
    params(("id" = schema::TeamId, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn delete_any_team(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiPath(id): ApiPath<TeamId>,
) -> Result<StatusCode, ApiError> {
    app.accounts.delete_any_team(&admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enable or disable a user
///
/// Disabling a user ends the user's logins, revokes the user's API keys, and destroys the sandboxes of the teams that the user
/// owns. Returns the sandboxes of other teams that the user or those keys created and that still exist. The last administrator of the
/// platform cannot be disabled.
#[utoipa::path(put, path = "/v1/admin/users/{id}/active", tag = "admin", security(("token" = [])),
    params(("id" = schema::UserId, Path)),
    request_body = SetActiveRequest,
    responses((status = 200, body = CreatedSandboxes), (status = 404), (status = 409)))]
pub(crate) async fn set_user_active(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiPath(id): ApiPath<UserId>,
    ApiJson(request): ApiJson<SetActiveRequest>,
) -> Result<Json<CreatedSandboxes>, ApiError> {
    let created = app.accounts.set_active(&admin, id, request.active).await?;
    Ok(Json(created_view(created)))
}
