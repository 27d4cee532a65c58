//! A host in memory that behaves as a real one: generations, tombstones, snapshots that outlive their VM, reports in order. A test
//! plans its faults.

mod agent;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use locule_agent_api::{
    AgentError, Order, ReportedState, ResumeSandbox, SandboxReport, SandboxSpec, UpdateSandbox,
    WriteMark,
};
use locule_base::clock::SharedClock;
use locule_domain::OnTimeout;
use locule_ids::SandboxId;
use tokio::sync::broadcast;

use crate::plan::{Call, Fault, Plan};
use crate::reports::running;

/// The number of reports that a watcher may be behind.
const BACKLOG: usize = 1024;

/// An order as it is received.
#[derive(Debug, Clone)]
enum Asked {
    Create(Box<SandboxSpec>),
    Destroy(Order),
    Pause(Order),
    Resume(ResumeSandbox),
    Update(UpdateSandbox),
    Ping(SandboxId),
}

impl Asked {
    const fn call(&self) -> Call {
        match self {
            Self::Create(_) => Call::Create,
            Self::Destroy(_) => Call::Destroy,
            Self::Pause(_) => Call::Pause,
            Self::Resume(_) => Call::Resume,
            Self::Update(_) => Call::Update,
            Self::Ping(_) => Call::Ping,
        }
    }

    const fn sandbox(&self) -> SandboxId {
        match self {
            Self::Create(spec) => spec.order.sandbox,
            Self::Destroy(order) | Self::Pause(order) => order.sandbox,
            Self::Resume(resume) => resume.order.sandbox,
            Self::Update(update) => update.order.sandbox,
            Self::Ping(sandbox) => *sandbox,
        }
    }

    fn write_mark(&self) -> Option<WriteMark> {
        let order = match self {
            Self::Create(spec) => &spec.order,
            Self::Destroy(order) | Self::Pause(order) => order,
            Self::Resume(resume) => &resume.order,
            Self::Update(update) => &update.order,
            Self::Ping(_) => return None,
        };
        order.write_mark.clone()
    }
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<SandboxId, SandboxReport>,
    /// The last report of each sandbox that ended.
    tombstones: BTreeMap<SandboxId, SandboxReport>,
    /// Sandboxes that were destroyed without having been known.
    unknown_tombstones: Vec<SandboxId>,
    plan: Plan,
    asked: Vec<(Call, SandboxId)>,
    late: Vec<Asked>,
    away: bool,
    write_mark: Option<WriteMark>,
}

/// A simulated host.
#[derive(Debug)]
pub struct SimHost {
    clock: SharedClock,
    state: Mutex<State>,
    /// Replaced when the host becomes unreachable, which ends its watches.
    reports: Mutex<broadcast::Sender<SandboxReport>>,
}

impl SimHost {
    pub fn new(clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
            reports: Mutex::new(broadcast::Sender::new(BACKLOG)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reports(&self) -> MutexGuard<'_, broadcast::Sender<SandboxReport>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, report: &SandboxReport) {
        // Without a watcher the report is dropped; the next watch begins with the full list.
        let _ = self.reports().send(report.clone());
    }

    /// Plans a fault for the next call of this kind. Several faults of one kind apply one after the other.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.state().plan.add(call, fault);
    }

    /// Makes the host unreachable: calls fail and watches end. Its sandboxes keep running.
    pub fn go_away(&self) {
        self.state().away = true;
        *self.reports() = broadcast::Sender::new(BACKLOG);
    }

    pub fn come_back(&self) {
        self.state().away = false;
    }

    /// Delivers every order that was late, in order. Answers are lost.
    pub fn deliver_late(&self) {
        let late = std::mem::take(&mut self.state().late);
        for asked in late {
            // The caller is gone.
            let _ = self.carry_out(asked);
        }
    }

    /// Remembers the write mark of an order, as a real host does: the highest of the first database.
    pub fn record_mark(&self, mark: WriteMark) {
        let seen = &mut self.state().write_mark;
        let is_higher =
            |seen: &WriteMark| seen.cluster == mark.cluster && seen.counter < mark.counter;
        if seen.as_ref().is_none_or(is_higher) {
            *seen = Some(mark);
        }
    }

    /// The report of a sandbox that the host holds.
    pub fn report(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        self.state().held.get(&sandbox).cloned()
    }

    pub fn holds(&self, sandbox: SandboxId) -> Option<ReportedState> {
        self.report(sandbox).map(|report| report.state)
    }

    pub fn count(&self) -> usize {
        self.state().held.len()
    }

    /// Whether the host has a tombstone of the sandbox, which it may or may not have held.
    pub fn has_tombstone(&self, sandbox: SandboxId) -> bool {
        let state = self.state();
        state.tombstones.contains_key(&sandbox) || state.unknown_tombstones.contains(&sandbox)
    }

    /// How often this call about a sandbox was received, with any result.
    pub fn asked(&self, call: Call, sandbox: SandboxId) -> usize {
        let asked = &self.state().asked;
        asked.iter().filter(|one| **one == (call, sandbox)).count()
    }

    /// Pauses a running sandbox by policy, without an order.
    pub fn pause_by_itself(&self, sandbox: SandboxId, reason: &str) {
        self.set(sandbox, |report| {
            report.state = ReportedState::Paused;
            report.reason = Some(reason.to_owned());
        });
    }

    /// Changes the report of a held sandbox and publishes it.
    pub fn set(&self, sandbox: SandboxId, change: impl FnOnce(&mut SandboxReport)) {
        let mut state = self.state();
        let Some(report) = state.held.get_mut(&sandbox) else {
            return;
        };
        change(report);
        let report = report.clone();
        drop(state);
        self.publish(&report);
    }

