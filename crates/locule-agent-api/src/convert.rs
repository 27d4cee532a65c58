//! Between the wire's messages and ours: texts become ids and times here, and nowhere else.

mod host;

use std::str::FromStr;

use chrono::{DateTime, Utc};
use locule_domain::{OnTimeout, Timeouts};

use crate::AgentError;
use crate::messages::{
    Order, ReportedState, ResumeSandbox, SandboxReport, SandboxSpec, UpdateSandbox,
};
use crate::proto::hostagent::v1 as wire;

/// Parses an id. An empty text is an error like any other malformed id, never the zero id (W-031).
pub(crate) fn parse_id<T: FromStr<Err = locule_ids::ParseIdError>>(
    text: &str,
) -> Result<T, AgentError> {
    text.parse()
        .map_err(|error: locule_ids::ParseIdError| AgentError::InvalidArgument(error.to_string()))
}

fn time(unix_ms: i64) -> Result<Option<DateTime<Utc>>, AgentError> {
    if unix_ms == 0 {
        return Ok(None);
    }
    let time = DateTime::from_timestamp_millis(unix_ms);
    time.map(Some).ok_or_else(|| {
        AgentError::InvalidArgument("a time of the message is out of range".to_owned())
    })
}

fn unix_ms(time: Option<DateTime<Utc>>) -> i64 {
    time.map_or(0, |time| time.timestamp_millis())
}

fn timeouts(
    timeout_sec: u32,
    expires_at_unix_ms: i64,
    on_timeout: buffa::EnumValue<wire::OnTimeout>,
) -> Result<Timeouts, AgentError> {
    let on_timeout = match on_timeout.as_known() {
        Some(wire::OnTimeout::ON_TIMEOUT_KILL | wire::OnTimeout::ON_TIMEOUT_UNSPECIFIED) => {
            OnTimeout::Kill
        }
        Some(wire::OnTimeout::ON_TIMEOUT_PAUSE) => OnTimeout::Pause,
        None => {
            return Err(AgentError::InvalidArgument(
                "the value of on_timeout is unknown".to_owned(),
            ));
        }
    };
    Ok(Timeouts {
        timeout_sec,
        expires_at: time(expires_at_unix_ms)?,
        on_timeout,
    })
}

impl From<OnTimeout> for wire::OnTimeout {
    fn from(value: OnTimeout) -> Self {
        match value {
            OnTimeout::Kill => Self::ON_TIMEOUT_KILL,
            OnTimeout::Pause => Self::ON_TIMEOUT_PAUSE,
        }
    }
}

/// An order as far as its message says it: the write mark travels as a header.
fn order(sandbox_id: &str, generation: i64) -> Result<Order, AgentError> {
    Ok(Order {
        sandbox: parse_id(sandbox_id)?,
        generation,
        write_mark: None,
    })
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
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

impl From<SandboxReport> for wire::SandboxInfo {
    fn from(report: SandboxReport) -> Self {
        let status = match report.state {
            ReportedState::Running => "running",
            ReportedState::Paused => "paused",
            ReportedState::Stopped => "stopped",
        };
        Self {
            sandbox_id: report.sandbox.to_string(),
            status: status.to_owned(),
            template: report.template,
            vcpus: report.vcpus,
            memory_mb: report.memory_mib,
            host_ip: report.host_ip,
            created_at_unix: report.created_at.timestamp(),
            last_active_at_unix: report.last_active_at.map_or(0, |time| time.timestamp()),
            timeout_sec: report.timeouts.timeout_sec,
            team_id: report.team.to_string(),
            template_id: report.template_id.to_string(),
            metadata: report.metadata.into_iter().collect(),
            generation: report.generation,
            reason: report.reason.unwrap_or_default(),
            last_error: report.last_error.unwrap_or_default(),
            guest_ip: report.guest_ip,
            started_at_unix_ms: unix_ms(report.started_at),
            expires_at_unix_ms: unix_ms(report.timeouts.expires_at),
            on_timeout: wire::OnTimeout::from(report.timeouts.on_timeout).into(),
            disk_size_mb: report.disk_size_mb,
            unresponsive: report.unresponsive,
            ready_ms: report.ready_ms,
            ..Default::default()
        }
    }
}

impl TryFrom<wire::SandboxInfo> for SandboxReport {
    type Error = AgentError;

    fn try_from(info: wire::SandboxInfo) -> Result<Self, AgentError> {
        let state = match info.status.as_str() {
            "running" => ReportedState::Running,
            "paused" => ReportedState::Paused,
            "stopped" => ReportedState::Stopped,
            _ => {
                return Err(AgentError::InvalidArgument(
                    "the sandbox status is unknown".to_owned(),
                ));
            }
        };
        Ok(Self {
            sandbox: parse_id(&info.sandbox_id)?,
            generation: info.generation,
            state,
            reason: some(info.reason),
            last_error: some(info.last_error),
            team: parse_id(&info.team_id)?,
            template: info.template,
            template_id: parse_id(&info.template_id)?,
            vcpus: info.vcpus,
            memory_mib: info.memory_mb,
            disk_size_mb: info.disk_size_mb,
            timeouts: timeouts(info.timeout_sec, info.expires_at_unix_ms, info.on_timeout)?,
            guest_ip: info.guest_ip,
            host_ip: info.host_ip,
            metadata: info.metadata.into_iter().collect(),
            created_at: time(info.created_at_unix.saturating_mul(1000))?.unwrap_or_default(),
            started_at: time(info.started_at_unix_ms)?,
            last_active_at: time(info.last_active_at_unix.saturating_mul(1000))?,
            unresponsive: info.unresponsive,
            ready_ms: info.ready_ms,
        })
    }
}
