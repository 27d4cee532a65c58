//! What host agents call: registration, new credentials, heartbeats.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use locule_api::{HostCredentials, HostHeartbeat, RefreshHostRequest, RegisterHostRequest, schema};
use locule_control::{HostAddress, HostTemplate, Machine, NewRegistration};
use locule_ids::HostId;

use super::host_view;
use crate::address::{Registrations, Within};
use crate::caller::{HostCaller, MaybeHostCaller};
use crate::error::ApiError;
use crate::extract::{ApiJson, ApiPath};
use crate::need::Public;
use crate::state::AppState;

fn credentials_view(issued: locule_control::HostCredentials) -> HostCredentials {
    let (cert_pem, ca_cert_pem) = issued
        .certified
        .map(|certified| (certified.cert_pem, certified.ca_cert_pem))
        .unzip();
    HostCredentials {
        host: host_view(issued.host),
        token: issued.token,
        refresh_token: issued.refresh_token,
        cert_pem,
        ca_cert_pem,
    }
}

fn address(text: &str) -> Result<HostAddress, ApiError> {
    text.parse()
        .map_err(|error: locule_control::Invalid| ApiError::invalid(error.to_string()))
}

fn size(field: &str, value: Option<i32>) -> Result<i32, ApiError> {
    match value.unwrap_or(0) {
        value if value < 0 => Err(ApiError::invalid(format!("{field} must be 0 or more"))),
        value => Ok(value),
    }
}

/// Register a host agent
///
/// Uses the registration token of a pending host, and returns the credentials of the host agent. The host is `online` after its first
/// heartbeat, for which the control plane calls the host agent at its address. A host agent on another machine sends a certificate
/// signing request, and gets the certificate by which the control plane knows the host.
#[utoipa::path(post, path = "/v1/hosts/register", tag = "hosts", security(()),
    request_body = RegisterHostRequest,
    responses((status = 201, body = HostCredentials), (status = 401), (status = 404), (status = 409), (status = 429)))]
pub(crate) async fn register_host(
    State(app): State<AppState>,
    _: Public,
    _: Within<Registrations>,
    ApiJson(request): ApiJson<RegisterHostRequest>,
) -> Result<(StatusCode, Json<HostCredentials>), ApiError> {
    let new = NewRegistration {
        address: address(&request.address)?,
        machine: Machine {
            arch: request.arch.unwrap_or_default(),
            cpu_cores: size("cpu_cores", request.cpu_cores)?,
            memory_mib: size("memory_mb", request.memory_mb)?,
            disk_gb: size("disk_gb", request.disk_gb)?,
        },
        token: request.token,
        csr_pem: request.csr_pem,
    };
    let issued = app.hosts.register(new).await?;
    Ok((StatusCode::CREATED, Json(credentials_view(issued))))
}

/// Refresh the credentials of a host agent
///
/// Returns new credentials for a refresh token, which is revoked. A host agent that did not receive the response sends the request
/// again, with the access token that it still has.
#[utoipa::path(post, path = "/v1/hosts/auth/refresh", tag = "hosts", security(()),
    request_body = RefreshHostRequest,
    responses((status = 200, body = HostCredentials), (status = 401), (status = 429)))]
pub(crate) async fn refresh_host(
    State(app): State<AppState>,
    _: Public,
    _: Within<Registrations>,
    MaybeHostCaller(agent): MaybeHostCaller,
    ApiJson(request): ApiJson<RefreshHostRequest>,
) -> Result<Json<HostCredentials>, ApiError> {
    let csr_pem = request.csr_pem.as_deref();
    let issued = app.hosts.refresh(&request.refresh_token, csr_pem, agent);
    let issued = issued.await?;
    Ok(Json(credentials_view(issued)))
}

/// Send a heartbeat
///
/// For the agent of the host. The error code `host_deleted` says that the host was deleted: the host agent pauses its sandboxes, keeps
/// their files and exits.
#[utoipa::path(post, path = "/v1/hosts/{id}/heartbeat", tag = "hosts", security(("host_token" = [])),
    params(("id" = schema::HostId, Path)),
    request_body = HostHeartbeat,
    responses((status = 204), (status = 404), (status = 409)))]
pub(crate) async fn send_heartbeat(
    State(app): State<AppState>,
    HostCaller(agent): HostCaller,
    ApiPath(id): ApiPath<HostId>,
    ApiJson(request): ApiJson<HostHeartbeat>,
) -> Result<StatusCode, ApiError> {
    let heartbeat = locule_control::Heartbeat {
        address: request.address.as_deref().map(address).transpose()?,
        agent_version: request.agent_version,
        protocol: request.protocol,
        accelerator: request.accelerator,
        boot_id: request.boot_id,
        free_memory_mib: request.free_memory_mib,
        pool_free_bytes: request.pool_free_bytes,
        templates: request
            .templates
            .into_iter()
            .map(|template| HostTemplate {
                name: template.name,
                sha256: template.sha256,
            })
            .collect(),
        inventory_hash: request.inventory_hash,
    };
    app.hosts.heartbeat(agent, id, &heartbeat).await?;
    Ok(StatusCode::NO_CONTENT)
}
