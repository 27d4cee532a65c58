//! Reports of hosts, and how they change the rows of sandboxes.
//!
//! | report | is written |
//! |---|---|
//! | from another host than the row's | never |
//! | stopped | always: ids are not reused, and a host keeps a tombstone of a sandbox that ended |
//! | running or paused, older than the row's last order | never: the report precedes the order |
//! | running or paused, of a sandbox that ended | only if the end was inferred from absence and the desired state is not `gone` |

use chrono::{DateTime, Utc};
use locule_agent_api::{AgentError, ReportedState, SandboxReport};
use locule_domain::{Desired, ErrorReason, Sandbox, SandboxEvent, SandboxState, StopReason};
use locule_ids::{HostId, SandboxId};
use locule_store::sandboxes;

use crate::error::CommonError;
use crate::reconcile::changes::Change;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// A create that is older than this is not in progress any more.
pub(crate) const CREATE_BUDGET: chrono::Duration = chrono::Duration::seconds(240);

impl Sandboxes {
    /// Writes a host's report of a sandbox into the sandbox's row.
    pub(crate) async fn apply_report(
        &self,
        from: HostId,
        report: &SandboxReport,
    ) -> Result<(), SandboxError> {
        let applied = self.change(report.sandbox, |seen| {
            Ok((seen.host == Some(from))
                .then(|| changed_by_report(seen, report))
                .flatten())
        });
        match applied.await {
            // A sandbox without a row is left to the sweep.
            Ok(_) | Err(SandboxError::Common(CommonError::NotFound { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks the host for its report of this sandbox and writes it into the row. The caller holds the sandbox's lock.
    pub(crate) async fn refresh_from_host(&self, id: SandboxId) -> Result<(), SandboxError> {
        let mut conn = self.core.connection().await?;
        let Some(sandbox) = sandboxes::get(&mut conn, id).await? else {
            return Ok(());
        };
        drop(conn);
        let Ok(host) = self.host_of(&sandbox) else {
            return Ok(());
        };
        match host.agent.get_sandbox(id).await {
            Ok(report) => self.apply_report(host.id, &report).await,
            Err(AgentError::NotFound) => self.apply_absence(&sandbox, self.core.now()).await,
            // Nothing follows from a host that does not answer; the sweep asks it again.
            Err(_) => Ok(()),
        }
    }

    /// Writes that the host does not hold the sandbox, as the host has answered.
    pub(crate) async fn apply_absence(
        &self,
        sandbox: &Sandbox,
        now: DateTime<Utc>,
    ) -> Result<(), SandboxError> {
        if sandbox.desired == Desired::Gone {
            // The order to destroy it has the same result, and leaves a tombstone on the host.
            return Ok(());
        }
        let event = match sandbox.state {
            SandboxState::Running | SandboxState::Missing => SandboxEvent::Stop(StopReason::VmLost),
            SandboxState::Paused => SandboxEvent::Fail(ErrorReason::SnapshotLost),
            SandboxState::Pending | SandboxState::Starting
                if now - sandbox.created_at > CREATE_BUDGET =>
            {
                SandboxEvent::Fail(ErrorReason::CreateFailed)
            }
            SandboxState::Pending
            | SandboxState::Starting
            | SandboxState::Stopped { .. }
            | SandboxState::Error { .. } => return Ok(()),
        };
        tracing::warn!(sandbox.id = %sandbox.id, state = %sandbox.state, "the host of a sandbox does not hold it any more");
        self.apply_if_unchanged(sandbox, event, |next| {
            // The order to create it may still be on its way: the host has to confirm that it destroyed the sandbox.
            next.cleanup_pending = matches!(event, SandboxEvent::Fail(ErrorReason::CreateFailed));
        })
        .await
        .map(drop)
    }
}

/// The row after a report; `None` if the report does not change it.
fn changed_by_report(seen: &Sandbox, report: &SandboxReport) -> Option<Change> {
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
    Some(Change::observed(seen, next))
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
