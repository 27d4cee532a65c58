//! What hosts say of sandboxes, and what it means for their rows.
//!
//! | report | is written |
//! |---|---|
//! | of another host than the row's | never |
//! | stopped | always: ids are not used twice, and hosts bury what ended |
//! | running or paused, older than the row's last order | never: news from yesterday |
//! | running or paused, of a sandbox that ended | only where the end was inferred from absence and nobody wants it gone |

use chrono::{DateTime, Utc};
use locule_agent_api::{ReportedState, SandboxReport};
use locule_domain::{
    Desired, ErrorReason, Sandbox, SandboxEvent as Event, SandboxState, StopReason,
};
use locule_ids::{HostId, SandboxId};
use locule_store::sandboxes;

use crate::changes::Change;
use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

/// A create that takes longer than this is not under way any more.
pub(crate) const CREATE_BUDGET: chrono::Duration = chrono::Duration::seconds(240);

impl Sandboxes {
    /// Writes what a host says of a sandbox.
    pub(crate) async fn take_report(
        &self,
        from: HostId,
        report: &SandboxReport,
    ) -> Result<(), ControlError> {
        let taken = self.change(report.sandbox, |seen| {
            Ok((seen.host == Some(from))
                .then(|| heard(seen, report))
                .flatten())
        });
        match taken.await {
            // Nobody's: the sweep looks at what has no row.
            Ok(_) | Err(ControlError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks the host what it holds of this sandbox, and writes it down. The caller holds the sandbox's lock.
    pub(crate) async fn learn(&self, id: SandboxId) -> Result<(), ControlError> {
        let mut conn = self.core.connection().await?;
        let Some(sandbox) = sandboxes::get(&mut conn, id).await? else {
            return Ok(());
        };
        drop(conn);
        let Ok(host) = self.host_of(&sandbox) else {
            return Ok(());
        };
        // A host that does not answer teaches nothing; the sweep asks again.
        let Ok(reports) = host.agent.list_sandboxes().await else {
            return Ok(());
        };
        match reports.iter().find(|report| report.sandbox == id) {
            Some(report) => self.take_report(host.id, report).await,
            None => self.absent(&sandbox, self.core.now()).await,
        }
    }

    /// The host was asked, answered, and does not hold it.
    pub(crate) async fn absent(
        &self,
        sandbox: &Sandbox,
        now: DateTime<Utc>,
    ) -> Result<(), ControlError> {
        if sandbox.desired == Desired::Gone {
            // The order to destroy it says so too, and buries it.
            return Ok(());
        }
        let event = match sandbox.state {
            SandboxState::Running | SandboxState::Missing => Event::Stop(StopReason::VmLost),
            SandboxState::Paused => Event::Fail(ErrorReason::SnapshotLost),
            SandboxState::Pending | SandboxState::Starting
                if now - sandbox.created_at > CREATE_BUDGET =>
            {
                Event::Fail(ErrorReason::CreateFailed)
            }
            SandboxState::Pending
            | SandboxState::Starting
            | SandboxState::Stopped { .. }
            | SandboxState::Error { .. } => return Ok(()),
        };
        tracing::warn!(sandbox.id = %sandbox.id, state = %sandbox.state, "its host does not hold it");
        self.conclude(sandbox, event, |next| {
            // The order to create it may still be on its way: only the host's own word makes sure that nothing comes of it.
            next.cleanup_pending = matches!(event, Event::Fail(ErrorReason::CreateFailed));
        })
        .await
        .map(drop)
    }
}

/// What a row becomes by a report; `None` when the report means nothing to it.
fn heard(seen: &Sandbox, report: &SandboxReport) -> Option<Change> {
    let event = match report.state {
        ReportedState::Stopped => Event::Stop(stop_reason(seen, report)),
        ReportedState::Running | ReportedState::Paused if report.generation < seen.generation => {
            return None;
        }
        ReportedState::Running | ReportedState::Paused
            if seen.state.is_final() && seen.desired == Desired::Gone =>
        {
            return None;
        }
        ReportedState::Running => Event::Ran,
        ReportedState::Paused => Event::Paused,
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
    Some(Change::learned(seen, next))
}

/// Why it ended. Of what ended by an order the row knows why it was given.
fn stop_reason(seen: &Sandbox, report: &SandboxReport) -> StopReason {
    let reported = report.reason.as_deref().unwrap_or_default().parse();
    let reported = reported.unwrap_or(StopReason::VmLost);
    if reported == StopReason::Destroyed {
        why_gone(seen)
    } else {
        reported
    }
}

/// Why a sandbox that is wanted gone is.
pub(crate) fn why_gone(sandbox: &Sandbox) -> StopReason {
    let reason = sandbox.status_reason.as_deref().unwrap_or_default();
    reason.parse().unwrap_or(StopReason::Destroyed)
}

/// What a report says beside the state. A host that paused a sandbox of itself also changed what is wanted of it: nothing
/// runs it again but somebody who asks.
fn copy(report: &SandboxReport, seen: &Sandbox, next: &mut Sandbox) {
    // A row that came back from a backup is behind its host: its next order must not be an old one.
    next.generation = seen.generation.max(report.generation);
    next.guest_ip.clone_from(&report.guest_ip);
    next.host_ip.clone_from(&report.host_ip);
    next.metadata.clone_from(&report.metadata);
    next.started_at = report.started_at.or(next.started_at);
    next.last_active_at = report.last_active_at.max(next.last_active_at);
    let changed = next.state != seen.state;
    // What went wrong stays told until something goes right.
    if changed || report.last_error.is_some() {
        next.last_error.clone_from(&report.last_error);
    }
    if seen.desired == Desired::Gone {
        return;
    }
    match report.state {
        ReportedState::Running if changed => next.status_reason = None,
        ReportedState::Paused => {
            // Paused by an order: why the order was given is in the row.
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
