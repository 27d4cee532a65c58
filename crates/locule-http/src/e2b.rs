//! The E2B dialect, at the root: same use cases, other words.
//!
//! Success codes are exact, refusals always carry the JSON envelope, ids are the bare 25 digits: the published SDKs break
//! otherwise.

mod connect;
mod create;
pub(crate) mod error;
mod filter;
mod known;
mod lifecycle;
mod list;
mod views;

use axum::middleware;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    // Repeating a create that failed half-way would make a second sandbox.
    let once = OpenApiRouter::new()
        .routes(routes!(create::create_v1, list::list_v1))
        .routes(routes!(create::create_v2, list::list_v2))
        .layer(middleware::map_response(error::never_again));
    OpenApiRouter::new()
        .merge(once)
        .routes(routes!(list::get_sandbox, lifecycle::kill))
        .routes(routes!(connect::connect_v1))
        .routes(routes!(connect::connect_v2))
        .routes(routes!(connect::resume))
        .routes(routes!(lifecycle::set_timeout))
        .routes(routes!(lifecycle::refresh))
        .routes(routes!(lifecycle::pause))
        .layer(middleware::map_response(error::reword))
}
