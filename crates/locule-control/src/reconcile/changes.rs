//! Writes to a sandbox's row: read, decide, write. A writer whose row changed in between reads and decides again. The entry of
//! the audit log commits with the change (D-21).
//!
//! | report | is written |
//! |---|---|
//! | from another host than the row's | never |
//! | stopped | always: ids are not reused, and a host keeps a tombstone of a sandbox that ended |
//! | running or paused, older than the row's last order | never: the report precedes the order |
//! | running or paused, of a sandbox that ended | only if the end was inferred from absence and the desired state is not `gone` |

use locule_agent_api::{ReportedState, SandboxReport};
use locule_domain::{Desired, Sandbox, SandboxEvent, SandboxState, StopReason};
use locule_ids::{HostId, SandboxId};
use locule_store::sandboxes;

use crate::audit::{self, AuditEvent, SandboxAuditEvent};
use crate::caller::{Actor, Caller};
use crate::error::CommonError;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::quota::QuotaUse;
use crate::turns::Asker;

/// Attempts of a write while other writers change the row.
const WRITES_MAX: usize = 8;

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

impl Sandboxes {
    /// Reads a row, lets `decide` change it, and writes the change and its audit entry in one transaction. `decide` runs again if
    /// the row changed in between. Returns the row after the change.
    pub(crate) async fn change(
        &self,
        id: SandboxId,
        decide: impl Fn(&Sandbox) -> Result<Option<Change>, SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        self.change_for(None, id, decide).await
    }

    /// As [`Self::change`], by a caller that may change the sandboxes of the sandbox's team when the change commits. A caller that
    /// may not is told nothing about the sandbox.
    pub(crate) async fn change_by(
        &self,
        caller: &Caller,
        id: SandboxId,
        decide: impl Fn(&Sandbox) -> Result<Option<Change>, SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        self.change_for(Some(caller), id, decide).await
    }

    async fn change_for(
        &self,
        caller: Option<&Caller>,
        id: SandboxId,
        decide: impl Fn(&Sandbox) -> Result<Option<Change>, SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        let _turn = match caller {
            Some(caller) => Some(self.core.turn(Asker::Changes(caller.team)).await),
            None => None,
        };
        for _ in 0..WRITES_MAX {
            let (mut tx, now) = (self.core.transaction().await?, self.core.now());
            let seen = sandboxes::get(&mut tx, id).await?;
            let seen = seen.filter(|seen| caller.is_none_or(|caller| caller.team == seen.team));
            let decided = seen.as_ref().map(&decide);
            let needed = match (&seen, &decided) {
                (Some(seen), Some(Ok(Some(Change { next, .. })))) => {
                    QuotaUse::of(seen, next, caller.is_some()).map(|needed| (needed, seen.team))
                }
                _ => None,
            };
            // A team is locked before its members and keys.
            let quota = match needed {
                Some((needed, team)) => Some((self.lock_quota(&mut tx, team).await?, needed)),
                None => None,
            };
            if let Some(caller) = caller {
                self.confirm(&mut tx, caller).await?;
            }
            let (Some(seen), Some(decided)) = (seen, decided) else {
                return Err(SandboxError::not_found());
            };
            let Some(Change { mut next, record }) = decided? else {
                return Ok(seen);
            };
            if let Some(reason) = next.state.reason() {
                next.status_reason = Some(reason.to_owned());
            }
            if next == seen && record.is_none() {
                return Ok(seen);
            }
            if let Some((quota, needed)) = quota {
                self.reserve(&mut tx, quota, needed, &next).await?;
            }
            if !sandboxes::update(&mut tx, &seen, &next, now).await? {
                continue;
            }
            if let Some(caller) = caller
                && seen.is_ended_by(&next)
            {
                sandboxes::set_ended_by(&mut tx, id, caller.creator()).await?;
            }
            if let Some((actor, event)) = record {
                let event = AuditEvent::Sandbox(id, &event);
                audit::write(&mut tx, &actor, seen.team, &event, now).await?;
            }
            self.core.commit(tx).await?;
            self.drop_access(id);
            next.version += 1;
            next.last_updated = now;
            return Ok(next);
        }
        let why = "the sandbox changes too often; try again".to_owned();
        Err(CommonError::Conflict { why }.into())
    }

    /// Changes the desired state with a new generation: from then on hosts refuse every older order.
    pub(crate) async fn set_desired(
        &self,
        caller: &Caller,
        id: SandboxId,
        event: SandboxAuditEvent,
        desire: impl Fn(&mut Sandbox) -> Result<(), SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        self.change_by(caller, id, |seen| {
            let mut next = seen.clone();
            desire(&mut next)?;
            next.generation += 1;
            let record = Some((caller.actor.clone(), event.clone()));
            Ok(Some(Change { next, record }))
        })
        .await
    }

    /// Applies an event to a row. An event that is not possible in the row's state changes nothing.
    pub(crate) async fn apply_event(
        &self,
        id: SandboxId,
        event: SandboxEvent,
        also: impl Fn(&mut Sandbox),
    ) -> Result<Sandbox, SandboxError> {
        self.change(id, |seen| Ok(changed_by_event(seen, event, &also)))
            .await
    }

    /// As [`Self::apply_event`], for an event that follows from this version of the row: a newer version is left as it is.
    pub(crate) async fn apply_if_unchanged(
        &self,
        from: &Sandbox,
        event: SandboxEvent,
        also: impl Fn(&mut Sandbox),
    ) -> Result<Sandbox, SandboxError> {
        self.change(from.id, |seen| {
            let unchanged = seen.version == from.version;
            Ok(unchanged
                .then(|| changed_by_event(seen, event, &also))
                .flatten())
        })
        .await
    }

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
}

fn changed_by_event(
    seen: &Sandbox,
    event: SandboxEvent,
    also: impl Fn(&mut Sandbox),
) -> Option<Change> {
    let mut next = seen.clone();
    next.state = seen.state.apply(event).ok()?;
    also(&mut next);
    Some(Change::observed(seen, next))
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
