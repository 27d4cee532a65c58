//! The one path that brings a sandbox from what was seen to what is wanted. The API calls it at once, the sweep later.

use locule_agent_api::{
    self as agent, AgentError, Order, ReportedState, ResumeSandbox, SandboxReport, SandboxSpec,
};
use locule_domain::{
    Action, Desired, Event, OnTimeout, Sandbox, SandboxState, StopReason, next_action,
};
use locule_ids::SandboxId;
use locule_store::{cluster, hosts, sandboxes, templates};

use crate::audit::{self, SandboxEvent};
use crate::caller::Actor;
use crate::control::{Control, HostLink};
use crate::error::ControlError;

/// More steps than any wish takes.
const STEPS_MAX: usize = 8;
/// Tries of a write that somebody else overtook.
const WRITES_MAX: usize = 5;

pub(crate) fn on_timeout(value: OnTimeout) -> agent::OnTimeout {
    match value {
        OnTimeout::Kill => agent::OnTimeout::Kill,
        OnTimeout::Pause => agent::OnTimeout::Pause,
    }
}

impl Control {
    /// Writes what is wanted from now on, with its trace in the audit trail, in one transaction.
    pub(crate) async fn want(
        &self,
        seen: &Sandbox,
        desired: Desired,
        actor: &Actor,
        event: &SandboxEvent,
        also: impl FnOnce(&mut Sandbox),
    ) -> Result<(), ControlError> {
        let mut next = seen.clone();
        next.desired = desired;
        next.generation += 1;
        also(&mut next);
        let (mut tx, now) = (self.transaction().await?, self.now());
        if !sandboxes::update(&mut tx, seen, &next, now).await? {
            return Err(ControlError::Conflict {
                why: "the sandbox changed meanwhile; try again".to_owned(),
            });
        }
        audit::sandbox(&mut tx, actor, seen.team, seen.id, event, now).await?;
        tx.commit().await.map_err(locule_store::StoreError::from)?;
        Ok(())
    }

    pub(crate) async fn write(&self, seen: &Sandbox, next: &Sandbox) -> Result<(), ControlError> {
        let mut conn = self.connection().await?;
        if sandboxes::update(&mut conn, seen, next, self.now()).await? {
            return Ok(());
        }
        Err(ControlError::Conflict {
            why: "the sandbox changed meanwhile; try again".to_owned(),
        })
    }

    /// Applies an event to what is in the database now; a writer that was overtaken reads again. `false`: the event cannot
    /// happen in its state any more.
    pub(crate) async fn observe(
        &self,
        id: SandboxId,
        event: Event,
        also: impl Fn(&mut Sandbox),
    ) -> Result<bool, ControlError> {
        let mut conn = self.connection().await?;
        for _ in 0..WRITES_MAX {
            let Some(seen) = sandboxes::get(&mut conn, id).await? else {
                return Ok(false);
            };
            let Ok(state) = seen.state.apply(event) else {
                return Ok(false);
            };
            let mut next = seen.clone();
            next.state = state;
            also(&mut next);
            if next == seen || sandboxes::update(&mut conn, &seen, &next, self.now()).await? {
                return Ok(true);
            }
        }
        Err(ControlError::Conflict {
            why: "the sandbox changes too often".to_owned(),
        })
    }

    pub(crate) fn host_of(&self, sandbox: &Sandbox) -> Result<HostLink, ControlError> {
        let link = sandbox.host.and_then(|host| self.host(host));
        let gone = || {
            ControlError::HostUnavailable(AgentError::Unavailable(
                "the host is not known".to_owned(),
            ))
        };
        link.cloned().ok_or_else(gone)
    }

    /// Step by step until nothing is left to do. The caller holds the sandbox's lock.
    pub(crate) async fn reconcile(&self, id: SandboxId) -> Result<Sandbox, ControlError> {
        for _ in 0..STEPS_MAX {
            let mut conn = self.connection().await?;
            let sandbox = sandboxes::get(&mut conn, id)
                .await?
                .ok_or(ControlError::NotFound { what: "sandbox" })?;
            drop(conn);
            match next_action(sandbox.desired, sandbox.state) {
                None => return Ok(sandbox),
                Some(action) => self.perform(&sandbox, action).await?,
            }
        }
        Err(ControlError::internal("a sandbox does not settle"))
    }

    async fn perform(&self, sandbox: &Sandbox, action: Action) -> Result<(), ControlError> {
        match action {
            Action::Place => self.place(sandbox).await,
            Action::Pause => {
                let host = self.host_of(sandbox)?;
                let order = self.order(sandbox).await?;
                let report = host.agent.pause_sandbox(order).await?;
                self.take_report(&report).await
            }
            Action::Resume => {
                let host = self.host_of(sandbox)?;
                let order = self.order(sandbox).await?;
                let resume = ResumeSandbox {
                    sandbox: order.sandbox,
                    generation: order.generation,
                    timeout_sec: sandbox.timeout_sec,
                    expires_at: sandbox.expires_at,
                    on_timeout: on_timeout(sandbox.on_timeout),
                    access_token: self.access_token(sandbox.id),
                };
                let report = host.agent.resume_sandbox(resume).await?;
                self.take_report(&report).await
            }
            Action::Destroy => {
                self.destroy_on_host(sandbox).await?;
                self.observe(sandbox.id, Event::Stop(StopReason::Destroyed), |next| {
                    next.cleanup_pending = false;
                })
                .await?;
                Ok(())
            }
        }
    }

