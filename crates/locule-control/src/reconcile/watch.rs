//! The watch of a host: a stream of reports, each of which is written at once. A watch that ends starts again, and then reports
//! every sandbox first.

use std::time::Duration;

use futures::StreamExt as _;
use locule_agent_api::{AgentError, WatchEvent};
use locule_base::backoff::Backoff;
use tokio_util::sync::CancellationToken;

use crate::error::CommonError;
use crate::hosts::links::{HostLink, Unwatched};
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

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
    let mut events = host.agent.watch_sandboxes().await?;
    while let Some(event) = events.next().await {
        if let WatchEvent::Report { report, .. } = event? {
            match sandboxes.apply_report(host.id, &report).await {
                Ok(()) => {}
                // Without the database no report can be written; the next watch reports every sandbox again.
                Err(error @ SandboxError::Common(CommonError::Unavailable(_))) => {
                    return Err(error.into());
                }
                // A row that cannot be read must not stop the reports of the other sandboxes.
                Err(error) => {
                    tracing::warn!(sandbox.id = %report.sandbox, error = locule_base::errors::chain(&error), "the report of a host could not be written");
                }
            }
        }
    }
    Ok(())
}
