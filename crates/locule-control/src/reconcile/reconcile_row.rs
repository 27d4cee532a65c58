//! One sandbox in a pass of the sweep: its row against the report of its host.
//!
//! | row | host runs it | host holds its snapshot | host does not hold it | host does not answer |
//! |---|---|---|---|---|
//! | running | keep | paused | stopped, `vm_lost` | keep |
//! | paused | by the desired state | keep | error, `image_lost` | keep |
//! | pending, starting | running | paused | ordered again; error after the create budget | keep |
//! | stopped or error, inferred | running | paused | keep | keep |
//! | stopped or error, else | destroy there | destroy there | keep | keep |
//!
//! A row that waits for its host to confirm the end waits no longer once the host is deleted.
//!
//! A sandbox whose desired state is `gone` is destroyed in every column but the last; in the last its row becomes stopped, with
//! `cleanup_pending`.

use chrono::{DateTime, Utc};
use locule_agent_api::{ReportedState, SandboxReport};
use locule_domain::{
    Desired, ErrorReason, Overdue, Sandbox, SandboxEvent, SandboxState, next_action,
};
use locule_ids::SandboxId;
use locule_store::{hosts, sandboxes};

use crate::audit::SandboxAuditEvent;
use crate::caller::Actor;
use crate::reconcile::absence::CREATE_BUDGET;
use crate::reconcile::inventory::{HostAnswer, HostInventory};
use crate::reconcile::overdue::overdue;
use crate::reconcile::reported::Change;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// A row that changed less than this before the hosts were asked may be ahead of its report.
const FRESH_ROW: chrono::Duration = chrono::Duration::seconds(5);

impl Sandboxes {
    /// Applies the table of this module to one sandbox. Returns whether the row changed.
    pub(crate) async fn reconcile_row(
        &self,
        id: SandboxId,
        inventory: &HostInventory,
    ) -> Result<bool, SandboxError> {
        // An order is in progress: the request that sent it writes the result.
        let Some(_order) = self.try_lock(id) else {
            return Ok(false);
        };
        let Some(sandbox) = self.find_row(id).await? else {
            return Ok(false);
        };
        if sandbox.last_updated > inventory.asked_at {
            return Ok(false);
        }
        self.reconcile_seen(&sandbox, inventory).await?;
        let now = self.find_row(id).await?;
        Ok(now.is_some_and(|now| now.version != sandbox.version))
    }

    async fn reconcile_seen(
        &self,
        sandbox: &Sandbox,
        inventory: &HostInventory,
    ) -> Result<(), SandboxError> {
        let id = sandbox.id;
        let long_ago = inventory.asked_at - sandbox.last_updated > FRESH_ROW;
        let answer = inventory.of(sandbox);
        if sandbox.state.is_final() {
            self.reconcile_ended(sandbox, answer, long_ago).await?;
            return self.reconcile(id).await.map(drop);
        }
        match answer {
            HostAnswer::Reported(report) => {
                self.reconcile_reported(sandbox, report, inventory.asked_at)
                    .await?;
            }
            HostAnswer::Absent if long_ago => {
                self.apply_absence(sandbox, inventory.asked_at).await?;
            }
            HostAnswer::Absent => {}
            HostAnswer::NotAsked => return Ok(()),
            HostAnswer::None if sandbox.desired == Desired::Gone => {
                return self.mark_stopped(sandbox, sandbox.host.is_some()).await;
            }
            HostAnswer::None if sandbox.host.is_some() => return Ok(()),
            HostAnswer::None if inventory.asked_at - sandbox.created_at > CREATE_BUDGET => {
                let failed = SandboxEvent::Fail(ErrorReason::CreateFailed);
                self.apply_if_unchanged(sandbox, failed, |_| {}).await?;
            }
            HostAnswer::None => {}
        }
        self.reconcile(id).await.map(drop)
    }

    async fn find_row(&self, id: SandboxId) -> Result<Option<Sandbox>, SandboxError> {
        let mut conn = self.core.connection().await?;
        Ok(sandboxes::get(&mut conn, id).await?)
    }

