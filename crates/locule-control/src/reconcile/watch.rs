//! The watch of a host: a stream of reports, each of which is written at once. A watch that ends starts again, and then reports
//! every sandbox first.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures::StreamExt as _;
use locule_agent_api::{AgentError, SandboxReport, WatchEvent};
use locule_base::backoff::Backoff;
use locule_ids::SandboxId;
use locule_store::sandboxes;
use tokio_util::sync::CancellationToken;

use crate::error::CommonError;
use crate::hosts::links::{HostLink, Unwatched};
use crate::reconcile::reported::{Difference, difference};
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// Reports that are compared with their rows by one statement.
const TOGETHER_MAX: usize = 200;

pub(crate) async fn run(
    sandboxes: Sandboxes,
    watched: Unwatched,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let Unwatched {
        link: host,
        dropped,
    } = watched;
    let mut refused = false;
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        let watched = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = dropped.cancelled() => return Ok(()),
            watched = follow(&sandboxes, &host) => watched,
        };
        match watched {
            Ok(()) => {
                refused = false;
                backoff.reset();
            }
            Err(error) => {
                let unsupported = matches!(
                    error.downcast_ref(),
                    Some(AgentError::UnsupportedProtocol { .. })
                );
                let error = format!("{error:#}");
                if unsupported && !refused {
                    tracing::error!(host.id = %host.id, error, "the control plane refuses a host");
                } else {
                    tracing::debug!(host.id = %host.id, error, "the watch of a host broke");
                }
                refused = unsupported;
            }
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = dropped.cancelled() => return Ok(()),
            () = tokio::time::sleep(backoff.next_wait()) => {}
        }
    }
}

async fn follow(sandboxes: &Sandboxes, host: &HostLink) -> anyhow::Result<()> {
    let events = host.agent.watch_sandboxes().await?;
    // The full list comes first: reports that arrive together are compared with their rows together.
    let mut arrived = events.ready_chunks(TOGETHER_MAX);
    while let Some(events) = arrived.next().await {
        let mut reports = Vec::new();
        let mut broken = None;
        for event in events {
            match event {
                Ok(WatchEvent::Report { report, .. }) => reports.push(report),
                Ok(WatchEvent::Complete) => {}
                Err(error) => broken = Some(error),
            }
        }
        write_reports(sandboxes, host, &reports).await?;
        if let Some(error) = broken {
            return Err(error.into());
        }
    }
    Ok(())
}

/// Writes the reports that differ from their rows.
async fn write_reports(
    sandboxes: &Sandboxes,
    host: &HostLink,
    reports: &[SandboxReport],
) -> Result<(), SandboxError> {
    let told = match reports {
        // A single report is compared when it is written.
        [] | [_] => HashSet::new(),
        _ => already_told(sandboxes, host, reports).await?,
    };
    let news = reports.iter().filter(|one| !told.contains(&one.sandbox));
    for report in news {
        match sandboxes.apply_report(host.id, report).await {
            Ok(_) => {}
            // Without the database no report can be written; the next watch reports every sandbox again.
            Err(error @ SandboxError::Common(CommonError::Unavailable(_))) => return Err(error),
            // A row that cannot be read must not stop the reports of the other sandboxes.
            Err(error) => {
                tracing::warn!(sandbox.id = %report.sandbox, error = locule_base::errors::chain(&error), "the report of a host could not be written");
            }
        }
    }
    Ok(())
}

/// The sandboxes of reports that change nothing in the rows. A sandbox that is reported more than once is not among them.
async fn already_told(
    sandboxes: &Sandboxes,
    host: &HostLink,
    reports: &[SandboxReport],
) -> Result<HashSet<SandboxId>, SandboxError> {
    let mut once = BTreeMap::new();
    for report in reports {
        let reported = once.entry(report.sandbox).or_insert(Some(report));
        *reported = reported.filter(|first| std::ptr::eq(*first, report));
    }
    let ids: Vec<SandboxId> = once.keys().copied().collect();
    let mut conn = sandboxes
        .core
        .connection()
        .await
        .map_err(SandboxError::from)?;
    let rows = sandboxes::get_many(&mut conn, &ids).await?;
    let (mut told, mut used) = (HashSet::new(), Vec::new());
    for (id, row) in rows {
        let (Ok(row), Some(Some(report))) = (row, once.get(&id)) else {
            continue;
        };
        if row.host != Some(host.id) {
            continue;
        }
        match difference(&row, report) {
            Difference::Nothing => {}
            Difference::LaterUse(at) => used.push((id, at)),
            Difference::More => continue,
        }
        told.insert(id);
    }
    if !used.is_empty() {
        sandboxes::touch_many(&mut conn, &used).await?;
    }
    Ok(told)
}
