//! The host monitor: a periodic job about hosts that are silent, and about hosts that are drained.
//!
//! | host | its sandboxes |
//! |---|---|
//! | online, no heartbeat for 90 s | the host becomes unreachable |
//! | unreachable | pending, starting and running ones become missing, which the next report of the host undoes (B-117, B-119) |
//! | drained with `pause` | running ones are paused |
//!
//! A host is silent only if the control plane could have received its heartbeats: the time in which this process had no database, or
//! did not run, does not count.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt as _, StreamExt as _};
use locule_domain::host::HEARTBEAT_LIMIT;
use locule_domain::{
    Desired, HostEvent, HostState, PauseReason, Sandbox, SandboxEvent, SandboxState,
};
use locule_ids::{HostId, SandboxId};
use locule_store::{hosts, sandboxes};

use crate::audit::{self, AuditEvent, HostAuditEvent, SandboxAuditEvent};
use crate::background::periodic::Pass;
use crate::caller::Actor;
use crate::error::CommonError;
use crate::reconcile::reported::Change;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::locks::OrderGuard;

/// The pause between two passes.
pub(crate) const PERIOD: Duration = Duration::from_secs(15);
/// Sandboxes that are changed at the same time.
const CHANGED_AT_ONCE: usize = 8;

/// Cheap to clone; clones share the state.
#[derive(Debug, Clone)]
pub(crate) struct Monitor {
    sandboxes: Sandboxes,
    /// Since when every pass of this process has had the database.
    watching_since: Arc<Mutex<Option<DateTime<Utc>>>>,
}

impl Monitor {
    pub(crate) fn new(sandboxes: Sandboxes) -> Self {
        Self {
            sandboxes,
            watching_since: Arc::default(),
        }
    }