    /// For a row that says that the sandbox ended: the host confirms the end, is ordered to destroy the sandbox, or corrects the row.
    async fn reconcile_ended(
        &self,
        sandbox: &Sandbox,
        answer: HostAnswer<'_>,
        long_ago: bool,
    ) -> Result<(), SandboxError> {
        let undone = sandbox.state.is_inferred() && sandbox.desired != Desired::Gone;
        match answer {
            HostAnswer::Reported(report) if undone || report.state == ReportedState::Stopped => {
                self.apply_listed_report(sandbox, report).await
            }
            HostAnswer::Reported(report) if sandbox.cleanup_pending || long_ago => {
                tracing::warn!(sandbox.id = %sandbox.id, "a host still holds a sandbox that ended; the sandbox is destroyed on the host");
                let mut known = sandbox.clone();
                known.generation = sandbox.generation.max(report.generation);
                self.destroy_remains(&known).await
            }
            // A host writes a tombstone also for a sandbox that it does not know: a late order to create it is refused.
            HostAnswer::Absent if sandbox.cleanup_pending => self.destroy_remains(sandbox).await,
            // No host is left that could confirm the end: an agent whose host was deleted keeps its files.
            HostAnswer::None if sandbox.cleanup_pending && self.has_no_host(sandbox).await? => {
                self.clear_cleanup(sandbox.id).await
            }
            HostAnswer::Reported(_)
            | HostAnswer::Absent
            | HostAnswer::None
            | HostAnswer::NotAsked => Ok(()),
        }
    }

    /// Whether the host of a sandbox was deleted, or the sandbox never had one.
    async fn has_no_host(&self, sandbox: &Sandbox) -> Result<bool, SandboxError> {
        let Some(host) = sandbox.host else {
            return Ok(true);
        };
        let mut conn = self.core.connection().await?;
        Ok(hosts::get(&mut conn, host).await?.is_none())
    }

    /// Destroys what remains of an ended sandbox on its host.
    async fn destroy_remains(&self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        self.destroy_on_host(sandbox).await?;
        self.clear_cleanup(sandbox.id).await
    }

    async fn clear_cleanup(&self, id: SandboxId) -> Result<(), SandboxError> {
        self.change(id, |seen| {
            let mut next = seen.clone();
            next.cleanup_pending = false;
            Ok(Some(Change { next, record: None }))
        })
        .await
        .map(drop)
    }

    async fn reconcile_reported(
        &self,
        sandbox: &Sandbox,
        report: &SandboxReport,
        now: DateTime<Utc>,
    ) -> Result<(), SandboxError> {
        self.apply_listed_report(sandbox, report).await?;
        let runs = report.state == ReportedState::Running && sandbox.desired == Desired::Running;
        if runs && report.generation == sandbox.generation {
            self.check_timeouts(sandbox, report, now).await?;
        }
        Ok(())
    }

    /// Applies a report of the inventory. A host that missed an order to change timeouts would stay behind the row: the timeouts are
    /// sent again, unless another order is due, which carries them too.
    async fn apply_listed_report(
        &self,
        sandbox: &Sandbox,
        report: &SandboxReport,
    ) -> Result<(), SandboxError> {
        let behind =
            report.generation < sandbox.generation && report.state != ReportedState::Stopped;
        if behind && next_action(sandbox.desired, sandbox.state).is_none() {
            return self.send_timeouts(sandbox).await;
        }
        match sandbox.host {
            Some(host) => self.apply_report(host, report).await.map(drop),
            None => Ok(()),
        }
    }

    /// Pauses or destroys a sandbox that its host lets run past its timeouts.
    async fn check_timeouts(
        &self,
        sandbox: &Sandbox,
        report: &SandboxReport,
        now: DateTime<Utc>,
    ) -> Result<(), SandboxError> {
        let Some(overdue) = overdue(sandbox, report, now) else {
            return Ok(());
        };
        let reason = overdue.reason();
        let (desired, event) = match overdue {
            Overdue::Kill => {
                let reason = Some(reason);
                (Desired::Gone, SandboxAuditEvent::Destroy { reason })
            }
            Overdue::PauseExpired | Overdue::PauseIdle => {
                (Desired::Paused, SandboxAuditEvent::AutoPause)
            }
        };
        tracing::warn!(sandbox.id = %sandbox.id, reason, "a host did not enforce the timeout of a sandbox; the control plane does");
        self.change(sandbox.id, |seen| {
            let same = seen.state == SandboxState::Running
                && seen.desired == Desired::Running
                && seen.generation == sandbox.generation;
            if !same {
                return Ok(None);
            }
            let mut next = seen.clone();
            next.desired = desired;
            next.generation += 1;
            next.status_reason = Some(reason.to_owned());
            let record = Some((Actor::System, event.clone()));
            Ok(Some(Change { next, record }))
        })
        .await
        .map(drop)
    }
}
