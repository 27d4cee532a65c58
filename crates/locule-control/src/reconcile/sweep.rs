//! The sandbox sweep: a periodic job that compares rows with what their hosts hold, and reconciles what differs.
//!
//! ```text
//! online hosts, less those that agree ([`KnownHosts`]) ──► ask each ──► its rows against its list ──► reconcile_row for each difference
//! rows that are owed something and have no online host ───────────────────────────────────────────►─┘
//! ```
//!
//! It takes up rows that a host contradicts, desired states whose request failed or lost its process, and sandboxes on a host that
//! no row names. It does not destroy a sandbox without a row: such a sandbox is paused and left to an operator. It draws no
//! conclusion from a host that does not answer, nor where the database [is older than its hosts](super::database). It takes no
//! input, is idempotent, and reads a bounded number of rows at a time.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use locule_agent_api::{SandboxReport, inventory_hash};
use locule_ids::{HostId, SandboxId};
use locule_store::hosts::{self, OnlineHost};
use locule_store::sandboxes;

use crate::background::periodic::Pass;
use crate::reconcile::database::database_mark;
use crate::reconcile::inventory::HostInventory;
use crate::reconcile::known::KnownHosts;
use crate::reconcile::quarantine::{Matched, match_rows, quarantine};
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

/// The pause between two passes.
pub(crate) const PERIOD: Duration = Duration::from_secs(15);
/// Rows read at a time.
const PAGE: u16 = 500;
/// Hosts asked at the same time: one that hangs delays the others only if there are so many of them.
const ASKED_AT_ONCE: usize = 128;
/// Sandboxes reconciled at the same time: a slow order delays a few of them, not all.
const RECONCILED_AT_ONCE: usize = 8;

/// Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    sandboxes: Sandboxes,
    known: Arc<Mutex<KnownHosts>>,
}

/// The rows of a host, compared with its list.
#[derive(Default)]
struct Compared {
    pass: Pass,
    ids: HashSet<SandboxId>,
    differ: bool,
    /// The first moment at which one of the sandboxes may be overdue.
    until: Option<DateTime<Utc>>,
}

