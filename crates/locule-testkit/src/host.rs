//! A host in memory that keeps the promises of a real one: generations, tombstones, images that outlive their VM, news in
//! order. It goes wrong where a test says so.

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

/// News that a watcher may be behind.
const BACKLOG: usize = 1024;

/// An order as it came over the wire.
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
    /// The last word about what ended.
    graves: BTreeMap<SandboxId, SandboxReport>,
    /// Destroyed without having been known.
    buried_unknown: Vec<SandboxId>,
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
    /// Replaced when the host goes away: its watchers notice.
    news: Mutex<broadcast::Sender<SandboxReport>>,
}

impl SimHost {
    pub fn new(clock: SharedClock) -> Arc<Self> {
        Arc::new(Self {
            clock,
            state: Mutex::default(),
            news: Mutex::new(broadcast::Sender::new(BACKLOG)),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> MutexGuard<'_, broadcast::Sender<SandboxReport>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, report: &SandboxReport) {
        // Without a watcher nobody hears it; the next one begins with the full list.
        let _ = self.news().send(report.clone());
    }

    /// The next call of this kind goes wrong. Several faults of one kind come one after the other.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.state().plan.add(call, fault);
    }

    /// Out of reach: nothing answers, watches break. Its sandboxes live on.
    pub fn go_away(&self) {
        self.state().away = true;
        *self.news() = broadcast::Sender::new(BACKLOG);
    }

    pub fn come_back(&self) {
        self.state().away = false;
    }

    /// Delivers every order that was late, in order. Answers are lost.
    pub fn deliver_late(&self) {
        let late = std::mem::take(&mut self.state().late);
        for asked in late {
            // Whoever asked is gone.
            let _ = self.obey(asked);
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

    /// What it holds of a sandbox.
    pub fn report(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        self.state().held.get(&sandbox).cloned()
    }

    pub fn holds(&self, sandbox: SandboxId) -> Option<ReportedState> {
        self.report(sandbox).map(|report| report.state)
    }

    pub fn count(&self) -> usize {
        self.state().held.len()
    }

    /// Whether it ended here for good, known before or not.
    pub fn is_buried(&self, sandbox: SandboxId) -> bool {
        let state = self.state();
        state.graves.contains_key(&sandbox) || state.buried_unknown.contains(&sandbox)
    }

    /// How often it was asked this about a sandbox, whatever came of it.
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

    /// Changes what it holds and tells it.
    pub fn set(&self, sandbox: SandboxId, change: impl FnOnce(&mut SandboxReport)) {
        let mut state = self.state();
        let Some(report) = state.held.get_mut(&sandbox) else {
            return;
        };
        change(report);
        let report = report.clone();
        drop(state);
        self.tell(&report);
    }

    /// It ends without an order: a guest that powers off, a VM that dies.
    pub fn end_by_itself(&self, sandbox: SandboxId, reason: &str) {
        let mut state = self.state();
        if let Some(report) = state.held.remove(&sandbox) {
            let report = bury(&mut state, report, reason);
            drop(state);
            self.tell(&report);
        }
    }

    /// All trace of it is gone, as by a disk that was lost. Gives back what was held.
    pub fn lose(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        self.state().held.remove(&sandbox)
    }

    /// Holds it, whoever ordered that.
    pub fn hold(&self, report: SandboxReport) {
        self.state().held.insert(report.sandbox, report);
    }

    /// What a real host does every second: idle ones are paused, expired ones end.
    pub fn look_at_the_clocks(&self) {
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

fn bury(state: &mut State, mut report: SandboxReport, reason: &str) -> SandboxReport {
    report.state = ReportedState::Stopped;
    report.reason = Some(reason.to_owned());
    state.graves.insert(report.sandbox, report.clone());
    report
}

impl SimHost {
    /// Carries an order out, as a real host does.
    fn obey(&self, asked: Asked) -> Result<Option<SandboxReport>, AgentError> {
        let now = self.clock.now();
        let mut state = self.state();
        let report = match asked {
            Asked::Create(spec) => Some(create(&mut state, *spec, now)?),
            Asked::Destroy(order) => {
                let Some(held) = state.held.get(&order.sandbox) else {
                    if !state.graves.contains_key(&order.sandbox) {
                        state.buried_unknown.push(order.sandbox);
                    }
                    return Err(AgentError::NotFound);
                };
                accept(held, order.generation)?;
                let mut report = held.clone();
                report.generation = order.generation;
                state.held.remove(&order.sandbox);
                Some(bury(&mut state, report, "destroyed"))
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
            self.tell(report);
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
    if state.graves.contains_key(&spec.order.sandbox)
        || state.buried_unknown.contains(&spec.order.sandbox)
    {
        let text = "the sandbox ended".to_owned();
        return Err(AgentError::FailedPrecondition(text));
    }
    if let Some(held) = state.held.get(&spec.order.sandbox) {
        // The same order again gets the first answer again.
        if held.generation == spec.order.generation {
            return Ok(held.clone());
        }
        return Err(AgentError::AlreadyExists("the sandbox exists".to_owned()));
    }
    let report = running(spec, now);
    state.held.insert(report.sandbox, report.clone());
    Ok(report)
}
