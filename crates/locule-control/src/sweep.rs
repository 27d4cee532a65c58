//! What got lost: rows that hosts disagree with, wishes that a crash left half done, keys' last use.
//!
//! Takes no input, is idempotent and bounded. Nothing is concluded from a host that did not answer, and nothing at all where
//! the database [went back in time](crate::database). A sandbox without a row is never destroyed.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use locule_agent_api::{Order, ReportedState, SandboxReport};
use locule_domain::Sandbox;
use locule_ids::{HostId, SandboxId};
use locule_store::sandboxes;

use crate::error::ControlError;
use crate::hosts::HostLink;
use crate::sandboxes::Sandboxes;

pub(crate) const PERIOD: Duration = Duration::from_secs(15);
/// Rows read at a time.
const PAGE: u16 = 500;
/// Sandboxes settled at the same time: a slow order holds up a few, not all.
const TOGETHER: usize = 8;

/// What the hosts that answered hold, by host.
pub(crate) struct Held {
    /// Asked at this moment: rows that changed since may be ahead.
    pub(crate) asked_at: DateTime<Utc>,
    by_host: HashMap<HostId, HashMap<SandboxId, SandboxReport>>,
}

impl Held {
    async fn ask(sandboxes: &Sandboxes) -> Self {
        let asked_at = sandboxes.core.now();
        let answers = sandboxes.inner.hosts.iter().map(async |host| {
            // Of one that is not judged nothing is known, as of one that is silent.
            sandboxes.may_judge(host).await.ok().filter(|may| *may)?;
            let reports = host.agent.list_sandboxes().await.ok()?;
            let by_id = |report: SandboxReport| (report.sandbox, report);
            Some((host.id, reports.into_iter().map(by_id).collect()))
        });
        let answers = futures::future::join_all(answers).await;
        Self {
            asked_at,
            by_host: answers.into_iter().flatten().collect(),
        }
    }

    pub(crate) fn of(&self, sandbox: &Sandbox) -> Answer<'_> {
        let held = sandbox.host.and_then(|host| self.by_host.get(&host));
        let Some(held) = held else {
            return Answer::Silence;
        };
        held.get(&sandbox.id).map_or(Answer::Absent, Answer::Holds)
    }
}

/// What the host of one sandbox says of it.
#[derive(Clone, Copy)]
pub(crate) enum Answer<'a> {
    Holds(&'a SandboxReport),
    /// The host answered, and does not hold it.
    Absent,
    /// The host did not answer, or there is none.
    Silence,
}

/// One pass over the truth.
pub(crate) async fn once(sandboxes: &Sandboxes) -> Result<(), ControlError> {
    let held = Held::ask(sandboxes).await;
    let (mut seen, mut after) = (HashSet::new(), None);
    loop {
        let mut conn = sandboxes.core.connection().await?;
        let page = sandboxes::unsettled(&mut conn, after, i64::from(PAGE)).await?;
        drop(conn);
        after = page.last().map(|(id, _)| *id);
        let full = page.len() == usize::from(PAGE);
        seen.extend(page.iter().map(|(id, _)| *id));
        settle_all(sandboxes, page, &held).await;
        if !full {
            break;
        }
    }
    // What hosts hold of sandboxes whose rows look settled, or that have none.
    for (host, reports) in &held.by_host {
        let alive = reports
            .values()
            .filter(|report| report.state != ReportedState::Stopped);
        let others: Vec<&SandboxReport> = alive
            .filter(|report| !seen.contains(&report.sandbox))
            .collect();
        for reports in others.chunks(usize::from(PAGE)) {
            let ids: Vec<SandboxId> = reports.iter().map(|report| report.sandbox).collect();
            let mut conn = sandboxes.core.connection().await?;
            let rows = sandboxes::get_many(&mut conn, &ids).await?;
            drop(conn);
            let known: HashSet<SandboxId> = rows.iter().map(|(id, _)| *id).collect();
            settle_all(sandboxes, rows, &held).await;
            for report in reports
                .iter()
                .filter(|report| !known.contains(&report.sandbox))
            {
                if let Some(host) = sandboxes.host(*host) {
                    quarantine(host, report).await;
                }
            }
        }
    }
    Ok(())
}

async fn settle_all(sandboxes: &Sandboxes, rows: Vec<sandboxes::Read>, held: &Held) {
    let settled = rows.into_iter().map(async |(id, row)| {
        let settled = match row {
            Ok(sandbox) => sandboxes.settle(sandbox.id, held).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = settled {
            tracing::warn!(sandbox.id = %id, error = locule_base::errors::chain(&error), "cannot settle a sandbox; the next sweep tries again");
        }
    });
    futures::stream::iter(settled)
        .buffer_unordered(TOGETHER)
        .collect::<()>()
        .await;
}

/// What no row knows is kept, as an image: an operator decides.
async fn quarantine(host: &HostLink, report: &SandboxReport) {
    let (sandbox, generation) = (report.sandbox, report.generation);
    tracing::warn!(sandbox.id = %sandbox, host.id = %host.id, state = ?report.state, "a host holds a sandbox that has no row; it is kept");
    if report.state == ReportedState::Running {
        let order = Order {
            sandbox,
            generation,
            write_mark: None,
        };
        if let Err(error) = host.agent.pause_sandbox(order).await {
            tracing::warn!(sandbox.id = %sandbox, error = locule_base::errors::chain(&error), "cannot pause it");
        }
    }
}
