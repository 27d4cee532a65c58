//! A host in memory that keeps the guarantees of a real one: generations, tombstones, snapshots that outlive their VM, reports
//! in order. Calls fail where a test plans a fault.

mod agent;
mod orders;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use locule_agent_api::{Holder, ReportedState, SandboxReport, SandboxSpec, WriteMark};
use locule_base::clock::SharedClock;
use locule_domain::Overdue;
use locule_ids::SandboxId;
use tokio::sync::broadcast;

use crate::plan::{Call, Fault, Plan};
use orders::Request;

/// Reports that a watcher may be behind.
const BACKLOG: usize = 1024;

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<SandboxId, SandboxReport>,
    /// The order that created each sandbox, where there was an order.
    specs: BTreeMap<SandboxId, SandboxSpec>,
    /// The last report of each sandbox that ended.
    tombstones: BTreeMap<SandboxId, SandboxReport>,
    /// Sandboxes that were destroyed before the host knew them.
    unknown_tombstones: Vec<SandboxId>,
    plan: Plan,
    asked: Vec<(Call, SandboxId)>,
    lists: usize,
    late: Vec<Request>,
    away: bool,
    /// What uses each sandbox, where a test says so.
    held_by: BTreeMap<SandboxId, Vec<Holder>>,
    write_mark: Option<WriteMark>,
}

impl State {
    fn write_tombstone(&mut self, mut report: SandboxReport, reason: &str) -> SandboxReport {
        report.state = ReportedState::Stopped;
        report.reason = Some(reason.to_owned());
        self.tombstones.insert(report.sandbox, report.clone());
        report
    }

    fn has_tombstone(&self, sandbox: SandboxId) -> bool {
        self.tombstones.contains_key(&sandbox) || self.unknown_tombstones.contains(&sandbox)
    }
}

/// A simulated host.
#[derive(Debug)]
pub struct SimHost {
    clock: SharedClock,
    state: Mutex<State>,
    /// Replaced when the host becomes unreachable: the watches break.
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
        // Fails without a watcher; the next one begins with the full list.
        let _ = self.reports().send(report.clone());
    }

    /// Plans a fault for the next call of this kind. Several faults of one kind happen one after the other.
    pub fn fail(&self, call: Call, fault: Fault) {
        self.state().plan.add(call, fault);
    }

    /// Makes the host unreachable: every call fails, watches break. Its sandboxes go on running.
    pub fn go_away(&self) {
        self.state().away = true;
        *self.reports() = broadcast::Sender::new(BACKLOG);
    }

    /// Makes the host reachable again.
    pub fn come_back(&self) {
        self.state().away = false;
    }

    /// Carries out every order that a [`Fault::Late`] held back, in order. The answers are lost.
    pub fn deliver_late(&self) {
        let late = std::mem::take(&mut self.state().late);
        for request in late {
            // The caller has given up waiting for this answer.
            let _ = self.carry_out(request);
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

    /// The state of a sandbox that the host holds.
    pub fn holds(&self, sandbox: SandboxId) -> Option<ReportedState> {
        self.report(sandbox).map(|report| report.state)
    }

    /// The reports of all sandboxes that the host holds.
    pub fn held(&self) -> Vec<SandboxReport> {
        self.state().held.values().cloned().collect()
    }

    /// The number of sandboxes that the host holds.
    pub fn count(&self) -> usize {
        self.state().held.len()
    }

    /// Whether the host has a tombstone of a sandbox, known to it before or not.
    pub fn has_tombstone(&self, sandbox: SandboxId) -> bool {
        self.state().has_tombstone(sandbox)
    }

    /// How many calls of a kind were made for a sandbox, failed ones included.
    pub fn asked(&self, call: Call, sandbox: SandboxId) -> usize {
        let asked = &self.state().asked;
        asked.iter().filter(|one| **one == (call, sandbox)).count()
    }

    /// How often the host was asked for its list, also when it did not answer.
    pub fn lists(&self) -> usize {
        self.state().lists
    }

    /// Pauses a running sandbox without an order.
    pub fn pause_by_itself(&self, sandbox: SandboxId, reason: &str) {
        self.set(sandbox, |report| {
            report.state = ReportedState::Paused;
            report.reason = Some(reason.to_owned());
        });
    }

    /// Changes a sandbox that the host holds, and publishes the report.
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

    /// Sets what uses a sandbox from now on.
    pub fn set_holders(&self, sandbox: SandboxId, held_by: Vec<Holder>) {
        self.state().held_by.insert(sandbox, held_by);
    }

    /// Ends a sandbox without an order, as a guest that powers off or a VM that is lost does.
    pub fn end_by_itself(&self, sandbox: SandboxId, reason: &str) {
        let mut state = self.state();
        if let Some(report) = state.held.remove(&sandbox) {
            let report = state.write_tombstone(report, reason);
            drop(state);
            self.publish(&report);
        }
    }

    /// Removes a sandbox without a tombstone, as a lost disk does. Returns its last report.
    pub fn lose(&self, sandbox: SandboxId) -> Option<SandboxReport> {
        self.state().held.remove(&sandbox)
    }

    /// Adds a sandbox without an order.
    pub fn hold(&self, report: SandboxReport) {
        self.state().held.insert(report.sandbox, report);
    }

    /// Applies the timeouts of every running sandbox once. A real host does so every second.
    pub fn check_timeouts(&self) {
        let now = self.clock.now();
        let running: Vec<SandboxReport> = self.state().held.values().cloned().collect();
        for report in running
            .iter()
            .filter(|report| report.state == ReportedState::Running)
        {
            let sandbox = report.sandbox;
            match report.timeouts.overdue(now, report.last_active_at) {
                None => {}
                Some(Overdue::Kill) => self.end_by_itself(sandbox, Overdue::Kill.reason()),
                Some(paused) => self.pause_by_itself(sandbox, paused.reason()),
            }
        }
    }
}
