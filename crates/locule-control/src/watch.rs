//! One watch per host: every change it tells is written at once. When the watch breaks, it starts over with the full list.

use std::time::Duration;

use futures::StreamExt as _;
use locule_agent_api::{AgentError, WatchEvent};
use locule_base::backoff::Backoff;
use tokio_util::sync::CancellationToken;

use crate::error::ControlError;
use crate::hosts::HostLink;
use crate::sandboxes::Sandboxes;

pub(crate) async fn run(
    sandboxes: Sandboxes,
    host: HostLink,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut refused = false;
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        let watched = tokio::select! {
            () = stop.cancelled() => return Ok(()),
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
            () = tokio::time::sleep(backoff.next_wait()) => {}
        }
    }
}

async fn follow(sandboxes: &Sandboxes, host: &HostLink) -> anyhow::Result<()> {
    let mut events = host.agent.watch_sandboxes().await?;
    while let Some(event) = events.next().await {
        if let WatchEvent::Report { report, .. } = event? {
            match sandboxes.take_report(host.id, &report).await {
                Ok(()) => {}
                // Nothing can be written now: all of it is told again by the next watch.
                Err(error @ ControlError::Unavailable(_)) => return Err(error.into()),
                // One row that cannot be read must not hide the news of the others.
                Err(error) => {
                    tracing::warn!(sandbox.id = %report.sandbox, error = locule_base::errors::chain(&error), "cannot write what a host says");
                }
            }
        }
    }
    Ok(())
}
