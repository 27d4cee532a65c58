//! What the database and the hosts hold at one moment, and what clients were told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_agent_api::SandboxReport;
use locule_domain::{Desired, Sandbox, SandboxState};
use locule_ids::{HostId, SandboxId, TeamId};

/// A host, by its row and by its agent.
#[derive(Debug, Clone)]
pub(super) struct HostSeen {
    pub(super) id: HostId,
    pub(super) team: Option<TeamId>,
    pub(super) memory_mib: u32,
    /// The host was not deleted.
    pub(super) has_row: bool,
    /// The host was drained once: the control plane pauses what runs there.
    pub(super) was_drained: bool,
    pub(super) held: BTreeMap<SandboxId, SandboxReport>,
}

/// The rows, and what each host holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) now: DateTime<Utc>,
    /// The teams that bring their own hosts.
    pub(super) byoc: Vec<TeamId>,
    /// The sandboxes that a team may run at a time.
    pub(super) running_max: usize,
    pub(super) sandboxes: BTreeMap<SandboxId, Sandbox>,
    pub(super) hosts: Vec<HostSeen>,
}

impl Snapshot {
    pub(super) fn host(&self, id: HostId) -> Option<&HostSeen> {
        self.hosts.iter().find(|host| host.id == id)
    }

    /// The hosts that hold a sandbox.
    pub(super) fn holders(&self, id: SandboxId) -> Vec<&HostSeen> {
        let hosts = self.hosts.iter();
        hosts.filter(|host| host.held.contains_key(&id)).collect()
    }

    /// Twice the memory that the sandboxes of a host reserve: a paused one reserves half of its memory.
    pub(super) fn reserved_twice(&self, host: HostId, counts: impl Fn(&Sandbox) -> bool) -> u32 {
        let on_host = self
            .sandboxes
            .values()
            .filter(|row| row.host == Some(host) && !row.state.is_final() && counts(row));
        let parts = on_host.map(|row| match row.state {
            SandboxState::Paused => row.memory_mib,
            SandboxState::Pending
            | SandboxState::Starting
            | SandboxState::Running
            | SandboxState::Missing
            | SandboxState::Stopped { .. }
            | SandboxState::Error { .. } => 2 * row.memory_mib,
        });
        parts.sum()
    }

    /// The sandboxes of a team that count against its limit.
    pub(super) fn wanted(&self, team: TeamId) -> usize {
        let rows = self.sandboxes.values();
        rows.filter(|row| row.team == team && !row.state.is_final())
            .filter(|row| row.desired == Desired::Running)
            .count()
    }
}

/// What clients know about one sandbox.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The state that the latest request was answered with, unless something else may have changed it since.
    pub(super) promised: Option<Desired>,
    /// Its destroy was acknowledged.
    pub(super) is_destroyed: bool,
    /// Requests that were made about it.
    pub(super) asked: u64,
    /// Those that have no answer yet.
    pub(super) unanswered: u64,
}

/// What clients know about all sandboxes.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) known: BTreeMap<SandboxId, Known>,
    /// Grows when a host or the passage of time may have changed sandboxes without a request.
    pub(super) events: u64,
}

/// When a request was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    events: u64,
    number: u64,
}

impl Book {
    /// Something else than a request may have changed every sandbox: what was answered before is not promised any more.
    pub(super) fn disturb(&mut self) {
        self.events += 1;
        for known in self.known.values_mut() {
            known.promised = None;
        }
    }

    /// A request about a sandbox, or a create, begins.
    pub(super) fn ask(&mut self, about: Option<SandboxId>) -> Asked {
        let mut number = 0;
        if let Some(id) = about {
            let known = self.known.entry(id).or_default();
            known.promised = None;
            known.asked += 1;
            known.unanswered += 1;
            number = known.asked;
        }
        Asked {
            events: self.events,
            number,
        }
    }

    /// A request ends without an answer, or is refused.
    pub(super) fn give_up(&mut self, about: Option<SandboxId>) {
        if let Some(known) = about.and_then(|id| self.known.get_mut(&id)) {
            known.unanswered -= 1;
        }
    }

    /// A request was acknowledged: the sandbox is now as `promised` says.
    pub(super) fn acknowledge(
        &mut self,
        asked: Asked,
        about: Option<SandboxId>,
        id: SandboxId,
        promised: Desired,
    ) {
        self.give_up(about);
        let known = self.known.entry(id).or_default();
        known.is_destroyed |= promised == Desired::Gone;
        let is_latest = known.asked == asked.number && known.unanswered == 0;
        if is_latest && self.events == asked.events {
            known.promised = Some(promised);
        }
    }
}
