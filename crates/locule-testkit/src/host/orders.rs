//! What a simulated host does with each order.

use chrono::{DateTime, Utc};
use locule_agent_api::{
    AgentError, Order, ReportedState, ResumeSandbox, SandboxReport, SandboxSpec, UpdateSandbox,
    WriteMark,
};
use locule_ids::SandboxId;

use super::{SimHost, State};
use crate::plan::Call;
use crate::reports::running;

/// A call about one sandbox.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Create(Box<SandboxSpec>),
    Destroy(Order),
    Pause(Order),
    Resume(ResumeSandbox),
    Update(UpdateSandbox),
    Ping(SandboxId),
}

impl Request {
    pub(super) const fn call(&self) -> Call {
        match self {
            Self::Create(_) => Call::Create,
            Self::Destroy(_) => Call::Destroy,
            Self::Pause(_) => Call::Pause,
            Self::Resume(_) => Call::Resume,
            Self::Update(_) => Call::Update,
            Self::Ping(_) => Call::Ping,
        }
    }

    const fn order(&self) -> Option<&Order> {
        match self {
            Self::Create(spec) => Some(&spec.order),
            Self::Destroy(order) | Self::Pause(order) => Some(order),
            Self::Resume(resume) => Some(&resume.order),
            Self::Update(update) => Some(&update.order),
            Self::Ping(_) => None,
        }
    }

    pub(super) const fn sandbox(&self) -> SandboxId {
        match self {
            Self::Create(spec) => spec.order.sandbox,
            Self::Destroy(order) | Self::Pause(order) => order.sandbox,
            Self::Resume(resume) => resume.order.sandbox,
            Self::Update(update) => update.order.sandbox,
            Self::Ping(sandbox) => *sandbox,
        }
    }

    pub(super) fn write_mark(&self) -> Option<WriteMark> {
        self.order()?.write_mark.clone()
    }
}

impl SimHost {
    /// Carries a request out, as a real host does, and publishes the report.
    pub(super) fn carry_out(&self, request: Request) -> Result<Option<SandboxReport>, AgentError> {
        let now = self.clock.now();
        let report = self.state().carry_out(request, now)?;
        if let Some(report) = &report {
            self.publish(report);
        }
        Ok(report)
    }

    /// Destroys the sandboxes of the orders, pauses the others, and leaves the platform, as a real host does.
    pub(super) fn leave(&self, orders: Vec<Order>) -> Result<(), AgentError> {
        let mut failed = None;
        for order in orders {
            match self.carry_out(Request::Destroy(order)) {
                Ok(_) | Err(AgentError::NotFound) => {}
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let kept: Vec<SandboxId> = self.state().held.keys().copied().collect();
        for sandbox in kept {
            if self.holds(sandbox) == Some(ReportedState::Running) {
                self.pause_by_itself(sandbox, "host_stopping");
            }
        }
        self.go_away();
        Ok(())
    }
}

impl State {
    fn carry_out(
        &mut self,
        request: Request,
        now: DateTime<Utc>,
    ) -> Result<Option<SandboxReport>, AgentError> {
        match request {
            Request::Create(spec) => self.create(*spec, now).map(Some),
            Request::Destroy(order) => self.destroy(&order).map(Some),
            Request::Pause(order) => {
                let report = self.accept(&order)?;
                if report.state == ReportedState::Running {
                    report.state = ReportedState::Paused;
                    (report.reason, report.last_error) = (None, None);
                }
                Ok(Some(report.clone()))
            }
            Request::Resume(resume) => {
                let is_repeated = self.is_repeated(&resume.order);
                let report = self.accept(&resume.order)?;
                if !is_repeated && report.state == ReportedState::Paused {
                    report.state = ReportedState::Running;
                    (report.reason, report.last_error) = (None, None);
                    report.timeouts = resume.timeouts;
                    (report.started_at, report.last_active_at) = (Some(now), Some(now));
                }
                Ok(Some(report.clone()))
            }
            Request::Update(update) => {
                let report = self.accept(&update.order)?;
                report.timeouts = update.timeouts;
                Ok(Some(report.clone()))
            }
            Request::Ping(sandbox) => {
                let report = self.held.get_mut(&sandbox).ok_or(AgentError::NotFound)?;
                if report.state != ReportedState::Running {
                    let text = "the sandbox is not running".to_owned();
                    return Err(AgentError::FailedPrecondition(text));
                }
                report.last_active_at = Some(now);
                Ok(None)
            }
        }
    }

    /// Whether the host has carried out an order of this generation: its answer is the current report, and nothing happens again.
    fn is_repeated(&self, order: &Order) -> bool {
        let held = self.held.get(&order.sandbox);
        held.is_some_and(|report| report.generation == order.generation)
    }

    /// The sandbox of an order that is not stale, with the order's generation.
    fn accept(&mut self, order: &Order) -> Result<&mut SandboxReport, AgentError> {
        let report = self.held.get_mut(&order.sandbox);
        let report = report.ok_or(AgentError::NotFound)?;
        if order.generation < report.generation {
            return Err(AgentError::FailedPrecondition(format!(
                "the order is stale: generation {}, the sandbox is at {}",
                order.generation, report.generation
            )));
        }
        report.generation = order.generation;
        Ok(report)
    }

    fn create(
        &mut self,
        spec: SandboxSpec,
        now: DateTime<Utc>,
    ) -> Result<SandboxReport, AgentError> {
        let Order {
            sandbox,
            generation,
            ..
        } = spec.order;
        if self.has_tombstone(sandbox) {
            let text = "the sandbox ended".to_owned();
            return Err(AgentError::FailedPrecondition(text));
        }
        if let Some(held) = self.held.get(&sandbox) {
            // The repeated order gets the first answer again.
            if held.generation == generation {
                return Ok(held.clone());
            }
            return Err(AgentError::AlreadyExists("the sandbox exists".to_owned()));
        }
        self.specs.insert(sandbox, spec.clone());
        let report = running(spec, now);
        self.held.insert(sandbox, report.clone());
        Ok(report)
    }

    fn destroy(&mut self, order: &Order) -> Result<SandboxReport, AgentError> {
        let sandbox = order.sandbox;
        if !self.held.contains_key(&sandbox) {
            if !self.tombstones.contains_key(&sandbox) {
                self.unknown_tombstones.push(sandbox);
            }
            return Err(AgentError::NotFound);
        }
        let report = self.accept(order)?.clone();
        self.held.remove(&sandbox);
        Ok(self.write_tombstone(report, "destroyed"))
    }
}
