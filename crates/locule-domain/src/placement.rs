//! Placement: the host that a new sandbox gets.
//!
//! ```text
//! candidates ─► eligible ─► rank ─► for each host in this order, in one transaction:
//!   (one query)                      lock the host, read its use again, admits? ─ yes ─► reserve: write the host into the row
//!                                                                              └─ no ──► next host
//! ```
//!
//! The candidates of a query are out of date as soon as another create commits. [`Scheduler::rank`] therefore only says in which
//! order hosts are tried; [`Scheduler::admits`], asked with the use of the host that its lock protects, decides. The row of the
//! sandbox is the reservation, so creates at the same time, also of several control planes, never place more on a host than it
//! gives (W-047).
//!
//! | check | a host is not eligible when |
//! |---|---|
//! | team (B-116) | the team brings hosts and the host is not one of its own, or the team brings none and the host is not regular |
//! | state (B-115) | the host is not `online` |
//! | cordon | the host is cordoned; a drain cordons |
//! | template (W-004) | the host does not have the template |
//! | memory, disk (B-180) | its sandboxes and the new one together need more than the host gives to sandboxes, or its latest heartbeat leaves too little |
//!
//! CPU time is shared: vCPUs lower the score of a host and never exclude the host. A resume is not placed: a paused sandbox is resumed
//! on the host that has its snapshot.

mod capacity;
mod refusals;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use locule_ids::{HostId, TeamId};

use crate::host::{HostKind, HostState};
use crate::people::{UnknownWord, words};

pub use capacity::{Capacity, HostUse, Load, Overcommit};
use capacity::{Resources, Score};
pub use refusals::{NotEligible, Refusals};

words! {
    /// The order in which eligible hosts are tried.
    SchedulerKind {
        /// Every host in turn (B-115). The default.
        RoundRobin = "round_robin",
        /// The host with the highest score first (B-180).
        LeastLoaded = "least_loaded",
    }
}

impl SchedulerKind {
    pub const DEFAULT: Self = Self::RoundRobin;
}

/// What the latest heartbeat of a host measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    pub free_memory_mib: u64,
    pub pool_free_bytes: u64,
}

/// A host that a sandbox might be placed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub host: HostId,
    pub kind: HostKind,
    /// The team that brought the host.
    pub team: Option<TeamId>,
    pub state: HostState,
    pub cordoned: bool,
    pub capacity: Capacity,
    pub used: HostUse,
    pub has_template: bool,
    /// `None`: the host has sent no heartbeat yet.
    pub measured: Option<Measured>,
}

/// What a new sandbox needs of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacementNeed {
    pub team: TeamId,
    /// The team brings its own hosts ("bring your own cloud"): its sandboxes run on these only.
    pub team_brings_hosts: bool,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub disk_mib: u32,
}

impl PlacementNeed {
    /// What the sandbox uses of the host while it runs.
    pub const fn load(&self) -> Load {
        Load {
            vcpus: self.vcpus,
            memory_mib: self.memory_mib,
            disk_mib: self.disk_mib,
        }
    }
}

/// Chooses hosts. Both kinds have the same admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduler {
    pub kind: SchedulerKind,
    pub overcommit: Overcommit,
}

impl Default for Scheduler {
    fn default() -> Self {
        Self {
            kind: SchedulerKind::DEFAULT,
            overcommit: Overcommit::default(),
        }
    }
}

impl Scheduler {
    /// Fails with the first reason why the sandbox cannot be placed on the host.
    pub fn eligible(self, host: &Candidate, need: &PlacementNeed) -> Result<(), NotEligible> {
        // The team comes first: a team learns nothing about the hosts of other teams.
        if !is_for_team(host, need) {
            return Err(NotEligible::OtherTeam);
        }
        if host.state != HostState::Online {
            return Err(NotEligible::NotOnline);
        }
        if host.cordoned {
            return Err(NotEligible::Cordoned);
        }
        if !host.has_template {
            return Err(NotEligible::NoTemplate);
        }
        self.admits(host.capacity, host.used, need)?;
        host.measured
            .map_or(Ok(()), |measured| self.has_left(measured, need))
    }

