//! Timeouts that a host has not enforced.

use chrono::{DateTime, Utc};
use locule_agent_api::{ReportedState, SandboxReport};
use locule_domain::{Overdue, Sandbox};

/// Hosts enforce timeouts. Where a host has not done so this long after the time, the control plane does.
const TIMEOUT_GRACE: chrono::Duration = chrono::Duration::seconds(30);

/// What should have happened to a sandbox that its host reports.
pub(crate) fn overdue(
    sandbox: &Sandbox,
    report: &SandboxReport,
    now: DateTime<Utc>,
) -> Option<Overdue> {
    let idle_since = report.last_active_at.max(sandbox.last_active_at);
    sandbox.timeouts.overdue(now - TIMEOUT_GRACE, idle_since)
}

/// Whether a host lets a sandbox run past its timeouts.
pub(crate) fn is_overdue(sandbox: &Sandbox, report: &SandboxReport, now: DateTime<Utc>) -> bool {
    report.state == ReportedState::Running && overdue(sandbox, report, now).is_some()
}

/// The moment before which [`is_overdue`] is not so, as long as the row does not change.
pub(crate) fn overdue_from(
    sandbox: &Sandbox,
    report: &SandboxReport,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let idle_since = report.last_active_at.max(sandbox.last_active_at);
    let limit = sandbox.timeouts.next_limit(idle_since.unwrap_or(now));
    let limit = limit.filter(|_| report.state == ReportedState::Running);
    limit.map(|limit| limit + TIMEOUT_GRACE)
}
