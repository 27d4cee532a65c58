//! What every host holds, fetched once for a pass of the [sweep](super::sweep).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_agent_api::SandboxReport;
use locule_domain::{Desired, Sandbox, next_action};
use locule_ids::{HostId, SandboxId};

use crate::error::CommonError;
use crate::reconcile::changes::changed_by_report;
use crate::reconcile::overdue::is_overdue;
use crate::sandboxes::Sandboxes;

/// The reports of the hosts that answered, by host.
pub(crate) struct HostInventory {
    /// When the hosts were asked: a row that changed later may be ahead of its report.
    pub(crate) asked_at: DateTime<Utc>,
    by_host: BTreeMap<HostId, BTreeMap<SandboxId, SandboxReport>>,
}

/// The answer of a sandbox's host about the sandbox.
#[derive(Clone, Copy)]
pub(crate) enum HostAnswer<'a> {
    Reported(&'a SandboxReport),
    /// The host answered, and does not hold the sandbox.
    Absent,
    /// The host did not answer, or the sandbox has no host.
    None,
}

impl HostInventory {
    /// Asks all online hosts at the same time. A host that is newer than the database counts as a host that did not answer.
    pub(crate) async fn fetch(sandboxes: &Sandboxes) -> Result<Self, CommonError> {
        let asked_at = sandboxes.core.now();
        let hosts = sandboxes.online_hosts().await?;
        let answers = hosts.iter().map(async |host| {
            let comparable = sandboxes.is_comparable(host).await;
            comparable.ok().filter(|comparable| *comparable)?;
            let reports = host.agent.list_sandboxes().await.ok()?;
            let by_id = |report: SandboxReport| (report.sandbox, report);
            Some((host.id, reports.into_iter().map(by_id).collect()))
        });
        let answers = futures::future::join_all(answers).await;
        Ok(Self {
            asked_at,
            by_host: answers.into_iter().flatten().collect(),
        })
    }

    pub(crate) fn hosts(
        &self,
    ) -> impl Iterator<Item = (HostId, impl Iterator<Item = &SandboxReport>)> {
        let by_host = self.by_host.iter();
        by_host.map(|(host, reports)| (*host, reports.values()))
    }

    /// Whether a sandbox is as its row says and as it should be, so that [`Sandboxes::reconcile_row`] has nothing to do.
    pub(crate) fn settles(&self, sandbox: &Sandbox) -> bool {
        if sandbox.state.is_final() || sandbox.desired == Desired::Gone {
            return false;
        }
        match self.of(sandbox) {
            HostAnswer::Reported(report) => {
                report.generation == sandbox.generation
                    && next_action(sandbox.desired, sandbox.state).is_none()
                    && changed_by_report(sandbox, report).is_none()
                    && !is_overdue(sandbox, report, self.asked_at)
            }
            HostAnswer::Absent => false,
            HostAnswer::None => sandbox.host.is_some(),
        }
    }

    pub(crate) fn of(&self, sandbox: &Sandbox) -> HostAnswer<'_> {
        let reports = sandbox.host.and_then(|host| self.by_host.get(&host));
        let Some(reports) = reports else {
            return HostAnswer::None;
        };
        let report = reports.get(&sandbox.id);
        report.map_or(HostAnswer::Absent, HostAnswer::Reported)
    }
}
