//! One sandbox, in a sweep: its row against what its host says.
//!
//! | row | host runs it | host holds its image | host holds nothing | host does not answer |
//! |---|---|---|---|---|
//! | running | keep | paused | stopped, `vm_lost` | keep |
//! | paused | by what is wanted | keep | error, `image_lost` | keep |
//! | pending, starting | running | paused | ordered again; error past the budget | keep |
//! | stopped or error, inferred | running | paused | keep | keep |
//! | stopped or error, else | destroy there | destroy there | keep | keep |
//!
//! What is wanted gone is destroyed in every column but the last: there it is stopped, with `cleanup_pending`.

use chrono::{DateTime, Utc};
use locule_agent_api::{ReportedState, SandboxReport};
use locule_domain::{
    Desired, ErrorReason, OnTimeout, Sandbox, SandboxEvent as Event, SandboxState, StopReason,
    next_action,
};
use locule_ids::SandboxId;
use locule_store::sandboxes;

use crate::audit::SandboxEvent;
use crate::caller::Actor;
use crate::changes::Change;
use crate::error::ControlError;
use crate::reports::CREATE_BUDGET;
use crate::sandboxes::Sandboxes;
use crate::sweep::{Answer, Held};

/// A row that changed a moment ago may be ahead of the list that was just fetched.
const SETTLING: chrono::Duration = chrono::Duration::seconds(5);
/// Hosts look at the clocks; where one has not acted so long after the time, the control plane does.
const SECOND_LINE: chrono::Duration = chrono::Duration::seconds(30);

impl Sandboxes {
    pub(crate) async fn settle(&self, id: SandboxId, held: &Held) -> Result<(), ControlError> {
        // An order is under way: whoever gave it settles it.
        let Some(_order) = self.try_lock(id) else {
            return Ok(());
        };
        let Some(sandbox) = self.row_for_sweep(id).await? else {
            return Ok(());
        };
        if sandbox.last_updated > held.asked_at {
            return Ok(());
        }
        let long_ago = held.asked_at - sandbox.last_updated > SETTLING;
        let answer = held.of(&sandbox);
        if sandbox.state.is_final() {
            self.settle_ended(&sandbox, answer, long_ago).await?;
            return self.reconcile(id).await.map(drop);
        }
        match answer {
            Answer::Holds(report) => self.settle_held(&sandbox, report, held.asked_at).await?,
            Answer::Absent if long_ago => self.absent(&sandbox, held.asked_at).await?,
            Answer::Absent => {}
            Answer::Silence if sandbox.desired == Desired::Gone => {
                return self.stopped(&sandbox, sandbox.host.is_some()).await;
            }
            Answer::Silence if sandbox.host.is_some() => return Ok(()),
            Answer::Silence if held.asked_at - sandbox.created_at > CREATE_BUDGET => {
                let failed = Event::Fail(ErrorReason::CreateFailed);
                self.conclude(&sandbox, failed, |_| {}).await?;
            }
            Answer::Silence => {}
        }
        self.reconcile(id).await.map(drop)
    }

    async fn row_for_sweep(&self, id: SandboxId) -> Result<Option<Sandbox>, ControlError> {
        let mut conn = self.core.connection().await?;
        Ok(sandboxes::get(&mut conn, id).await?)
    }

    /// It ended here. Its host confirms that, or is told so, or knows better.
    async fn settle_ended(
        &self,
        sandbox: &Sandbox,
        answer: Answer<'_>,
        long_ago: bool,
    ) -> Result<(), ControlError> {
        let undone = sandbox.state.is_inferred() && sandbox.desired != Desired::Gone;
        match answer {
            Answer::Holds(report) if undone || report.state == ReportedState::Stopped => {
                self.hear(sandbox, report).await
            }
            Answer::Holds(report) if sandbox.cleanup_pending || long_ago => {
                tracing::warn!(sandbox.id = %sandbox.id, "a host still holds a sandbox that ended; it is destroyed there");
                let mut known = sandbox.clone();
                known.generation = sandbox.generation.max(report.generation);
                self.forget(&known).await
            }
            // A host buries what it is told to destroy, known or not: an order that comes late finds the grave.
            Answer::Absent if sandbox.cleanup_pending => self.forget(sandbox).await,
            Answer::Holds(_) | Answer::Absent | Answer::Silence => Ok(()),
        }
    }

    /// Destroys what is left of an ended sandbox on its host.
    async fn forget(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        self.destroy_on_host(sandbox).await?;
        self.change(sandbox.id, |seen| {
            let mut next = seen.clone();
            next.cleanup_pending = false;
            Ok(Some(Change { next, record: None }))
        })
        .await
        .map(drop)
    }

    async fn settle_held(
        &self,
        sandbox: &Sandbox,
        report: &SandboxReport,
        now: DateTime<Utc>,
    ) -> Result<(), ControlError> {
        self.hear(sandbox, report).await?;
        let runs = report.state == ReportedState::Running && sandbox.desired == Desired::Running;
        if runs && report.generation == sandbox.generation {
            self.look_at_the_clocks(sandbox, report, now).await?;
        }
        Ok(())
    }

    /// Takes a report of a list. A host that missed an order about the clocks is behind the row for ever: it is told again,
    /// unless another order is due that tells it anyway.
    async fn hear(&self, sandbox: &Sandbox, report: &SandboxReport) -> Result<(), ControlError> {
        let behind =
            report.generation < sandbox.generation && report.state != ReportedState::Stopped;
        if behind && next_action(sandbox.desired, sandbox.state).is_none() {
            return self.tell_clocks(sandbox).await;
        }
        match sandbox.host {
            Some(host) => self.take_report(host, report).await,
            None => Ok(()),
        }
    }

    /// The second line: the host says that it runs, and by what the host says its time has long come.
    async fn look_at_the_clocks(
        &self,
        sandbox: &Sandbox,
        report: &SandboxReport,
        now: DateTime<Utc>,
    ) -> Result<(), ControlError> {
        let late = |at: DateTime<Utc>| now - at > SECOND_LINE;
        let idle_since = report.last_active_at.max(sandbox.last_active_at);
        let idle_time = chrono::Duration::seconds(i64::from(sandbox.timeouts.timeout_sec));
        let expired = sandbox.timeouts.expires_at.is_some_and(late);
        let idle =
            sandbox.timeouts.timeout_sec > 0 && idle_since.is_some_and(|at| late(at + idle_time));
        let reason = StopReason::Expired.as_str();
        let (desired, reason, event) = match (expired, sandbox.timeouts.on_timeout) {
            (true, OnTimeout::Kill) => {
                let event = SandboxEvent::Destroy {
                    reason: Some(reason),
                };
                (Desired::Gone, reason, event)
            }
            (true, OnTimeout::Pause) => (Desired::Paused, reason, SandboxEvent::AutoPause),
            (false, _) if idle => (Desired::Paused, "idle", SandboxEvent::AutoPause),
            (false, _) => return Ok(()),
        };
        tracing::warn!(sandbox.id = %sandbox.id, reason, "a host lets a sandbox run past its time");
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
