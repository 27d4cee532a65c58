//! Writes to a sandbox's row: read, decide, write. A writer whose row changed in between reads and decides again. The entry of
//! the audit log commits with the change (D-21).

use chrono::{DateTime, Utc};
use locule_agent_api::SandboxReport;
use locule_domain::{Sandbox, SandboxEvent};
use locule_ids::{HostId, SandboxId};
use locule_store::sandboxes;

use crate::audit::{self, AuditEvent, SandboxAuditEvent};
use crate::caller::Caller;
use crate::error::CommonError;
use crate::reconcile::reported::{Change, changed_by_report};
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::quota::QuotaUse;
use crate::turns::Asker;

/// Attempts of a write while other writers change the row.
const WRITES_MAX: usize = 8;

impl Sandboxes {
    /// Reads a row, lets `decide` change it, and writes the change and its audit entry in one transaction. `decide` runs again if
    /// the row changed in between. Returns the row after the change.
    pub(crate) async fn change(
        &self,
        id: SandboxId,
        decide: impl Fn(&Sandbox) -> Result<Option<Change>, SandboxError>,
    ) -> Result<Sandbox, SandboxError> {
        match self.change_alone(id, &decide).await? {
            Some(row) => Ok(row),
            None => self.change_for(None, id, decide).await,
        }
    }

    /// Makes a change that is one statement, without a transaction around it: the version of the row decides. `None`: the change needs
    /// more than that, or another writer was faster.
    async fn change_alone(
        &self,
        id: SandboxId,
        decide: impl Fn(&Sandbox) -> Result<Option<Change>, SandboxError>,
    ) -> Result<Option<Sandbox>, SandboxError> {
        let (mut conn, now) = (self.core.connection().await?, self.core.now());
        let seen = sandboxes::get(&mut conn, id).await?;
        let seen = seen.ok_or(SandboxError::not_found())?;
        let Some(Change { next, record }) = decide(&seen)? else {
            return Ok(Some(seen));
        };
        let next = with_reason(next);
        if record.is_some() || QuotaUse::of(&seen, &next, false).is_some() {
            return Ok(None);
        }
        if next == seen {
            return Ok(Some(seen));
        }
        if !sandboxes::update(&mut conn, &seen, &next, now).await? {
            return Ok(None);
        }
        self.drop_access(id);
        Ok(Some(written(next, now)))
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
            let Some(Change { next, record }) = decided? else {
                return Ok(seen);
            };
            let next = with_reason(next);
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
            return Ok(written(next, now));
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

    /// Writes a host's report of a sandbox into the sandbox's row, and returns the row if there is one.
    pub(crate) async fn apply_report(
        &self,
        from: HostId,
        report: &SandboxReport,
    ) -> Result<Option<Sandbox>, SandboxError> {
        let applied = self.change(report.sandbox, |seen| {
            Ok((seen.host == Some(from))
                .then(|| changed_by_report(seen, report))
                .flatten())
        });
        match applied.await {
            // A sandbox without a row is left to the sweep.
            Err(SandboxError::Common(CommonError::NotFound { .. })) => Ok(None),
            applied => applied.map(Some),
        }
    }
}

/// The next version of a row, with the reason of its state.
fn with_reason(mut next: Sandbox) -> Sandbox {
    if let Some(reason) = next.state.reason() {
        next.status_reason = Some(reason.to_owned());
    }
    next
}

/// A row after it was written.
pub(crate) fn written(mut next: Sandbox, now: DateTime<Utc>) -> Sandbox {
    next.version += 1;
    next.last_updated = now;
    next
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
