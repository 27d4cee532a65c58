//! The sandbox sweep: a periodic job that compares every row with what its host holds, and reconciles what differs.
//!
//! It takes up rows that a host contradicts, desired states whose request failed or lost its process, and sandboxes on a host that
//! no row names. It does not destroy a sandbox without a row: such a sandbox is paused and left to an operator. It draws no
//! conclusion from a host that does not answer, nor where the database [is older than its hosts](super::database). It takes no
//! input, is idempotent, and reads a bounded number of rows at a time.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt as _;
use locule_agent_api::{ReportedState, SandboxReport};
use locule_ids::SandboxId;
use locule_store::sandboxes;

use crate::background::periodic::Pass;
use crate::reconcile::inventory::HostInventory;
use crate::reconcile::quarantine::quarantine;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// The pause between two passes.
pub(crate) const PERIOD: Duration = Duration::from_secs(15);
/// Rows read at a time.
const PAGE: u16 = 500;
/// Sandboxes reconciled at the same time: a slow order delays a few of them, not all.
const RECONCILED_AT_ONCE: usize = 8;

/// One pass.
pub(crate) async fn once(sandboxes: &Sandboxes) -> Result<Pass, SandboxError> {
    let inventory = HostInventory::fetch(sandboxes).await?;
    let (mut seen, mut after, mut pass) = (HashSet::new(), None, Pass::default());
    loop {
        let mut conn = sandboxes.core.connection().await?;
        let page = sandboxes::unreconciled(&mut conn, after, i64::from(PAGE)).await?;
        drop(conn);
        after = page.last().map(|(id, _)| *id);
        let full = page.len() == usize::from(PAGE);
        seen.extend(page.iter().map(|(id, _)| *id));
        pass += reconcile_rows(sandboxes, page, &inventory).await;
        if !full {
            break;
        }
    }
    for (host, reports) in inventory.hosts() {
        let unseen: Vec<&SandboxReport> = reports
            .filter(|report| report.state != ReportedState::Stopped)
            .filter(|report| !seen.contains(&report.sandbox))
            .collect();
        for reports in unseen.chunks(usize::from(PAGE)) {
            let ids: Vec<SandboxId> = reports.iter().map(|report| report.sandbox).collect();
            let mut conn = sandboxes.core.connection().await?;
            let rows = sandboxes::get_many(&mut conn, &ids).await?;
            drop(conn);
            let known: HashSet<SandboxId> = rows.iter().map(|(id, _)| *id).collect();
            pass += reconcile_rows(sandboxes, rows, &inventory).await;
            let without_row = |report: &&&SandboxReport| !known.contains(&report.sandbox);
            for report in reports.iter().filter(without_row) {
                if let Some(host) = sandboxes.inner.links.kept(host) {
                    quarantine(&host, report).await;
                }
            }
        }
    }
    Ok(pass)
}

async fn reconcile_rows(
    sandboxes: &Sandboxes,
    rows: Vec<sandboxes::Read>,
    inventory: &HostInventory,
) -> Pass {
    let reconciled = rows.into_iter().map(async |(id, row)| {
        let mut pass = Pass {
            found: 1,
            ..Pass::default()
        };
        let reconciled = match row {
            // Most rows are as they should be, and cost no statement.
            Ok(sandbox) if inventory.settles(&sandbox) => Ok(false),
            Ok(sandbox) => sandboxes.reconcile_row(sandbox.id, inventory).await,
            Err(error) => Err(error.into()),
        };
        pass.changed = u64::from(matches!(reconciled, Ok(true)));
        if let Err(error) = reconciled {
            pass.failed = 1;
            tracing::warn!(sandbox.id = %id, error = locule_base::errors::chain(&error), "a sandbox could not be reconciled; the next sweep tries again");
        }
        pass
    });
    let mut ended = futures::stream::iter(reconciled).buffer_unordered(RECONCILED_AT_ONCE);
    let mut pass = Pass::default();
    while let Some(one) = ended.next().await {
        pass += one;
    }
    pass
}
