//! Sandboxes that a host holds and that have no row: the database went back in time, or is another one. The sweep pauses these
//! sandboxes, and the host keeps them until an operator imports them or deletes the host. A missing row is no order to destroy.

use std::collections::HashSet;

use locule_agent_api::{AgentError, Order, ReportedState, SandboxReport};
use locule_ids::SandboxId;
use locule_store::{PgConnection, PgPool, StoreError, sandboxes};

use crate::error::CommonError;
use crate::hosts::links::HostLink;

/// Ids of rows that are read at a time.
const PAGE: usize = 500;

/// Pauses a sandbox that has no row, so that an operator can decide about it.
pub(crate) async fn quarantine(host: &HostLink, report: &SandboxReport) {
    let sandbox = report.sandbox;
    tracing::warn!(sandbox.id = %sandbox, host.id = %host.id, state = ?report.state, "a host holds a sandbox that has no row; the sandbox is kept");
    if report.state != ReportedState::Running {
        return;
    }
    if let Err(error) = pause(host, report).await {
        tracing::warn!(sandbox.id = %sandbox, host.id = %host.id, error = locule_base::errors::chain(&error), "a sandbox that has no row could not be paused");
    }
}

/// Pauses a sandbox at the generation that the host reports: no row says another one.
pub(crate) async fn pause(
    host: &HostLink,
    report: &SandboxReport,
) -> Result<SandboxReport, AgentError> {
    let order = Order {
        sandbox: report.sandbox,
        generation: report.generation,
        write_mark: None,
    };
    host.agent.pause_sandbox(order).await
}

/// What a host reports of sandboxes, beside the rows of these sandboxes.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    pub(crate) rows: Vec<sandboxes::Read>,
    /// The reports of the sandboxes that have no row.
    pub(crate) without_row: Vec<SandboxReport>,
}

/// Reads the rows of the sandboxes that a host reports. A report of a stopped sandbox counts for none: the host holds nothing of it.
pub(crate) async fn match_rows(
    conn: &mut PgConnection,
    reports: impl IntoIterator<Item = &SandboxReport>,
) -> Result<Matched, StoreError> {
    let mut matched = Matched::default();
    let held = |report: &&SandboxReport| report.state != ReportedState::Stopped;
    let held: Vec<&SandboxReport> = reports.into_iter().filter(held).collect();
    for page in held.chunks(PAGE) {
        let ids: Vec<SandboxId> = page.iter().map(|report| report.sandbox).collect();
        let rows = sandboxes::get_many(conn, &ids).await?;
        let known: HashSet<SandboxId> = rows.iter().map(|(id, _)| *id).collect();
        let without_row = page
            .iter()
            .filter(|report| !known.contains(&report.sandbox));
        matched.without_row.extend(without_row.copied().cloned());
        matched.rows.extend(rows);
    }
    Ok(matched)
}

/// The sandboxes among the reports of a host that exist and have no row.
pub async fn quarantined(
    pool: &PgPool,
    reports: Vec<SandboxReport>,
) -> Result<Vec<SandboxReport>, CommonError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    Ok(match_rows(&mut conn, &reports).await?.without_row)
}
