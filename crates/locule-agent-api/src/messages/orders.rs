//! Orders of the control plane about one sandbox, and their form on the wire.

use std::collections::BTreeMap;

use locule_domain::Timeouts;
use locule_ids::{SandboxId, TeamId, TemplateId};

use super::WriteMark;
use super::wire_values::{parse_id, timeouts, unix_ms};
use crate::AgentError;
use crate::proto::hostagent::v1 as wire;

/// What every order of the control plane carries; the whole order where nothing else is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub sandbox: SandboxId,
    /// Grows with each order about this sandbox; a host refuses an order that is older than the last one it carried out.
    pub generation: i64,
    /// Travels as a header beside the message. `None` for an order that does not follow from a row of the database.
    pub write_mark: Option<WriteMark>,
}

/// A sandbox to create.
#[derive(Clone, PartialEq, Eq)]
pub struct SandboxSpec {
    pub order: Order,
    pub team: TeamId,
    pub template: String,
    pub template_id: TemplateId,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_size_mb: u32,
    pub timeouts: Timeouts,
    pub auto_resume: bool,
    pub default_user: String,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// The credential that clients present to the guest agent.
    pub access_token: String,
}

impl std::fmt::Debug for SandboxSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SandboxSpec")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct ResumeSandbox {
    pub order: Order,
    pub timeouts: Timeouts,
    pub access_token: String,
}

impl std::fmt::Debug for ResumeSandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResumeSandbox")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

/// New timeouts for a running sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateSandbox {
    pub order: Order,
    pub timeouts: Timeouts,
}

/// An order as far as its message says it: the write mark travels as a header.
fn order(sandbox_id: &str, generation: i64) -> Result<Order, AgentError> {
    Ok(Order {
        sandbox: parse_id(sandbox_id)?,
        generation,
        write_mark: None,
    })
}

impl From<SandboxSpec> for wire::CreateSandboxRequest {
    fn from(spec: SandboxSpec) -> Self {
        Self {
            template: spec.template,
            vcpus: spec.vcpus,
            memory_mb: spec.memory_mib,
            timeout_sec: spec.timeouts.timeout_sec,
            sandbox_id: spec.order.sandbox.to_string(),
            disk_size_mb: spec.disk_size_mb,
            team_id: spec.team.to_string(),
            template_id: spec.template_id.to_string(),
            default_user: spec.default_user,
            generation: spec.order.generation,
            access_token: spec.access_token,
            expires_at_unix_ms: unix_ms(spec.timeouts.expires_at),
            on_timeout: wire::OnTimeout::from(spec.timeouts.on_timeout).into(),
            auto_resume: spec.auto_resume,
            env: spec.env.into_iter().collect(),
            labels: spec.labels.into_iter().collect(),
            ..Default::default()
        }
    }
}

impl TryFrom<wire::CreateSandboxRequest> for SandboxSpec {
    type Error = AgentError;

    fn try_from(request: wire::CreateSandboxRequest) -> Result<Self, AgentError> {
        Ok(Self {
            order: order(&request.sandbox_id, request.generation)?,
            team: parse_id(&request.team_id)?,
            template: request.template,
            template_id: parse_id(&request.template_id)?,
            vcpus: request.vcpus,
            memory_mib: request.memory_mb,
            disk_size_mb: request.disk_size_mb,
            timeouts: timeouts(
                request.timeout_sec,
                request.expires_at_unix_ms,
                request.on_timeout,
            )?,
            auto_resume: request.auto_resume,
            default_user: request.default_user,
            env: request.env.into_iter().collect(),
            labels: request.labels.into_iter().collect(),
            access_token: request.access_token,
        })
    }
}

macro_rules! orders {
    ($($message:ident),*) => { $(
        impl From<Order> for wire::$message {
            fn from(order: Order) -> Self {
                Self { sandbox_id: order.sandbox.to_string(), generation: order.generation, ..Default::default() }
            }
        }

        impl TryFrom<wire::$message> for Order {
            type Error = AgentError;

            fn try_from(request: wire::$message) -> Result<Self, AgentError> {
                order(&request.sandbox_id, request.generation)
            }
        }
    )* };
}

orders!(DestroySandboxRequest, PauseSandboxRequest);

impl From<ResumeSandbox> for wire::ResumeSandboxRequest {
    fn from(resume: ResumeSandbox) -> Self {
        Self {
            sandbox_id: resume.order.sandbox.to_string(),
            timeout_sec: resume.timeouts.timeout_sec,
            generation: resume.order.generation,
            access_token: resume.access_token,
            expires_at_unix_ms: unix_ms(resume.timeouts.expires_at),
            on_timeout: wire::OnTimeout::from(resume.timeouts.on_timeout).into(),
            ..Default::default()
        }
    }
}

impl TryFrom<wire::ResumeSandboxRequest> for ResumeSandbox {
    type Error = AgentError;

    fn try_from(request: wire::ResumeSandboxRequest) -> Result<Self, AgentError> {
        Ok(Self {
            order: order(&request.sandbox_id, request.generation)?,
            timeouts: timeouts(
                request.timeout_sec,
                request.expires_at_unix_ms,
                request.on_timeout,
            )?,
            access_token: request.access_token,
        })
    }
}

impl From<UpdateSandbox> for wire::UpdateSandboxRequest {
    fn from(update: UpdateSandbox) -> Self {
        Self {
            sandbox_id: update.order.sandbox.to_string(),
            timeout_sec: update.timeouts.timeout_sec,
            generation: update.order.generation,
            expires_at_unix_ms: unix_ms(update.timeouts.expires_at),
            on_timeout: wire::OnTimeout::from(update.timeouts.on_timeout).into(),
            ..Default::default()
        }
    }
}

impl TryFrom<wire::UpdateSandboxRequest> for UpdateSandbox {
    type Error = AgentError;

    fn try_from(request: wire::UpdateSandboxRequest) -> Result<Self, AgentError> {
        Ok(Self {
            order: order(&request.sandbox_id, request.generation)?,
            timeouts: timeouts(
                request.timeout_sec,
                request.expires_at_unix_ms,
                request.on_timeout,
            )?,
        })
    }
}