    /// Ends a sandbox without an order, as when its guest powers off or its VM exits.
    pub fn end_by_itself(&self, sandbox: SandboxId, reason: &str) {
        let mut state = self.state();
        if let Some(report) = state.held.remove(&sandbox) {
            let report = write_tombstone(&mut state, report, reason);
            drop(state);
            self.publish(&report);
        }
    }

    /// Removes all trace of a sandbox, as by a lost disk. Returns its report.
    pub fn lose(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        self.state().held.remove(&sandbox)
    }

    /// Makes the host hold a sandbox without an order.
    pub fn hold(&self, report: SandboxReport) {
        self.state().held.insert(report.sandbox, report);
    }

    /// Pauses idle sandboxes and ends expired ones, as a real host does every second.
    pub fn check_timeouts(&self) {
        let now = self.clock.now();
        let running: Vec<SandboxReport> = self.state().held.values().cloned().collect();
        for report in running
            .iter()
            .filter(|report| report.state == ReportedState::Running)
        {
            let idle_time = chrono::Duration::seconds(i64::from(report.timeouts.timeout_sec));
            let is_idle = report
                .last_active_at
                .is_some_and(|last| now - last > idle_time);
            match report.timeouts.on_timeout {
                OnTimeout::Kill if report.timeouts.expires_at.is_some_and(|at| at <= now) => {
                    self.end_by_itself(report.sandbox, "expired");
                }
                OnTimeout::Pause if report.timeouts.expires_at.is_some_and(|at| at <= now) => {
                    self.pause_by_itself(report.sandbox, "expired");
                }
                OnTimeout::Kill | OnTimeout::Pause
                    if report.timeouts.timeout_sec > 0 && is_idle =>
                {
                    self.pause_by_itself(report.sandbox, "idle");
                }
                OnTimeout::Kill | OnTimeout::Pause => {}
            }
        }
    }
}

fn write_tombstone(state: &mut State, mut report: SandboxReport, reason: &str) -> SandboxReport {
    report.state = ReportedState::Stopped;
    report.reason = Some(reason.to_owned());
    state.tombstones.insert(report.sandbox, report.clone());
    report
}

impl SimHost {
    /// Carries out an order, as a real host does.
    fn carry_out(&self, asked: Asked) -> Result<Option<SandboxReport>, AgentError> {
        let now = self.clock.now();
        let mut state = self.state();
        let report = match asked {
            Asked::Create(spec) => Some(create(&mut state, *spec, now)?),
            Asked::Destroy(order) => {
                let Some(held) = state.held.get(&order.sandbox) else {
                    if !state.tombstones.contains_key(&order.sandbox) {
                        state.unknown_tombstones.push(order.sandbox);
                    }
                    return Err(AgentError::NotFound);
                };
                accept(held, order.generation)?;
                let mut report = held.clone();
                report.generation = order.generation;
                state.held.remove(&order.sandbox);
                Some(write_tombstone(&mut state, report, "destroyed"))
            }
            Asked::Pause(order) => {
                let report = known(&mut state, order.sandbox, order.generation)?;
                if report.state == ReportedState::Running {
                    report.state = ReportedState::Paused;
                    (report.reason, report.last_error) = (None, None);
                }
                Some(report.clone())
            }
            Asked::Resume(resume) => {
                let report = known(&mut state, resume.order.sandbox, resume.order.generation)?;
                if report.state == ReportedState::Paused {
                    report.state = ReportedState::Running;
                    (report.reason, report.last_error) = (None, None);
                    report.timeouts = resume.timeouts;
                    (report.started_at, report.last_active_at) = (Some(now), Some(now));
                }
                Some(report.clone())
            }
            Asked::Update(update) => {
                let report = known(&mut state, update.order.sandbox, update.order.generation)?;
                report.timeouts = update.timeouts;
                Some(report.clone())
            }
            Asked::Ping(sandbox) => {
                let report = state.held.get_mut(&sandbox).ok_or(AgentError::NotFound)?;
                if report.state != ReportedState::Running {
                    let text = "the sandbox is not running".to_owned();
                    return Err(AgentError::FailedPrecondition(text));
                }
                report.last_active_at = Some(now);
                None
            }
        };
        drop(state);
        if let Some(report) = &report {
            self.publish(report);
        }
        Ok(report)
    }
}

fn accept(held: &SandboxReport, generation: i64) -> Result<(), AgentError> {
    if generation < held.generation {
        return Err(AgentError::FailedPrecondition(format!(
            "the order is stale: generation {generation}, the sandbox is at {}",
            held.generation
        )));
    }
    Ok(())
}

fn known(
    state: &mut State,
    sandbox: SandboxId,
    generation: i64,
) -> Result<&mut SandboxReport, AgentError> {
    let report = state.held.get_mut(&sandbox).ok_or(AgentError::NotFound)?;
    accept(report, generation)?;
    report.generation = generation;
    Ok(report)
}

fn create(
    state: &mut State,
    spec: SandboxSpec,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<SandboxReport, AgentError> {
    if state.tombstones.contains_key(&spec.order.sandbox)
        || state.unknown_tombstones.contains(&spec.order.sandbox)
    {
        let text = "the sandbox ended".to_owned();
        return Err(AgentError::FailedPrecondition(text));
    }
    if let Some(held) = state.held.get(&spec.order.sandbox) {
        // A repeated order gets the answer of the first.
        if held.generation == spec.order.generation {
            return Ok(held.clone());
        }
        return Err(AgentError::AlreadyExists("the sandbox exists".to_owned()));
    }
    let report = running(spec, now);
    state.held.insert(report.sandbox, report.clone());
    Ok(report)
}
