//! What follows for a sandbox's row from a report of its host.
//!
//! | report | is written |
//! |---|---|
//! | from another host than the row's | never |
//! | stopped | always: ids are not reused, and a host keeps a tombstone of a sandbox that ended |
//! | running or paused, older than the row's last order | never: the report precedes the order |
//! | running or paused, of a sandbox that ended | only if the end was inferred from absence and the desired state is not `gone` |

use chrono::{DateTime, Utc};
use locule_agent_api::{ReportedState, SandboxReport};
use locule_domain::{Desired, Sandbox, SandboxEvent, SandboxState, StopReason};

use crate::audit::SandboxAuditEvent;
use crate::caller::Actor;

/// The next version of a row, and its entry in the audit log.
pub(crate) struct Change {
    pub(crate) next: Sandbox,
    pub(crate) record: Option<(Actor, SandboxAuditEvent)>,
}

impl Change {
    /// A change that was observed, not requested. The audit log attributes it to the platform (B-084).
    pub(crate) fn observed(seen: &Sandbox, next: Sandbox) -> Self {
        let record = unrequested_event(seen, &next).map(|event| (Actor::System, event));
        Self { next, record }
    }
}

/// The audit event of a change that no request asked for.
fn unrequested_event(seen: &Sandbox, next: &Sandbox) -> Option<SandboxAuditEvent> {
    let ended = next.state.is_final() && !seen.state.is_final();
    if ended && seen.desired != Desired::Gone {
        return next
            .state
            .reason()
            .map(|reason| SandboxAuditEvent::End { reason });
    }
    let paused = next.state == SandboxState::Paused && seen.state != SandboxState::Paused;
    let has_reason = next.status_reason.is_some();
    (paused && has_reason && seen.desired != Desired::Paused)
        .then_some(SandboxAuditEvent::AutoPause)
}

/// What a report changes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Difference {
    Nothing,
    /// The sandbox was used later than the row says.
    LaterUse(DateTime<Utc>),
    More,
}

pub(crate) fn difference(seen: &Sandbox, report: &SandboxReport) -> Difference {
    let Some(Change { mut next, .. }) = changed_by_report(seen, report) else {
        return Difference::Nothing;
    };
    let used_at = std::mem::replace(&mut next.last_active_at, seen.last_active_at);
    match used_at {
        Some(at) if next == *seen => Difference::LaterUse(at),
        Some(_) | None => Difference::More,
    }
}

/// The row after a report; `None` if the report does not change it.
pub(crate) fn changed_by_report(seen: &Sandbox, report: &SandboxReport) -> Option<Change> {
    let event = match report.state {
        ReportedState::Stopped => SandboxEvent::Stop(stop_reason(seen, report)),
        ReportedState::Running | ReportedState::Paused if report.generation < seen.generation => {
            return None;
        }
        ReportedState::Running | ReportedState::Paused
            if seen.state.is_final() && seen.desired == Desired::Gone =>
        {
            return None;
        }
        ReportedState::Running => SandboxEvent::Ran,
        ReportedState::Paused => SandboxEvent::Paused,
    };
    let mut next = seen.clone();
    next.state = seen.state.apply(event).ok()?;
    match report.state {
        ReportedState::Stopped => {
            next.desired = Desired::Gone;
            next.cleanup_pending = false;
        }
        ReportedState::Running | ReportedState::Paused => copy(report, seen, &mut next),
    }
    (next != *seen).then(|| Change::observed(seen, next))
}

/// The reason of the end: the row's for a sandbox that ended by an order, else the host's.
fn stop_reason(seen: &Sandbox, report: &SandboxReport) -> StopReason {
    let reported = report.reason.as_deref().unwrap_or_default().parse();
    let reported = reported.unwrap_or(StopReason::VmLost);
    if reported == StopReason::Destroyed {
        destroy_reason(seen)
    } else {
        reported
    }
}

/// The reason why the desired state of a sandbox is `gone`.
pub(crate) fn destroy_reason(sandbox: &Sandbox) -> StopReason {
    let reason = sandbox.status_reason.as_deref().unwrap_or_default();
    reason.parse().unwrap_or(StopReason::Destroyed)
}

/// Copies the rest of a report. If the host paused the sandbox without an order, `paused` also becomes the desired state: only a
/// request resumes it.
fn copy(report: &SandboxReport, seen: &Sandbox, next: &mut Sandbox) {
    // After a restore of the database from a backup the row is older than its host: the next order must be newer than both.
    next.generation = seen.generation.max(report.generation);
    next.guest_ip.clone_from(&report.guest_ip);
    next.host_ip.clone_from(&report.host_ip);
    next.metadata.clone_from(&report.metadata);
    next.started_at = report.started_at.or(next.started_at);
    next.last_active_at = report.last_active_at.max(next.last_active_at);
    next.stored_bytes = report.stored_bytes.unwrap_or(seen.stored_bytes);
    let changed = next.state != seen.state;
    // The last error stays until the state changes.
    if changed || report.last_error.is_some() {
        next.last_error.clone_from(&report.last_error);
    }
    if seen.desired == Desired::Gone {
        return;
    }
    match report.state {
        ReportedState::Running if changed => next.status_reason = None,
        ReportedState::Paused => {
            // The row holds the reason of a pause by an order.
            let ordered = seen.desired == Desired::Paused && !seen.state.is_final();
            if report.reason.is_some() || (changed && !ordered) {
                next.status_reason.clone_from(&report.reason);
            }
            if report.reason.is_some() || changed {
                next.desired = Desired::Paused;
            }
        }
        ReportedState::Running | ReportedState::Stopped => {}
    }
}
