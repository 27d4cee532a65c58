//! Domain sandboxes in the format of the native dialect.

use chrono::{DateTime, Datelike as _, SubsecRound as _, Utc};
use locule_api::{Sandbox, SandboxStatus};
use locule_domain as domain;

use crate::error::ApiError;

pub(crate) fn sandbox_view(sandbox: &domain::Sandbox) -> Sandbox {
    let reason = sandbox.state.reason().map(str::to_owned);
    Sandbox {
        id: sandbox.id,
        status: status(sandbox.state),
        status_reason: reason.or_else(|| sandbox.status_reason.clone()),
        last_error: sandbox.last_error.clone(),
        template: sandbox.template.clone(),
        vcpus: sandbox.vcpus,
        memory_mb: sandbox.memory_mib,
        timeout_sec: sandbox.timeouts.timeout_sec,
        guest_ip: known(&sandbox.guest_ip),
        host_ip: known(&sandbox.host_ip),
        created_at: seconds(sandbox.created_at),
        started_at: sandbox.started_at.map(seconds),
        last_active_at: sandbox.last_active_at.map(seconds),
        last_updated: seconds(sandbox.last_updated),
        expires_at: sandbox.timeouts.expires_at.map(seconds),
        labels: sandbox.labels.clone(),
        metadata: sandbox.metadata.clone(),
    }
}

/// A time in whole seconds, as responses show times.
pub(crate) fn seconds(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(0)
}

/// Accepts a time whose year has four digits. Other times fit neither RFC 3339 nor the database.
pub(crate) fn four_digit_year(time: DateTime<Utc>) -> Result<DateTime<Utc>, ApiError> {
    if (0..=9999).contains(&time.year()) {
        return Ok(time);
    }
    Err(ApiError::invalid(
        "the year of a time must be between 0 and 9999",
    ))
}

/// `None` for an empty text: the value is not known yet.
fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn status(state: domain::SandboxState) -> SandboxStatus {
    match state {
        domain::SandboxState::Pending => SandboxStatus::Pending,
        domain::SandboxState::Starting => SandboxStatus::Starting,
        domain::SandboxState::Running => SandboxStatus::Running,
        domain::SandboxState::Paused => SandboxStatus::Paused,
        domain::SandboxState::Missing => SandboxStatus::Missing,
        domain::SandboxState::Stopped { .. } => SandboxStatus::Stopped,
        domain::SandboxState::Error { .. } => SandboxStatus::Error,
    }
}