impl Sweep {
    pub(crate) fn new(sandboxes: Sandboxes) -> Self {
        Self {
            sandboxes,
            known: Arc::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, KnownHosts> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One pass.
    pub(crate) async fn pass(&self) -> Result<Pass, SandboxError> {
        // Taken, not shared: of two passes at the same time one knows nothing, and a pass that fails leaves nothing behind.
        let mut known = std::mem::take(&mut *self.known());
        let pass = self.pass_with(&mut known).await?;
        *self.known() = known;
        Ok(pass)
    }

    async fn pass_with(&self, known: &mut KnownHosts) -> Result<Pass, SandboxError> {
        let core = &self.sandboxes.core;
        let now = core.now();
        let mut mark = database_mark(&core.pool).await?;
        let mut conn = core.connection().await?;
        known.advance(&mut conn).await?;
        let online = hosts::online(&mut conn).await?;
        drop(conn);
        let ids: BTreeSet<HostId> = online.iter().map(|host| host.id).collect();
        known.retain(&ids);
        let mut pass = self.reconcile_owed(known, ids, now).await?;
        let asked = online.into_iter().filter(|host| !known.agrees(host, now));
        let asked: Vec<OnlineHost> = asked.collect();
        let answers = asked
            .into_iter()
            .map(|host| ask(self.sandboxes.clone(), host));
        let mut answers = futures::stream::iter(answers).buffer_unordered(ASKED_AT_ONCE);
        while let Some((host, mut inventory)) = answers.next().await {
            let seen = inventory.write_mark.take();
            // A host that is newer than the database counts as a host that did not answer.
            if let Some(seen) = seen
                && !self.sandboxes.is_comparable(host, &seen, &mut mark).await?
            {
                inventory.ignore_answer();
            }
            pass += self.reconcile_host(known, host, &inventory).await?;
        }
        Ok(pass)
    }

    /// Reconciles rows that are owed something and whose host is not online. The online hosts of the others are asked.
    async fn reconcile_owed(
        &self,
        known: &mut KnownHosts,
        online: BTreeSet<HostId>,
        now: DateTime<Utc>,
    ) -> Result<Pass, SandboxError> {
        let inventory = HostInventory::of_silent_hosts(now, online);
        let (mut pass, mut after) = (Pass::default(), None);
        loop {
            let mut conn = self.sandboxes.core.connection().await?;
            let page = sandboxes::owed(&mut conn, after, i64::from(PAGE)).await?;
            let mut elsewhere = Vec::new();
            for (id, host) in &page {
                match host {
                    Some(host) if inventory.leaves_out(*host) => known.remove(*host),
                    Some(_) | None => elsewhere.push(*id),
                }
            }
            let rows = if elsewhere.is_empty() {
                Vec::new()
            } else {
                sandboxes::get_many(&mut conn, &elsewhere).await?
            };
            drop(conn);
            pass += self.reconcile_rows(rows, &inventory).await;
            after = page.last().map(|(id, _)| *id);
            if page.len() < usize::from(PAGE) {
                return Ok(pass);
            }
        }
    }

    /// Compares the rows of a host with its answer, and reconciles what differs.
    async fn reconcile_host(
        &self,
        known: &mut KnownHosts,
        host: HostId,
        inventory: &HostInventory,
    ) -> Result<Pass, SandboxError> {
        let mut compared = self.compare_rows(host, inventory).await?;
        let Some(reports) = inventory.reports() else {
            return Ok(compared.pass);
        };
        let unseen = reports.filter(|report| !compared.ids.contains(&report.sandbox));
        let unseen: Vec<&SandboxReport> = unseen.collect();
        let Matched { rows, without_row } = if unseen.is_empty() {
            Matched::default()
        } else {
            let mut conn = self.sandboxes.core.connection().await?;
            match_rows(&mut conn, unseen).await?
        };
        compared.differ |= !(rows.is_empty() && without_row.is_empty());
        compared.pass += self.reconcile_rows(rows, inventory).await;
        for report in &without_row {
            if let Some(host) = self.sandboxes.inner.links.kept(host) {
                quarantine(&host, report).await;
            }
        }
        if !compared.differ {
            let hash = inventory_hash(inventory.reports().into_iter().flatten());
            known.agree(host, hash, inventory.asked_at, compared.until);
        }
        Ok(compared.pass)
    }

    async fn compare_rows(
        &self,
        host: HostId,
        inventory: &HostInventory,
    ) -> Result<Compared, SandboxError> {
        let (mut compared, mut after) = (Compared::default(), None);
        loop {
            let mut conn = self.sandboxes.core.connection().await?;
            let page = sandboxes::of_host(&mut conn, host, after, i64::from(PAGE)).await?;
            after = page.last().map(|(id, _)| *id);
            let is_last = page.len() < usize::from(PAGE);
            let (mut differing, mut used) = (Vec::new(), Vec::new());
            for (id, row) in page {
                compared.ids.insert(id);
                let agreement = row.as_ref().ok().and_then(|row| inventory.agreement(row));
                let Some(agreement) = agreement else {
                    differing.push((id, row));
                    continue;
                };
                // Most rows are as they should be, and cost no statement.
                compared.pass.found += 1;
                used.extend(agreement.used_at.map(|at| (id, at)));
                compared.until = compared.until.into_iter().chain(agreement.until).min();
            }
            if !used.is_empty() {
                sandboxes::touch_many(&mut conn, &used).await?;
            }
            drop(conn);
            compared.differ |= !differing.is_empty();
            compared.pass += self.reconcile_rows(differing, inventory).await;
            if is_last {
                return Ok(compared);
            }
        }
    }

    async fn reconcile_rows(&self, rows: Vec<sandboxes::Read>, inventory: &HostInventory) -> Pass {
        let reconciled = rows.into_iter().map(async |(id, row)| {
            let mut pass = Pass {
                found: 1,
                ..Pass::default()
            };
            let reconciled = match row {
                Ok(sandbox) if inventory.agreement(&sandbox).is_some() => Ok(false),
                Ok(sandbox) => self.sandboxes.reconcile_row(sandbox.id, inventory).await,
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
}

async fn ask(sandboxes: Sandboxes, host: OnlineHost) -> (HostId, HostInventory) {
    let inventory = HostInventory::fetch(&sandboxes, &host).await;
    (host.id, inventory)
}