    /// Only "not found" counts as done; whatever else the host says is told (B-162, W-053).
    pub(crate) async fn destroy_on_host(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        if sandbox.host.is_none() {
            return Ok(());
        }
        let order = self.order(sandbox).await?;
        match self.host_of(sandbox)?.agent.destroy_sandbox(order).await {
            Ok(()) | Err(AgentError::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every order draws from the write counter first.
    async fn order(&self, sandbox: &Sandbox) -> Result<Order, ControlError> {
        let mut conn = self.connection().await?;
        cluster::next_write(&mut conn).await?;
        Ok(Order {
            sandbox: sandbox.id,
            generation: sandbox.generation,
        })
    }

    /// Chooses a host, writes it down as the reservation, and only then asks the host.
    async fn place(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        let mut tx = self.transaction().await?;
        let online = hosts::online(&mut tx).await?;
        let host = online
            .iter()
            .find_map(|(id, _)| self.host(*id))
            .cloned()
            .ok_or(ControlError::NoCapacity)?;
        let mut next = sandbox.clone();
        next.host = Some(host.id);
        next.state = sandbox
            .state
            .apply(Event::Placed)
            .map_err(ControlError::internal)?;
        if !sandboxes::update(&mut tx, sandbox, &next, self.now()).await? {
            return Err(ControlError::Conflict {
                why: "the sandbox changed meanwhile".to_owned(),
            });
        }
        cluster::next_write(&mut tx).await?;
        let template = templates::find(&mut tx, sandbox.team, &sandbox.template).await?;
        tx.commit().await.map_err(locule_store::StoreError::from)?;
        let spec = SandboxSpec {
            sandbox: next.id,
            generation: next.generation,
            team: next.team,
            template: next.template,
            template_id: next.template_id,
            vcpus: next.vcpus,
            memory_mb: next.memory_mb,
            disk_size_mb: next.disk_size_mb,
            timeout_sec: next.timeout_sec,
            expires_at: next.expires_at,
            on_timeout: on_timeout(next.on_timeout),
            auto_resume: next.auto_resume,
            default_user: template
                .map(|template| template.default_user)
                .unwrap_or_default(),
            env: next.env,
            labels: next.labels,
            access_token: self.access_token(sandbox.id),
        };
        let report = host.agent.create_sandbox(spec).await?;
        self.take_report(&report).await
    }

    /// Writes what a host says of a sandbox. One that is older than the last order is news from yesterday.
    pub(crate) async fn take_report(&self, report: &SandboxReport) -> Result<(), ControlError> {
        let mut conn = self.connection().await?;
        let Some(seen) = sandboxes::get(&mut conn, report.sandbox).await? else {
            return Ok(());
        };
        drop(conn);
        if report.generation < seen.generation {
            return Ok(());
        }
        let event = match report.state {
            ReportedState::Running => Event::Ran,
            ReportedState::Paused => Event::Paused,
            ReportedState::Stopped => {
                let reason = report.reason.as_deref().unwrap_or_default();
                Event::Stop(reason.parse().unwrap_or(StopReason::VmLost))
            }
        };
        let before = seen.state;
        self.observe(report.sandbox, event, |next| copy(report, next))
            .await?;
        let by_itself = report.state == ReportedState::Paused
            && before == SandboxState::Running
            && report.reason.is_some();
        if by_itself && seen.desired == Desired::Running {
            self.record_auto_pause(&seen).await?;
        }
        Ok(())
    }

    async fn record_auto_pause(&self, sandbox: &Sandbox) -> Result<(), ControlError> {
        let mut conn = self.connection().await?;
        audit::sandbox(
            &mut conn,
            &Actor::System,
            sandbox.team,
            sandbox.id,
            &SandboxEvent::AutoPause,
            self.now(),
        )
        .await
    }

    /// Asks the host what it holds of this sandbox, and writes it down.
    pub(crate) async fn learn(&self, id: SandboxId) -> Result<(), ControlError> {
        let mut conn = self.connection().await?;
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
            Some(report) => self.take_report(report).await,
            None => Ok(()),
        }
    }
}

/// What a report says beside the state. A host that paused or ended a sandbox by policy also changed what is wanted of it.
fn copy(report: &SandboxReport, next: &mut Sandbox) {
    next.guest_ip.clone_from(&report.guest_ip);
    next.host_ip.clone_from(&report.host_ip);
    next.metadata.clone_from(&report.metadata);
    next.started_at = report.started_at.or(next.started_at);
    next.last_active_at = report.last_active_at.max(next.last_active_at);
    next.last_error.clone_from(&report.last_error);
    next.status_reason.clone_from(&report.reason);
    match report.state {
        ReportedState::Paused if report.reason.is_some() => next.desired = Desired::Paused,
        ReportedState::Stopped => next.desired = Desired::Gone,
        ReportedState::Running if next.state.is_final() => next.desired = Desired::Running,
        ReportedState::Running | ReportedState::Paused => {}
    }
}
