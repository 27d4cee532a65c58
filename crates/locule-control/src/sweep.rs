//! What got lost: rows that hosts disagree with, wishes that a crash left half done, keys' last use.
//!
//! Takes no input, is idempotent and bounded. Nothing is concluded from a host that did not answer, and a sandbox without a
//! row is never destroyed: a database that went back in time has no row for everything made since.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use locule_agent_api::SandboxReport;
use locule_domain::{ErrorReason, Event, Sandbox, SandboxState, StopReason};
use locule_ids::{HostId, SandboxId};
use locule_store::{identity, sandboxes};
use tokio_util::sync::CancellationToken;

use crate::control::Control;
use crate::error::ControlError;

const PERIOD: Duration = Duration::from_secs(15);
/// Rows of one pass; the least recently touched first.
const BATCH: i64 = 500;
/// A create that takes longer than this is not under way any more.
const CREATE_BUDGET: chrono::Duration = chrono::Duration::seconds(240);
/// A row that changed a moment ago may be ahead of the list that was just fetched.
const SETTLING: chrono::Duration = chrono::Duration::seconds(5);

pub(crate) async fn run(control: Control, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        if let Err(error) = once(&control).await {
            tracing::warn!(
                error = locule_base::errors::chain(&error),
                "a sweep failed; the next one tries again"
            );
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(PERIOD) => {}
        }
    }
}

type Held = HashMap<SandboxId, SandboxReport>;

/// One pass over the truth.
pub(crate) async fn once(control: &Control) -> Result<(), ControlError> {
    control.write_used_keys().await?;
    let mut held: HashMap<HostId, Held> = HashMap::new();
    let listed_at = control.now();
    for host in &control.0.hosts {
        if let Ok(reports) = host.agent.list_sandboxes().await {
            held.insert(
                host.id,
                reports
                    .into_iter()
                    .map(|report| (report.sandbox, report))
                    .collect(),
            );
        }
    }
    let mut conn = control.connection().await?;
    let rows = sandboxes::unsettled(&mut conn, BATCH).await?;
    drop(conn);
    for sandbox in rows {
        let on_host = sandbox.host.and_then(|host| held.get(&host));
        if let Err(error) = control.settle(&sandbox, on_host, listed_at).await {
            tracing::warn!(sandbox.id = %sandbox.id, error = locule_base::errors::chain(&error), "cannot settle a sandbox; the next sweep tries again");
        }
    }
    Ok(())
}

impl Control {
    async fn write_used_keys(&self) -> Result<(), ControlError> {
        let used: Vec<_> = std::mem::take(&mut *self.used_keys()).into_iter().collect();
        if used.is_empty() {
            return Ok(());
        }
        let mut conn = self.connection().await?;
        Ok(identity::touch_keys(&mut conn, &used).await?)
    }

    async fn settle(
        &self,
        sandbox: &Sandbox,
        held: Option<&Held>,
        listed_at: DateTime<Utc>,
    ) -> Result<(), ControlError> {
        if sandbox.cleanup_pending {
            // Its row says that it ended; its host has not confirmed yet.
            self.destroy_on_host(sandbox).await?;
            let mut next = sandbox.clone();
            next.cleanup_pending = false;
            return self.write(sandbox, &next).await;
        }
        if let Some(held) = held {
            match held.get(&sandbox.id) {
                Some(report) => self.take_report(report).await?,
                None if listed_at - sandbox.last_updated > SETTLING => {
                    self.absent(sandbox, listed_at).await?;
                }
                None => {}
            }
        } else if sandbox.host.is_none() && listed_at - sandbox.created_at > CREATE_BUDGET {
            self.observe(sandbox.id, Event::Fail(ErrorReason::CreateFailed), |_| {})
                .await?;
        }
        let _order = self.lock(sandbox.id).await;
        self.reconcile(sandbox.id).await.map(drop)
    }

    /// The host is there and does not hold it.
    async fn absent(&self, sandbox: &Sandbox, now: DateTime<Utc>) -> Result<(), ControlError> {
        let event = match sandbox.state {
            SandboxState::Running | SandboxState::Missing => Event::Stop(StopReason::VmLost),
            SandboxState::Paused => Event::Fail(ErrorReason::ImageLost),
            SandboxState::Pending | SandboxState::Starting
                if now - sandbox.created_at > CREATE_BUDGET =>
            {
                Event::Fail(ErrorReason::CreateFailed)
            }
            SandboxState::Pending
            | SandboxState::Starting
            | SandboxState::Stopped { .. }
            | SandboxState::Error { .. } => {
                return Ok(());
            }
        };
        tracing::warn!(sandbox.id = %sandbox.id, state = %sandbox.state, "its host does not hold it");
        self.observe(sandbox.id, event, |_| {}).await.map(drop)
    }
}
