//! What one host holds, as it answered a pass of the [sweep](super::sweep).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use locule_agent_api::{SandboxReport, WriteMark};
use locule_domain::{Desired, Sandbox, next_action};
use locule_ids::{HostId, SandboxId};
use locule_store::hosts::OnlineHost;

use crate::reconcile::overdue::{is_overdue, overdue_from};
use crate::reconcile::reported::{Difference, difference};
use crate::sandboxes::Sandboxes;

type Reports = BTreeMap<SandboxId, SandboxReport>;

/// The hosts that a [`HostInventory`] is about.
enum Asked {
    /// One host; without reports if it did not answer.
    Host(HostId, Option<Reports>),
    /// Every host but these, which are online. The others do not answer.
    AllBut(BTreeSet<HostId>),
}

/// The reports of a host.
pub(crate) struct HostInventory {
    /// When the host was asked: a row that changed later may be ahead of its report.
    pub(crate) asked_at: DateTime<Utc>,
    /// The latest write mark that the host has seen.
    pub(crate) write_mark: Option<WriteMark>,
    asked: Asked,
}

/// The answer of a sandbox's host about the sandbox.
#[derive(Clone, Copy)]
pub(crate) enum HostAnswer<'a> {
    Reported(&'a SandboxReport),
    /// The host answered, and does not hold the sandbox.
    Absent,
    /// The host did not answer, or the sandbox has no host.
    None,
    /// The inventory is about another host than the sandbox's.
    NotAsked,
}

/// A sandbox is as its row says and as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// The host knows of a later use of the sandbox than the row.
    pub(crate) used_at: Option<DateTime<Utc>>,
    /// From this moment on the sandbox may be overdue.
    pub(crate) until: Option<DateTime<Utc>>,
}

impl HostInventory {
    /// Asks a host. Takes no connection of the database: a pass does not go on with the answers of other hosts all the time.
    pub(crate) async fn fetch(sandboxes: &Sandboxes, host: &OnlineHost) -> Self {
        let asked_at = sandboxes.core.now();
        let answer = ask(sandboxes, host).await;
        let (write_mark, reports) = answer.map_or((None, None), |(mark, all)| (mark, Some(all)));
        Self {
            asked_at,
            write_mark,
            asked: Asked::Host(host.id, reports),
        }
    }

    /// Makes the host one that did not answer.
    pub(crate) fn ignore_answer(&mut self) {
        if let Asked::Host(_, reports) = &mut self.asked {
            *reports = None;
        }
    }

    /// Of hosts that are not online.
    pub(crate) fn of_silent_hosts(asked_at: DateTime<Utc>, online: BTreeSet<HostId>) -> Self {
        Self {
            asked_at,
            write_mark: None,
            asked: Asked::AllBut(online),
        }
    }

    /// Whether the inventory says nothing about a host.
    pub(crate) fn leaves_out(&self, host: HostId) -> bool {
        match &self.asked {
            Asked::Host(asked, _) => *asked != host,
            Asked::AllBut(online) => online.contains(&host),
        }
    }

    /// The reports of a host that answered.
    pub(crate) fn reports(&self) -> Option<impl Iterator<Item = &SandboxReport>> {
        match &self.asked {
            Asked::Host(_, reports) => reports.as_ref().map(BTreeMap::values),
            Asked::AllBut(_) => None,
        }
    }

    pub(crate) fn of(&self, sandbox: &Sandbox) -> HostAnswer<'_> {
        if sandbox.host.is_some_and(|host| self.leaves_out(host)) {
            return HostAnswer::NotAsked;
        }
        let (Asked::Host(_, Some(reports)), Some(_)) = (&self.asked, sandbox.host) else {
            return HostAnswer::None;
        };
        let report = reports.get(&sandbox.id);
        report.map_or(HostAnswer::Absent, HostAnswer::Reported)
    }

    /// `None`: [`Sandboxes::reconcile_row`] has something to do.
    pub(crate) fn agreement(&self, sandbox: &Sandbox) -> Option<Agreement> {
        if sandbox.state.is_final() || sandbox.desired == Desired::Gone {
            return None;
        }
        let mut agreement = Agreement {
            used_at: None,
            until: None,
        };
        match self.of(sandbox) {
            HostAnswer::Reported(report) => {
                let agrees = report.generation == sandbox.generation
                    && next_action(sandbox.desired, sandbox.state).is_none()
                    && !is_overdue(sandbox, report, self.asked_at);
                if !agrees {
                    return None;
                }
                match difference(sandbox, report) {
                    Difference::Nothing => {}
                    Difference::LaterUse(at) => agreement.used_at = Some(at),
                    Difference::More => return None,
                }
                agreement.until = overdue_from(sandbox, report, self.asked_at);
                Some(agreement)
            }
            HostAnswer::Absent => None,
            HostAnswer::None => sandbox.host.is_some().then_some(agreement),
            HostAnswer::NotAsked => Some(agreement),
        }
    }
}

async fn ask(sandboxes: &Sandboxes, host: &OnlineHost) -> Option<(Option<WriteMark>, Reports)> {
    let link = sandboxes.inner.links.keep(host.id, &host.address)?;
    let info = link.agent.host().await.ok()?;
    let reports = link.agent.list_sandboxes().await.ok()?;
    let by_id = |report: SandboxReport| (report.sandbox, report);
    let reports = reports.into_iter().map(by_id).collect();
    Some((info.write_mark, reports))
}