    /// Fails if the host has too little free capacity for the sandbox. Asked again with the use of the host under the host's lock.
    ///
    /// A host that states no memory or no disk has none.
    pub fn admits(
        self,
        capacity: Capacity,
        used: HostUse,
        need: &PlacementNeed,
    ) -> Result<(), NotEligible> {
        let resources = Resources::new(capacity, used.with(need.load()), self.overcommit);
        if !resources.memory.fits() {
            return Err(NotEligible::NoMemory);
        }
        if !resources.disk.fits() {
            return Err(NotEligible::NoDisk);
        }
        Ok(())
    }

    /// Fails if the host measured too little for the sandbox. A measurement is up to a heartbeat old and does not contain sandboxes that
    /// were placed since, so it only excludes a host and never replaces [`Self::admits`].
    fn has_left(self, measured: Measured, need: &PlacementNeed) -> Result<(), NotEligible> {
        let Overcommit {
            memory_percent,
            disk_percent,
        } = self.overcommit;
        // A sandbox is expected to use the part of its size that the overcommit is based on: with 200 %, half of it.
        let enough = |free: u64, percent: u16, needed: u32| {
            u128::from(free) * u128::from(percent) >= u128::from(needed) * 100
        };
        if !enough(measured.free_memory_mib, memory_percent, need.memory_mib) {
            return Err(NotEligible::NoMemory);
        }
        if !enough(measured.pool_free_bytes >> 20, disk_percent, need.disk_mib) {
            return Err(NotEligible::NoDisk);
        }
        Ok(())
    }

    /// The reasons of all candidates that are not eligible.
    pub fn refusals(self, candidates: &[Candidate], need: &PlacementNeed) -> Refusals {
        let mut refusals = Refusals::default();
        for host in candidates {
            if let Err(reason) = self.eligible(host, need) {
                refusals.add(reason);
            }
        }
        refusals
    }

    /// The eligible hosts in the order in which they are tried.
    ///
    /// `cursor` is a number that the caller increases with each placement. Round robin arranges the eligible hosts in a ring in the order
    /// of their ids and begins at the place `cursor` of the ring, so that each placement begins at the host after the one where the
    /// placement before began: while the eligible hosts stay the same, each of `n` hosts is first once in `n` placements. A host that
    /// comes or goes moves the places of the others once. A number that each control plane keeps for itself is enough: two rings
    /// that turn independently place the same share on each host.
    ///
    /// Least loaded ignores `cursor`. Hosts with equal scores are tried in the order of their ids.
    pub fn rank(self, cursor: u64, candidates: &[Candidate], need: &PlacementNeed) -> Vec<HostId> {
        let is_eligible = |host: &&Candidate| self.eligible(host, need).is_ok();
        let mut hosts: Vec<&Candidate> = candidates.iter().filter(is_eligible).collect();
        hosts.sort_by_key(|host| host.host);
        match self.kind {
            SchedulerKind::RoundRobin => {
                let start = u64::try_from(hosts.len())
                    .ok()
                    .and_then(|count| cursor.checked_rem(count))
                    .and_then(|start| usize::try_from(start).ok());
                hosts.rotate_left(start.unwrap_or_default());
            }
            // The sort is stable and keeps the order of ids among equal scores.
            SchedulerKind::LeastLoaded => hosts.sort_by_key(|host| Reverse(self.score(host))),
        }
        hosts.into_iter().map(|host| host.host).collect()
    }

    fn score(self, host: &Candidate) -> Score {
        Resources::new(host.capacity, host.used, self.overcommit).score()
    }
}

fn is_for_team(host: &Candidate, need: &PlacementNeed) -> bool {
    match host.kind {
        HostKind::Byoc => need.team_brings_hosts && host.team == Some(need.team),
        HostKind::Regular => !need.team_brings_hosts,
    }
}
