//! The sandboxes of all teams.

use axum::Json;
use axum::extract::{RawQuery, State};
use http::HeaderMap;
use locule_api::{AdminSandbox, SandboxTeam, schema};
use locule_ids::{HostId, TeamId};
use serde::Deserialize;

use crate::caller::PlatformAdmin;
use crate::error::ApiError;
use crate::extract::ApiQuery;
use crate::sandboxes::list::{SandboxQuery, filter, page_headers};
use crate::sandboxes::view::sandbox_view;
use crate::state::AppState;

/// The conditions that the list of a team does not have.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OwnerQuery {
    /// The team that the sandboxes belong to.
    #[param(value_type = Option<schema::TeamId>)]
    team: Option<TeamId>,
    /// The host that the sandboxes are on.
    #[param(value_type = Option<schema::HostId>)]
    host: Option<HostId>,
}

/// List the sandboxes of all teams
///
/// Returns sandboxes as the list of a team does, each with its team. The header `Link` has the address of the next page.
#[utoipa::path(get, path = "/v1/admin/sandboxes", tag = "admin", security(("token" = [])), params(OwnerQuery, SandboxQuery),
    responses((status = 200, body = Vec<AdminSandbox>, headers(
        ("Link" = String, description = "The address of the next page, with the relation `next`; absent on the last page"),
        ("X-Total-Count" = u64, description = "The number of sandboxes on all pages")))))]
pub(crate) async fn list_all_sandboxes(
    State(app): State<AppState>,
    PlatformAdmin(admin): PlatformAdmin,
    ApiQuery(owner): ApiQuery<OwnerQuery>,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<Vec<AdminSandbox>>), ApiError> {
    let query = query.unwrap_or_default();
    let mut filter = filter(&query)?;
    filter.host = owner.host;
    let found = app.sandboxes.find_any_sandboxes(&admin, owner.team, filter);
    let page = found.await?;
    let headers = page_headers("/v1/admin/sandboxes", &query, &page);
    let view = |described: locule_control::Described| AdminSandbox {
        team: SandboxTeam {
            id: described.sandbox.team,
            name: described.team_name.clone(),
        },
        sandbox: sandbox_view(described),
    };
    Ok((
        headers,
        Json(page.sandboxes.into_iter().map(view).collect()),
    ))
}
