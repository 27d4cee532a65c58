//! Operations that list sandboxes and get one sandbox.

use axum::Json;
use axum::extract::State;
use locule_api::{Sandbox, schema};
use locule_control::ListFilter;

use crate::caller::MayRead;
use crate::error::ApiError;
use crate::extract::Id;
use crate::state::AppState;
use crate::views::sandbox_view;

/// The list has no pages. A team with more sandboxes can use the list of the E2B dialect.
const LISTED_MAX: usize = 1000;

/// List sandboxes
///
/// Returns the team's sandboxes, newest first, without sandboxes in the state `stopped` or `error`.
#[utoipa::path(get, path = "/v1/sandboxes", tag = "sandboxes",
    responses((status = 200, body = Vec<Sandbox>)))]
pub(crate) async fn list_sandboxes(
    State(app): State<AppState>,
    caller: MayRead,
) -> Result<Json<Vec<Sandbox>>, ApiError> {
    let mut listed = Vec::new();
    let mut filter = ListFilter::default();
    while listed.len() < LISTED_MAX {
        let page = app
            .sandboxes
            .list_sandboxes(caller.team(), filter.clone())
            .await?;
        listed.extend(page.sandboxes.iter().map(sandbox_view));
        if page.next.is_none() {
            break;
        }
        filter.cursor = page.next;
    }
    Ok(Json(listed))
}

/// Get a sandbox
///
/// Returns the sandbox in any state.
#[utoipa::path(get, path = "/v1/sandboxes/{id}", tag = "sandboxes", params(("id" = schema::SandboxId, Path)),
    responses((status = 200, body = Sandbox)))]
pub(crate) async fn get_sandbox(
    State(app): State<AppState>,
    caller: MayRead,
    Id(id): Id,
) -> Result<Json<Sandbox>, ApiError> {
    let sandbox = app.sandboxes.get_sandbox(caller.team(), id).await?;
    Ok(Json(sandbox_view(&sandbox)))
}
