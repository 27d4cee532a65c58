//! All routes, and the layers around them.

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};
use http::{HeaderName, HeaderValue, StatusCode, header};
use locule_api::ErrorCode;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use utoipa_axum::router::OpenApiRouter;

use crate::cross_origin;
use crate::dashboard;
use crate::destination;
use crate::dialect::in_dialect;
use crate::error::ApiError;
use crate::exec::{self, stream};
use crate::need::operation;
use crate::running::cut_off_when_revoked;
use crate::sandboxes;
use crate::state::{AppState, HttpConfig};
use crate::teams::members;
use crate::{
    admin, api_keys, audit, auth, docs, e2b, events, files, gateway, health, hosts, info, me,
    oauth, ports, processes, pty, sessions, spec, teams,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The application.
pub fn router(state: AppState) -> Router {
    let json_bytes_max = state.config.json_bytes_max;
    let api = routes(&state.config)
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(json_bytes_max))
        .layer(middleware::from_fn(cut_off_when_revoked))
        .layer(cross_origin::layer(state.config.names.clone()))
        .with_state(state.clone());
    // These layers are on an outer router, so that they handle a request before the request is routed.
    Router::new()
        .fallback_service(api)
        .layer(middleware::from_fn_with_state(
            state.clone(),
            gateway::gateway,
        ))
        .layer(middleware::from_fn_with_state(state, destination::check))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

/// Everything that is served except the ports of sandboxes, whose requests the gateway forwards.
fn routes(config: &HttpConfig) -> Router<AppState> {
    let (api, _) = api(config).split_for_parts();
    api.layer(middleware::map_response(not_stored))
        .route("/docs", get(docs::docs))
        .route("/openapi.json", get(spec::as_json))
        .route("/openapi.yaml", get(spec::as_yaml))
}

/// Keeps what one caller is told out of caches, whether they know the caller's credential or not.
async fn not_stored(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-store"));
    response
}

pub(crate) fn api(config: &HttpConfig) -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(spec::base())
        .routes(operation!(health::get_health))
        .routes(operation!(info::get_info))
        .merge(accounts().layer(DefaultBodyLimit::max(config.account_json_bytes_max)))
        .routes(operation!(sandboxes::create_sandbox))
        .routes(operation!(sandboxes::list::list_sandboxes))
        .routes(operation!(sandboxes::get_sandbox))
        .routes(operation!(sandboxes::update::update_sandbox))
        .routes(operation!(sandboxes::destroy_sandbox))
        .routes(operation!(sandboxes::clock::get_clock))
        .routes(operation!(sandboxes::ping_sandbox))
        .routes(operation!(sandboxes::pause_sandbox))
        .routes(operation!(sandboxes::resume_sandbox))
        .routes(operation!(sandboxes::limits::get_limits))
        .routes(operation!(exec::exec))
        .routes(operation!(stream::exec_stream))
        .routes(operation!(pty::pty))
        .routes(operation!(processes::list_processes))
        .routes(operation!(processes::kill_process))
        .routes(operation!(stream::process_stream))
        .routes(operation!(files::read_file))
        .routes(operation!(files::read_file_stream))
        .routes(operation!(files::list_files))
        .routes(operation!(files::make_directory))
        .routes(operation!(files::move_file))
        .routes(operation!(files::stat_file))
        .routes(operation!(files::sign::sign_file))
        .routes(operation!(files::remove_file))
        .routes(operation!(ports::list_ports))
        .routes(operation!(ports::link_port))
        .routes(operation!(events::follow_events))
        .merge(
            OpenApiRouter::new()
                .routes(operation!(files::write_file))
                .layer(DefaultBodyLimit::max(config.file_bytes_max)),
        )
        .merge(
            OpenApiRouter::new()
                .routes(operation!(files::write_file_stream))
                .layer(DefaultBodyLimit::disable()),
        )
        .merge(e2b::routes())
}

