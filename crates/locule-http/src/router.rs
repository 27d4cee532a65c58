//! All routes, and what stands before and around them.

use axum::extract::{DefaultBodyLimit, Request};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::{HeaderName, StatusCode};
use locule_api::ErrorCode;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::ApiError;
use crate::exec::{self, stream};
use crate::sandboxes::{create, lifecycle, read};
use crate::state::{AppState, HttpConfig};
use crate::teams::members;
use crate::{
    admin, api_keys, audit, auth, docs, e2b, files, gateway, health, me, oauth, processes, spec,
    teams,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The application.
pub fn router(state: AppState) -> Router {
    let json_bytes_max = state.config.json_bytes_max;
    let api = routes(&state.config)
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(json_bytes_max))
        .layer(cross_origin())
        .with_state(state.clone());
    // An outer router: the gateway must see a request before it is routed.
    Router::new()
        .fallback_service(api)
        .layer(middleware::from_fn_with_state(state, gateway::gateway))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

/// Everything that is served but the ports of sandboxes, which the gateway takes out before.
fn routes(config: &HttpConfig) -> Router<AppState> {
    let (api, _) = api(config).split_for_parts();
    api.route("/docs", get(docs::docs))
        .route("/openapi.json", get(spec::as_json))
        .route("/openapi.yaml", get(spec::as_yaml))
}

/// Browsers may call from anywhere: the credential is a header that a foreign page cannot have.
fn cross_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        // Mirrored: a browser does not take `*` for Authorization.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(Any)
}

pub(crate) fn api(config: &HttpConfig) -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(spec::base())
        .routes(routes!(health::get_health))
        .merge(people())
        .routes(routes!(create::create_sandbox, read::list_sandboxes))
        .routes(routes!(read::get_sandbox, lifecycle::destroy_sandbox))
        .routes(routes!(lifecycle::ping_sandbox))
        .routes(routes!(lifecycle::pause_sandbox))
        .routes(routes!(lifecycle::resume_sandbox))
        .routes(routes!(exec::exec))
        .routes(routes!(stream::exec_stream))
        .routes(routes!(processes::list_processes))
        .routes(routes!(processes::kill_process))
        .routes(routes!(stream::process_stream))
        .routes(routes!(files::read_file))
        .routes(routes!(files::read_file_stream))
        .routes(routes!(files::list_files))
        .routes(routes!(files::make_directory))
        .routes(routes!(files::remove_file))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(files::write_file))
                .layer(DefaultBodyLimit::max(config.file_bytes_max)),
        )
        .merge(
            OpenApiRouter::new()
                .routes(routes!(files::write_file_stream))
                .layer(DefaultBodyLimit::disable()),
        )
        .merge(e2b::routes())
}

/// Accounts, teams, keys, the trail.
fn people() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(auth::sign_up))
        .routes(routes!(auth::activate))
        .routes(routes!(auth::login))
        .routes(routes!(auth::logout))
        .routes(routes!(auth::switch_team))
        .routes(routes!(me::get_me, me::rename_me, me::delete_me))
        .routes(routes!(me::change_password))
        .routes(routes!(me::forgot_password))
        .routes(routes!(me::reset_password))
        .routes(routes!(me::search_users))
        .routes(routes!(oauth::begin_oauth))
        .routes(routes!(oauth::finish_oauth))
        .routes(routes!(oauth::connect_provider))
        .routes(routes!(oauth::disconnect_provider))
        .routes(routes!(teams::list_teams, teams::create_team))
        .routes(routes!(
            teams::get_team,
            teams::rename_team,
            teams::delete_team
        ))
        .routes(routes!(teams::leave_team))
        .routes(routes!(members::list_members, members::add_member))
        .routes(routes!(members::set_member_role, members::remove_member))
        .routes(routes!(api_keys::create_api_key, api_keys::list_api_keys))
        .routes(routes!(api_keys::revoke_api_key))
        .routes(routes!(audit::list_audit_logs))
        .routes(routes!(audit::list_platform_audit_logs))
        .routes(routes!(admin::list_all_teams))
        .routes(routes!(admin::delete_any_team))
        .routes(routes!(admin::set_team_byoc))
        .routes(routes!(admin::set_team_quota))
        .routes(routes!(admin::list_all_users))
        .routes(routes!(admin::set_user_active))
}

async fn unknown_route(request: Request) -> Response {
    in_dialect(&request, ApiError::not_found("route"))
}

async fn unknown_method(request: Request) -> Response {
    in_dialect(
        &request,
        ApiError::Request {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: ErrorCode::MethodNotAllowed,
            message: "this path does not take this method".to_owned(),
        },
    )
}

/// Whether a path's refusals are in the native dialect; the rest speaks the other.
pub(crate) fn is_native(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/auth/")
}

fn in_dialect(request: &Request, failure: ApiError) -> Response {
    let response = failure.into_response();
    if is_native(request.uri().path()) {
        response
    } else {
        e2b::error::reworded(response)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The router's own list, as it prints itself. `tests/it/methods.rs` asks for the methods.
    #[test]
    fn what_is_served_is_what_is_documented() {
        let (router, document) = (routes(&HttpConfig::default()), spec::document());
        let printed = format!("{router:?}");
        let served: BTreeSet<&str> = printed
            .split('"')
            // All but what catches the rest.
            .filter(|text| text.starts_with('/') && text.len() > 1 && !text.contains("fallback"))
            .collect();
        let documented: BTreeSet<&str> = document.paths.paths.keys().map(String::as_str).collect();
        assert!(documented.len() > 40);
        let extra: Vec<&str> = served.difference(&documented).copied().collect();
        assert_eq!(extra, ["/docs", "/openapi.json", "/openapi.yaml"]);
        let missing: Vec<&str> = documented.difference(&served).copied().collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