    fn watching_since(&self, change: impl FnOnce(&mut Option<DateTime<Utc>>)) {
        change(
            &mut self
                .watching_since
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// One pass.
    pub(crate) async fn pass(&self) -> Result<Pass, SandboxError> {
        let done = self.pass_once().await;
        if done.is_err() {
            self.watching_since(|since| *since = None);
        }
        done
    }

    async fn pass_once(&self) -> Result<Pass, SandboxError> {
        let mut pass = Pass::default();
        pass += self.mark_silent_hosts().await?;
        let (unreachable, drained) = {
            let mut conn = self.sandboxes.core.connection().await?;
            let unreachable = hosts::unreachable(&mut conn).await?;
            (unreachable, hosts::drained(&mut conn).await?)
        };
        for host in unreachable {
            pass += self.mark_missing(host).await?;
        }
        for host in drained {
            pass += self.sandboxes.pause_drained(host).await?;
        }
        Ok(pass)
    }

    async fn mark_silent_hosts(&self) -> Result<Pass, CommonError> {
        let core = &self.sandboxes.core;
        let now = core.now();
        let limit = now - HEARTBEAT_LIMIT;
        let mut conn = core.connection().await?;
        let silent = hosts::silent(&mut conn, limit).await?;
        drop(conn);
        let mut began = now;
        self.watching_since(|since| began = *since.get_or_insert(now));
        if began > limit {
            return Ok(Pass::default());
        }
        let mut pass = Pass::default();
        for id in silent {
            pass.found += 1;
            let mut tx = core.transaction().await?;
            let Some(host) = hosts::lock(&mut tx, id).await? else {
                continue;
            };
            let next = host.state.apply(HostEvent::Silent);
            let is_silent = host.last_heartbeat_at.is_some_and(|at| at < limit);
            if !is_silent || host.state != HostState::Online {
                continue;
            }
            hosts::set_state(&mut tx, id, next, now).await?;
            if let Some(team) = host.team {
                let event = AuditEvent::Host(id, HostAuditEvent::MarkedDown);
                audit::write(&mut tx, &Actor::System, team, &event, now).await?;
            }
            core.commit(tx).await?;
            pass.changed += 1;
            tracing::warn!(host.id = %id, address = host.address, "a host has sent no heartbeat for 90 s: the host is {next}");
        }
        Ok(pass)
    }

    /// Marks what should run on a host that is unreachable.
    async fn mark_missing(&self, host: HostId) -> Result<Pass, SandboxError> {
        let should_run = [SandboxState::Starting, SandboxState::Running];
        let sandboxes = &self.sandboxes;
        let found = sandboxes.on_host_in(host, &should_run).await?;
        let changes = found
            .into_iter()
            .map(|id| sandboxes.mark_missing(host, id).map(move |done| (id, done)));
        Ok(count(host, changes).await)
    }
}

impl Sandboxes {
    /// Pauses what runs on a host that is drained.
    pub(crate) async fn pause_drained(&self, host: HostId) -> Result<Pass, SandboxError> {
        let found = self.on_host_in(host, &[SandboxState::Running]).await?;
        let changes = found
            .into_iter()
            .map(|id| self.pause_on_drained(host, id).map(move |done| (id, done)));
        Ok(count(host, changes).await)
    }

    /// The sandboxes on a host that are in one of these states.
    async fn on_host_in(
        &self,
        host: HostId,
        states: &[SandboxState],
    ) -> Result<Vec<SandboxId>, SandboxError> {
        let mut conn = self.core.connection().await?;
        let held = sandboxes::on_host(&mut conn, host).await?;
        let held = held.iter();
        let found = held.filter(|sandbox| states.contains(&sandbox.state));
        Ok(found.map(|sandbox| sandbox.id).collect())
    }

    /// Changes a sandbox, unless an order about the sandbox is in progress: the request that sent the order writes the result. The
    /// caller may send an order as long as it keeps the guard.
    async fn change_idle(
        &self,
        id: SandboxId,
        decide: impl Fn(&Sandbox) -> Option<Change>,
    ) -> Result<Option<(OrderGuard, Sandbox)>, SandboxError> {
        let Some(order) = self.try_lock(id) else {
            return Ok(None);
        };
        let row = self.change(id, |seen| Ok(decide(seen))).await?;
        Ok(Some((order, row)))
    }

    /// Returns whether the sandbox is missing.
    async fn mark_missing(&self, host: HostId, id: SandboxId) -> Result<bool, SandboxError> {
        let changed = self.change_idle(id, |seen| {
            let state = seen.state.apply(SandboxEvent::HostLost).ok();
            let state = state.filter(|state| *state != seen.state && seen.host == Some(host));
            state.map(|state| {
                let mut next = seen.clone();
                next.state = state;
                Change::observed(seen, next)
            })
        });
        let changed = changed.await?;
        Ok(changed.is_some_and(|(_, row)| row.state == SandboxState::Missing))
    }

    /// Returns whether the sandbox is paused.
    async fn pause_on_drained(&self, host: HostId, id: SandboxId) -> Result<bool, SandboxError> {
        let changed = self.change_idle(id, |seen| {
            let runs = (seen.state, seen.desired) == (SandboxState::Running, Desired::Running);
            (runs && seen.host == Some(host)).then(|| {
                let mut next = seen.clone();
                next.desired = Desired::Paused;
                next.generation += 1;
                let reason = PauseReason::HostDrained.as_str().to_owned();
                (next.status_reason, next.last_error) = (Some(reason), None);
                let record = Some((Actor::System, SandboxAuditEvent::AutoPause));
                Change { next, record }
            })
        });
        let Some((_order, _)) = changed.await? else {
            return Ok(false);
        };
        let row = self.reconcile(id).await?;
        Ok(row.state == SandboxState::Paused)
    }
}

/// Makes changes of sandboxes, several at the same time, and counts them. A change that fails is logged.
async fn count<F>(host: HostId, changes: impl ExactSizeIterator<Item = F>) -> Pass
where
    F: Future<Output = (SandboxId, Result<bool, SandboxError>)>,
{
    let mut pass = Pass {
        found: u64::try_from(changes.len()).unwrap_or(u64::MAX),
        ..Pass::default()
    };
    let mut ended = futures::stream::iter(changes).buffer_unordered(CHANGED_AT_ONCE);
    while let Some((id, changed)) = ended.next().await {
        match changed {
            Ok(is_changed) => pass.changed += u64::from(is_changed),
            Err(error) => {
                pass.failed += 1;
                tracing::warn!(sandbox.id = %id, host.id = %host, error = locule_base::errors::chain(&error), "a sandbox could not be changed; the next pass tries again");
            }
        }
    }
    pass
}
