//! The ports of a sandbox: on which of them programs listen, and the addresses that lead there.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::header;
use http::request::Parts;
use locule_api::{ListeningPort, PortLink, PortList, schema};
use locule_edge::GUEST_PORT;
use locule_ids::SandboxId;
use serde::Deserialize;

use crate::caller::{MayUse, Read};
use crate::error::ApiError;
use crate::extract::{ApiPath, Id};
use crate::gateway::link;
use crate::need::Parameter;
use crate::running::{Running, running_or_paused};
use crate::state::AppState;
use crate::times::seconds;

/// In the address pattern of a sandbox's ports, the place of the number.
const PLACE: &str = "{port}";

/// How the client of a request reaches the platform, and from that the ports of sandboxes.
#[derive(Debug)]
pub(crate) struct Reach {
    /// The origin of the API. `None`: the request has no `Host`.
    api: Option<String>,
    /// The scheme and domain of ports' host names. `None`: no such name leads to the platform.
    ports: Option<(&'static str, String)>,
}

impl Parameter for Reach {}

impl FromRequestParts<AppState> for Reach {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let host = parts.headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        let names = &app.config.names;
        let scheme = |host: &str| {
            if names.is_secure(host) {
                "https"
            } else {
                "http"
            }
        };
        Ok(Self {
            api: host.map(|host| format!("{}://{host}", scheme(host))),
            ports: names
                .answered_port_domain(host)
                .map(|domain| (scheme(&domain), domain)),
        })
    }
}

impl Reach {
    /// The origin of a port, by the host name of its own.
    pub(crate) fn port(&self, sandbox: SandboxId, port: impl std::fmt::Display) -> Option<String> {
        let (scheme, domain) = self.ports.as_ref()?;
        Some(format!("{scheme}://{port}-{sandbox}.{domain}"))
    }

    /// The origin of the API.
    pub(crate) fn api(&self) -> Option<&str> {
        self.api.as_deref()
    }
}

/// List listening ports
///
/// Returns the TCP ports on which programs of the sandbox listen, without the guest agent's. Asks the guest agent, which counts as activity of the sandbox. What the guest agent answers is as trustworthy as the programs in the sandbox.
#[utoipa::path(get, path = "/v1/sandboxes/{id}/ports", tag = "ports", params(("id" = schema::SandboxId, Path)),
    responses((status = 200, body = PortList)))]
pub(crate) async fn list_ports(
    State(app): State<AppState>,
    running: Running<Read>,
    reach: Reach,
) -> Result<Json<PortList>, ApiError> {
    let listeners = running.guest.list_ports().await?;
    app.sandboxes.touch(running.id).await.ok();
    let url_pattern = reach.port(running.id, PLACE);
    let ports = listeners.into_iter().map(|listener| ListeningPort {
        port: listener.port,
        address: listener.address,
        pid: listener.pid,
        process: listener.process,
        url: reach.port(running.id, listener.port),
    });
    Ok(Json(PortList {
        ports: ports.collect(),
        url_pattern,
    }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct PortPath {
    port: String,
}

/// Link to a port
///
/// Returns an address that opens the port of a private sandbox in a browser: it works once, within 60 seconds. The browser keeps a cookie that opens this port of this sandbox to the pages of the port's own host name for 8 hours at most, and no longer than the caller has its right. Programs in the sandbox see neither the address nor the cookie. Responds with 400 where ports have no host names, which `url_pattern` of the list of ports tells, and for the guest agent's port 49983.
#[utoipa::path(post, path = "/v1/sandboxes/{id}/ports/{port}/link", tag = "ports",
    params(("id" = schema::SandboxId, Path), ("port" = schema::Port, Path)),
    responses((status = 200, body = PortLink)))]
pub(crate) async fn link_port(
    State(app): State<AppState>,
    caller: MayUse,
    Id(id): Id,
    ApiPath(path): ApiPath<PortPath>,
    reach: Reach,
) -> Result<Json<PortLink>, ApiError> {
    let sandbox = running_or_paused(&app, &caller, id).await?;
    let port = path.port.parse().ok();
    let port = port.filter(|port| ![0, GUEST_PORT].contains(port));
    let port = port.ok_or_else(|| {
        ApiError::invalid("the port must be a number from 1 to 65535, and not 49983")
    })?;
    let origin = reach.port(id, port).ok_or_else(|| {
        ApiError::invalid("ports have no host names here; the operator sets a sandbox domain, or the platform is reached at a loopback name")
    })?;
    let made = app
        .sandboxes
        .link_to_port(&caller.0, &sandbox, port)
        .await?;
    Ok(Json(PortLink {
        url: link::url(&origin, &made.token),
        expires_at: seconds(made.expires_at),
    }))
}
