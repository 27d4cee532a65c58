//! Sandboxes in the format of this dialect.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use chrono::{DateTime, TimeDelta, Utc};
use http::header;
use http::request::Parts;
use locule_api::OnTimeout;
use locule_api::e2b::{
    CLIENT_ID, Lifecycle, ListedSandbox, Network, Sandbox, SandboxDetail, SandboxState,
};
use locule_control::Caller;
use locule_domain as domain;
use locule_edge::ENVD_VERSION;

use crate::error::ApiError;
use crate::need::Parameter;
use crate::state::AppState;

/// The field `endAt` is required: a sandbox without an expiry is shown with an end this far after its start.
const NO_EXPIRY: TimeDelta = TimeDelta::days(365);

/// The caller's tokens for a sandbox's ports, and the domain of the ports' host names.
pub(super) struct Tokens {
    envd: String,
    traffic: Option<String>,
    domain: Option<String>,
}

impl Tokens {
    /// From then on the tokens are accepted at the ports.
    pub(super) async fn of(
        app: &AppState,
        caller: &Caller,
        sandbox: &domain::Sandbox,
        PortDomain(domain): PortDomain,
    ) -> Result<Self, ApiError> {
        let tokens = app.sandboxes.client_tokens(caller, sandbox).await?;
        Ok(Self {
            envd: tokens.access,
            traffic: (!sandbox.public_traffic).then_some(tokens.traffic),
            domain,
        })
    }
}

/// The domain under which an SDK forms the host names of ports: that of the operator, or the address at which the client has
/// reached the platform. Without a domain, an SDK would use another company's.
#[derive(Debug, Clone)]
pub(crate) struct PortDomain(Option<String>);

impl Parameter for PortDomain {}

impl FromRequestParts<AppState> for PortDomain {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let host = parts.headers.get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        Ok(Self(app.config.names.domain_of_ports(host)))
    }
}

pub(super) fn created(sandbox: &domain::Sandbox, tokens: Tokens) -> Sandbox {
    Sandbox {
        template_id: template(sandbox),
        sandbox_id: sandbox.id.base36(),
        client_id: CLIENT_ID.to_owned(),
        envd_version: ENVD_VERSION.to_owned(),
        envd_access_token: Some(tokens.envd),
        traffic_access_token: tokens.traffic,
        domain: tokens.domain,
        alias: Some(template(sandbox)),
    }
}

/// The template name of this dialect: `minimal` is called `base`.
fn template(sandbox: &domain::Sandbox) -> String {
    match sandbox.template.as_str() {
        "minimal" => "base".to_owned(),
        other => other.to_owned(),
    }
}

/// The native name of a template of this dialect.
pub(super) fn template_name(template: &str) -> &str {
    if template == "base" {
        "minimal"
    } else {
        template
    }
}

/// `None` for a sandbox that has ended, which this dialect does not show.
fn state(sandbox: &domain::Sandbox) -> Option<SandboxState> {
    match sandbox.state {
        domain::SandboxState::Pending
        | domain::SandboxState::Starting
        | domain::SandboxState::Running
        | domain::SandboxState::Missing => Some(SandboxState::Running),
        domain::SandboxState::Paused => Some(SandboxState::Paused),
        domain::SandboxState::Stopped { .. } | domain::SandboxState::Error { .. } => None,
    }
}

pub(super) fn listed(sandbox: &domain::Sandbox) -> Option<ListedSandbox> {
    let started_at = sandbox.started_at.unwrap_or(sandbox.created_at);
    Some(ListedSandbox {
        template_id: template(sandbox),
        sandbox_id: sandbox.id.base36(),
        client_id: CLIENT_ID.to_owned(),
        started_at,
        end_at: end_at(sandbox, started_at),
        envd_version: ENVD_VERSION.to_owned(),
        cpu_count: sandbox.vcpus,
        memory_mb: sandbox.memory_mib,
        disk_size_mb: sandbox.disk_size_mb,
        state: state(sandbox)?,
        alias: Some(template(sandbox)),
        metadata: Some(sandbox.labels.clone()),
    })
}

fn end_at(sandbox: &domain::Sandbox, started_at: DateTime<Utc>) -> DateTime<Utc> {
    sandbox
        .timeouts
        .expires_at
        .unwrap_or(started_at + NO_EXPIRY)
}

/// The sandbox as in a list. A sandbox that has ended is not found in this dialect.
pub(super) fn listed_unless_ended(sandbox: &domain::Sandbox) -> Result<ListedSandbox, ApiError> {
    listed(sandbox).ok_or_else(|| ApiError::not_found("sandbox"))
}

pub(super) fn detail(
    listed: ListedSandbox,
    sandbox: &domain::Sandbox,
    tokens: Option<Tokens>,
) -> SandboxDetail {
    let (envd_access_token, domain) =
        tokens.map_or((None, None), |tokens| (Some(tokens.envd), tokens.domain));
    SandboxDetail {
        listed,
        envd_access_token,
        domain,
        // The only part of the network configuration that takes effect.
        network: Network {
            allow_public_traffic: Some(sandbox.public_traffic),
            ..Network::default()
        },
        lifecycle: Lifecycle {
            on_timeout: match sandbox.timeouts.on_timeout {
                domain::OnTimeout::Kill => OnTimeout::Kill,
                domain::OnTimeout::Pause => OnTimeout::Pause,
            },
            auto_resume: sandbox.auto_resume,
        },
    }
}
