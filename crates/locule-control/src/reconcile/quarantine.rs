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

/// The reports of the sandboxes that exist on a host and have no row.
pub(crate) async fn without_row(
    conn: &mut PgConnection,
    reports: Vec<SandboxReport>,
) -> Result<Vec<SandboxReport>, StoreError> {
    let mut held = reports;
    held.retain(|report| report.state != ReportedState::Stopped);
    let mut known = HashSet::new();
    for page in held.chunks(PAGE) {
        let ids: Vec<SandboxId> = page.iter().map(|report| report.sandbox).collect();
        let rows = sandboxes::get_many(conn, &ids).await?;
        known.extend(rows.into_iter().map(|(id, _)| id));
    }
    held.retain(|report| !known.contains(&report.sandbox));
    Ok(held)
}

/// The sandboxes among the reports of a host that exist and have no row.
pub async fn quarantined(
    pool: &PgPool,
    reports: Vec<SandboxReport>,
) -> Result<Vec<SandboxReport>, CommonError> {
    let mut conn = pool.acquire().await.map_err(StoreError::from)?;
    Ok(without_row(&mut conn, reports).await?)
}
