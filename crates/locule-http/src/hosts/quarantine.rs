//! Sandboxes on a host that are not in the database, and a database that went back in time.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{
    Host, HostSandbox, ImportSandboxRequest, QuarantinedSandbox, SandboxStatus, schema,
};
use locule_ids::{HostId, SandboxId};

use super::{listed_view, sandbox_view};
use crate::caller::Person;
use crate::error::ApiError;
use crate::extract::{ApiPath, OptionalJson};
use crate::state::AppState;
use crate::times::seconds;

fn quarantined_view(held: locule_control::QuarantinedSandbox) -> QuarantinedSandbox {
    QuarantinedSandbox {
        id: held.id,
        status: if held.is_running {
            SandboxStatus::Running
        } else {
            SandboxStatus::Paused
        },
        team_id: held.team,
        team_name: held.team_name,
        template: held.template,
        vcpus: held.vcpus,
        memory_mb: held.memory_mib,
        disk_size_mb: held.disk_size_mb,
        stored_bytes: held
            .stored_bytes
            .and_then(|bytes| i64::try_from(bytes).ok()),
        created_at: seconds(held.created_at),
        last_active_at: held.last_active_at.map(seconds),
    }
}

/// List the quarantine of a host
///
/// Lists the sandboxes that the host holds and that are not in the database, in the order of their ids: a backup was restored that is
/// older than they are. The platform pauses and keeps them until they are imported.
#[utoipa::path(get, path = "/v1/hosts/{id}/quarantine", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    responses((status = 200, body = Vec<QuarantinedSandbox>), (status = 404), (status = 502)))]
pub(crate) async fn list_host_quarantine(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
) -> Result<Json<Vec<QuarantinedSandbox>>, ApiError> {
    let held = app.hosts.quarantine(&person, id).await?;
    Ok(Json(held.into_iter().map(quarantined_view).collect()))
}

/// Import a sandbox
///
/// Adds a sandbox that the host holds to the database, from what the host has of the sandbox. Afterwards the sandbox is paused, and its
/// ports are private. A host that a team brings gets sandboxes of this team only.
#[utoipa::path(post, path = "/v1/hosts/{id}/quarantine/{sandbox_id}/import", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path), ("sandbox_id" = schema::SandboxId, Path)),
    request_body = Option<ImportSandboxRequest>,
    responses((status = 201, body = HostSandbox), (status = 404), (status = 409), (status = 502)))]
pub(crate) async fn import_sandbox(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath((id, sandbox)): ApiPath<(HostId, SandboxId)>,
    OptionalJson(request): OptionalJson<ImportSandboxRequest>,
) -> Result<(StatusCode, Json<HostSandbox>), ApiError> {
    let imported = app
        .hosts
        .import_sandbox(&person, id, sandbox, request.team_id)
        .await?;
    Ok((StatusCode::CREATED, Json(sandbox_view(imported))))
}

/// Accept the database
///
/// Makes the host accept the platform's database although the host has seen later writes, or those of another database: a backup was
/// restored. The platform then compares the sandboxes on the host with the database again, and pauses and keeps those that are not in it.
/// For platform administrators.
#[utoipa::path(post, path = "/v1/hosts/{id}/accept-database", tag = "hosts", security(("token" = [])),
    params(("id" = schema::HostId, Path)),
    responses((status = 200, body = Host), (status = 404), (status = 409), (status = 502)))]
pub(crate) async fn accept_database(
    State(app): State<AppState>,
    Person(person): Person,
    ApiPath(id): ApiPath<HostId>,
) -> Result<Json<Host>, ApiError> {
    let accepted = app.hosts.accept_database(&person, id).await?;
    Ok(Json(listed_view(accepted)))
}