/// Operations on accounts, teams, API keys, hosts and audit logs.
fn accounts() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(operation!(auth::sign_up))
        .routes(operation!(auth::activate))
        .routes(operation!(auth::login))
        .routes(operation!(auth::renew))
        .routes(operation!(auth::logout))
        .routes(operation!(auth::switch_team))
        .routes(operation!(me::get_me))
        .routes(operation!(sessions::list_sessions))
        .routes(operation!(sessions::end_session))
        .routes(operation!(sessions::end_other_sessions))
        .routes(operation!(me::rename_me))
        .routes(operation!(me::delete_me))
        .routes(operation!(me::change_password))
        .routes(operation!(me::forgot_password))
        .routes(operation!(me::reset_password))
        .routes(operation!(me::search_users))
        .routes(operation!(oauth::begin_oauth))
        .routes(operation!(oauth::finish_oauth))
        .routes(operation!(oauth::connect_provider))
        .routes(operation!(oauth::disconnect_provider))
        .routes(operation!(teams::list_teams))
        .routes(operation!(teams::create_team))
        .routes(operation!(teams::get_team))
        .routes(operation!(teams::rename_team))
        .routes(operation!(teams::delete_team))
        .routes(operation!(teams::leave_team))
        .routes(operation!(members::list_members))
        .routes(operation!(members::add_member))
        .routes(operation!(members::accept_invitation))
        .routes(operation!(members::set_member_role))
        .routes(operation!(members::remove_member))
        .routes(operation!(api_keys::create_api_key))
        .routes(operation!(api_keys::list_api_keys))
        .routes(operation!(api_keys::revoke_api_key))
        .routes(operation!(audit::list_audit_logs))
        .routes(operation!(audit::get_audit_log))
        .routes(operation!(audit::list_platform_audit_logs))
        .routes(operation!(audit::get_platform_audit_log))
        .routes(operation!(hosts::create_host))
        .routes(operation!(hosts::list_hosts))
        .routes(operation!(hosts::get_host))
        .routes(operation!(hosts::update_host))
        .routes(operation!(hosts::delete_host))
        .routes(operation!(hosts::preview_host_delete))
        .routes(operation!(hosts::drain_host))
        .routes(operation!(hosts::list_host_sandboxes))
        .routes(operation!(hosts::quarantine::list_host_quarantine))
        .routes(operation!(hosts::quarantine::import_sandbox))
        .routes(operation!(hosts::quarantine::accept_database))
        .routes(operation!(hosts::create_host_token))
        .routes(operation!(hosts::list_host_tags))
        .routes(operation!(hosts::add_host_tag))
        .routes(operation!(hosts::remove_host_tag))
        .merge(hosts::listener::operations())
        .routes(operation!(admin::list_all_teams))
        .routes(operation!(admin::delete_any_team))
        .routes(operation!(admin::set_team_byoc))
        .routes(operation!(admin::get_team_quota))
        .routes(operation!(admin::set_team_quota))
        .routes(operation!(admin::list_all_users))
        .routes(operation!(admin::list_tasks))
        .routes(operation!(admin::sandboxes::list_all_sandboxes))
        .routes(operation!(admin::set_user_active))
}

async fn unknown_route(State(app): State<AppState>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    if let Some(page) = dashboard::answer(&request) {
        return page;
    }
    if let Some(refusal) = e2b::unbuilt::refused(&app, &request).await {
        return refusal;
    }
    in_dialect(request.uri.path(), ApiError::not_found("route"))
}

async fn unknown_method(State(app): State<AppState>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    if let Some(refusal) = e2b::unbuilt::refused(&app, &request).await {
        return refusal;
    }
    in_dialect(
        request.uri.path(),
        ApiError::Request {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: ErrorCode::MethodNotAllowed,
            message: "the path does not support the method; see /docs for its methods".to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Reads the paths from the router's `Debug` output. `tests/it/methods.rs` checks the methods.
    #[test]
    fn the_served_paths_are_the_documented_paths() {
        let (router, document) = (routes(&HttpConfig::default()), spec::document());
        let printed = format!("{router:?}");
        let served: BTreeSet<&str> = printed
            .split('"')
            // All paths except the fallback.
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
