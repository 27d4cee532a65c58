//! Hosts, for people: platform administrators, and the owners and admins of teams that bring their own hosts.

pub(crate) mod agents;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{
    AddHostTagRequest, CreateHostRequest, CreatedHost, Host, HostStatus, HostType, schema,
};
use locule_control::{HostKind, HostState, HostWithToken, NewHost};
use locule_ids::HostId;

use crate::caller::Person;
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath};
use crate::state::AppState;
use crate::times::seconds;

fn host_view(host: locule_control::Host) -> Host {
    let some = |text: String| (!text.is_empty()).then_some(text);
    let number = |number: i32| (number > 0).then_some(number);
    let reported = |field: &str| host.report[field].as_str().map(str::to_owned);
    Host {
        id: host.id,
        kind: match host.kind {
            HostKind::Regular => HostType::Regular,
            HostKind::Byoc => HostType::Byoc,
        },
        team_id: host.team,
        agent_version: reported("agent_version"),
        accelerator: reported("accelerator"),
        team_name: host.team_name,
        provider: some(host.provider),
        availability_zone: some(host.availability_zone),
        arch: some(host.arch),
        cpu_cores: number(host.cpu_cores),
        memory_mb: number(host.memory_mb),
        disk_gb: number(host.disk_gb),
        address: some(host.address),
        status: match host.state {
            HostState::Pending => HostStatus::Pending,
            HostState::Online => HostStatus::Online,
            HostState::Unreachable => HostStatus::Unreachable,
        },
        last_heartbeat_at: host.last_heartbeat_at.map(seconds),
        created_by: host.created_by,
        created_at: seconds(host.created_at),
        updated_at: seconds(host.updated_at),
    }
}

fn created_view(created: HostWithToken) -> (StatusCode, Json<CreatedHost>) {
    let created = CreatedHost {
        host: host_view(created.host),
        registration_token: created.registration_token,
    };
    (StatusCode::CREATED, Json(created))
}

/// Create a host
///
/// Creates a host whose agent registers with the returned token. Hosts of the type `regular` are for platform administrators. A host of
/// the type `byoc` is for a team that may bring its own hosts, and for its owner and admins.
#[utoipa::path(post, path = "/v1/hosts", tag = "hosts", security(("token" = [])),
    request_body = CreateHostRequest,
    responses((status = 201, body = CreatedHost)))]
pub(crate) async fn create_host(
    State(app): State<AppState>,
    Person(person): Person,
    ApiJson(request): ApiJson<CreateHostRequest>,
) -> Result<(StatusCode, Json<CreatedHost>), ApiError> {
    let new = NewHost {
        kind: match request.kind {
            HostType::Regular => HostKind::Regular,
            HostType::Byoc => HostKind::Byoc,
        },
        team: request.team_id,
        provider: request.provider.unwrap_or_default(),
        availability_zone: request.availability_zone.unwrap_or_default(),
    };
    Ok(created_view(app.hosts.create_host(&person, new).await?))
}

/// List hosts
///
/// Returns all hosts to a platform administrator, and to other people the hosts of their team. Oldest first.
#[utoipa::path(get, path = "/v1/hosts", tag = "hosts", security(("token" = [])),
    responses((status = 200, body = Vec<Host>)))]
pub(crate) async fn list_hosts(
    State(app): State<AppState>,
    Person(person): Person,
) -> Result<Json<Vec<Host>>, ApiError> {
    let hosts = app.hosts.list_hosts(&person).await?;
    Ok(Json(hosts.into_iter().map(host_view).collect()))
}

/// Get a host
#[utoipa::path(get, path = "/v1/hosts/{id}", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    responses((status = 200, body = Host), (status = 404)))]
pub(crate) async fn get_host(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
) -> Result<Json<Host>, ApiError> {
    Ok(Json(host_view(app.hosts.get_host(&person, id).await?)))
}

/// Create a registration token
///
/// Creates a new registration token for a host that is pending. Earlier registration tokens of the host become invalid.
#[utoipa::path(post, path = "/v1/hosts/{id}/token", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    responses((status = 201, body = CreatedHost), (status = 404), (status = 409)))]
pub(crate) async fn create_host_token(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
) -> Result<(StatusCode, Json<CreatedHost>), ApiError> {
    Ok(created_view(
        app.hosts.create_host_token(&person, id).await?,
    ))
}

/// List the tags of a host
///
/// In alphabetical order.
#[utoipa::path(get, path = "/v1/hosts/{id}/tags", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    responses((status = 200, body = Vec<String>), (status = 404)))]
pub(crate) async fn list_host_tags(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
) -> Result<Json<Vec<String>>, ApiError> {
    Ok(Json(app.hosts.host_tags(&person, id).await?))
}

/// Add a tag to a host
///
/// Succeeds also if the host has the tag.
#[utoipa::path(post, path = "/v1/hosts/{id}/tags", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    request_body = AddHostTagRequest,
    responses((status = 204), (status = 404), (status = 429)))]
pub(crate) async fn add_host_tag(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
    ApiJson(request): ApiJson<AddHostTagRequest>,
) -> Result<StatusCode, ApiError> {
    app.hosts.add_host_tag(&person, id, &request.tag).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a tag from a host
///
/// Succeeds also if the host does not have the tag.
#[utoipa::path(delete, path = "/v1/hosts/{id}/tags/{tag}", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path), ("tag" = String, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn remove_host_tag(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath((id, tag)): ApiPath<(HostId, String)>,
) -> Result<StatusCode, ApiError> {
    app.hosts.remove_host_tag(&person, id, &tag).await?;
    Ok(StatusCode::NO_CONTENT)
}
