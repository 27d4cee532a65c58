//! Hosts, for people: platform administrators, and the owners and admins of teams that bring their own hosts.

pub(crate) mod agents;
pub(crate) mod images;
pub(crate) mod listener;
pub(crate) mod quarantine;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{
    AddHostTagRequest, CreateHostRequest, CreatedHost, DrainHostRequest, DrainedHost, Host,
    HostDeletePreview, HostDrain, HostSandbox, HostStatus, HostType, UpdateHostRequest, schema,
};
use locule_control::{Drain, HostKind, HostState, HostWithToken, ListedHost, Load, NewHost};
use locule_ids::HostId;

use crate::caller::Person;
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::sandboxes::view::status;
use crate::state::AppState;
use crate::times::seconds;

/// A host whose load is not read: a host that is pending has none.
fn host_view(host: locule_control::Host) -> Host {
    let load = Load::default();
    listed_view(ListedHost { host, load })
}

fn listed_view(ListedHost { host, load }: ListedHost) -> Host {
    let some = |text: String| (!text.is_empty()).then_some(text);
    let number = |number: i32| (number > 0).then_some(number);
    let reported = |field: &str| host.report[field].as_str().map(str::to_owned);
    let measured = |field: &str| host.report[field].as_i64();
    Host {
        id: host.id,
        kind: match host.kind {
            HostKind::Regular => HostType::Regular,
            HostKind::Byoc => HostType::Byoc,
        },
        team_id: host.team,
        agent_version: reported("agent_version"),
        accelerator: reported("accelerator"),
        cordoned: host.cordoned,
        drain: host.drain.map(|drain| match drain {
            Drain::Pause => HostDrain::Pause,
            Drain::Wait => HostDrain::Wait,
        }),
        running_sandboxes: load.running,
        paused_sandboxes: load.paused,
        reserved_memory_mb: load.running_memory_mib,
        free_memory_mb: measured("free_memory_mib"),
        pool_free_bytes: measured("pool_free_bytes"),
        team_name: host.team_name,
        provider: some(host.provider),
        availability_zone: some(host.availability_zone),
        arch: some(host.arch),
        cpu_cores: number(host.cpu_cores),
        memory_mb: number(host.memory_mib),
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

fn created_view(app: &AppState, created: HostWithToken) -> (StatusCode, Json<CreatedHost>) {
    let config = app.hosts.config();
    let created = CreatedHost {
        host: host_view(created.host),
        registration_token: created.registration_token,
        ca_hash: config.certificates.pin().to_string(),
        hosts_url: config.url.clone(),
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
    let created = app.hosts.create_host(&person, new).await?;
    Ok(created_view(&app, created))
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
    Ok(Json(hosts.into_iter().map(listed_view).collect()))
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
    Ok(Json(listed_view(app.hosts.get_host(&person, id).await?)))
}

fn sandbox_view(held: locule_control::HostSandbox) -> HostSandbox {
    let number = |value: i32| u32::try_from(value).unwrap_or(0);
    HostSandbox {
        id: held.id,
        status: status(held.state),
        team_id: held.team,
        team_name: Some(held.team_name),
        template: held.template,
        vcpus: number(held.vcpus),
        memory_mb: number(held.memory_mib),
        disk_size_mb: number(held.disk_size_mb),
        created_at: seconds(held.created_at),
    }
}

fn sandboxes_view(held: Vec<locule_control::HostSandbox>) -> Vec<HostSandbox> {
    held.into_iter().map(sandbox_view).collect()
}

/// Change a host
///
/// Cordons or uncordons the host. New sandboxes are placed on hosts that are not cordoned. Uncordoning also ends a drain.
#[utoipa::path(patch, path = "/v1/hosts/{id}", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    request_body = UpdateHostRequest,
    responses((status = 200, body = Host), (status = 404)))]
pub(crate) async fn update_host(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
    ApiJson(request): ApiJson<UpdateHostRequest>,
) -> Result<Json<Host>, ApiError> {
    let host = app.hosts.cordon_host(&person, id, request.cordoned).await?;
    Ok(Json(listed_view(host)))
}

/// Drain a host
///
/// Cordons the host, so that no sandbox is placed or resumed there, and pauses its running sandboxes or waits until they end. Returns
/// the sandboxes that the host holds at this moment: the pauses go on after the response. Paused sandboxes stay on the host.
#[utoipa::path(post, path = "/v1/hosts/{id}/drain", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    request_body = DrainHostRequest,
    responses((status = 200, body = DrainedHost), (status = 404)))]
pub(crate) async fn drain_host(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
    ApiJson(request): ApiJson<DrainHostRequest>,
) -> Result<Json<DrainedHost>, ApiError> {
    let drain = match request.running {
        HostDrain::Pause => Drain::Pause,
        HostDrain::Wait => Drain::Wait,
    };
    let held = app.hosts.drain_host(&person, id, drain).await?;
    Ok(Json(DrainedHost {
        host: listed_view(held.host),
        sandboxes: sandboxes_view(held.sandboxes),
    }))
}

/// List the sandboxes on a host
///
/// Lists the sandboxes that the host holds, in the order of their ids: those that start, run, are paused or are missing.
#[utoipa::path(get, path = "/v1/hosts/{id}/sandboxes", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    responses((status = 200, body = Vec<HostSandbox>), (status = 404)))]
pub(crate) async fn list_host_sandboxes(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
) -> Result<Json<Vec<HostSandbox>>, ApiError> {
    let held = app.hosts.host_sandboxes(&person, id).await?;
    Ok(Json(sandboxes_view(held.sandboxes)))
}

/// Preview the delete of a host
///
/// Lists the sandboxes that a forced delete of the host ends.
#[utoipa::path(get, path = "/v1/hosts/{id}/delete-preview", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    responses((status = 200, body = HostDeletePreview), (status = 404)))]
pub(crate) async fn preview_host_delete(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
) -> Result<Json<HostDeletePreview>, ApiError> {
    let held = app.hosts.preview_delete(&person, id).await?;
    let sandboxes = sandboxes_view(held.sandboxes);
    Ok(Json(HostDeletePreview {
        host: listed_view(held.host),
        sandbox_ids: sandboxes.iter().map(|sandbox| sandbox.id).collect(),
        sandboxes,
    }))
}

/// How a host is deleted.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct DeleteQuery {
    #[serde(default)]
    force: bool,
}

/// Delete a host
///
/// Refused while the host holds sandboxes, also paused ones, unless `force` is `true`: then the sandboxes end with the host, and their
/// files are removed if the host agent can be reached. An agent that cannot be reached pauses its sandboxes and keeps their files.
#[utoipa::path(delete, path = "/v1/hosts/{id}", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path), ("force" = Option<bool>, Query)),
    responses((status = 204), (status = 404), (status = 409)))]
pub(crate) async fn delete_host(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
    ApiQuery(query): ApiQuery<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    app.hosts.delete_host(&person, id, query.force).await?;
    Ok(StatusCode::NO_CONTENT)
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
    let created = app.hosts.create_host_token(&person, id).await?;
    Ok(created_view(&app, created))
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
