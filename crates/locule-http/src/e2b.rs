//! The E2B dialect, at the root path: the same use cases with other names and formats.
//!
//! The published SDKs require the exact success codes, the JSON envelope in every error response, and ids of 25 digits.

mod connect;
mod create;
pub(crate) mod error;
mod filter;
mod known;
mod lifecycle;
mod list;
pub(crate) mod unbuilt;
mod views;

use axum::middleware;
use utoipa_axum::router::OpenApiRouter;

use crate::need::operation;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    // Repeating a create that failed after the sandbox was created would create a second sandbox.
    let once = OpenApiRouter::new()
        .routes(operation!(create::create_v1))
        .routes(operation!(list::list_v1))
        .routes(operation!(create::create_v2))
        .routes(operation!(list::list_v2))
        .layer(middleware::map_response(error::forbid_retry));
    OpenApiRouter::new()
        .merge(once)
        .routes(operation!(list::get_sandbox))
        .routes(operation!(lifecycle::kill))
        .routes(operation!(connect::connect_v1))
        .routes(operation!(connect::connect_v2))
        .routes(operation!(connect::resume))
        .routes(operation!(lifecycle::set_timeout))
        .routes(operation!(lifecycle::refresh))
        .routes(operation!(lifecycle::pause))
        .layer(middleware::map_response(error::translate))
}
