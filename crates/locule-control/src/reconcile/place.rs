//! The host of a new sandbox: the candidates are read, `locule-domain` ranks them, and a transaction that locks the host reserves the
//! capacity, which is the sandbox's row itself.
//!
//! | the transaction | tries |
//! |---|---|
//! | of the create, which writes the row with its host | the host that is ranked first |
//! | of its own, when that host refused the sandbox or there was none | each host, in the order of their ranks |
//!
//! The candidates are kept for a moment ([`Placer`](crate::sandboxes::placer::Placer)): what they lack is corrected by the lock, and that no
//! host takes the sandbox is concluded only from candidates that were read just now.
//!
//! The lock is that of the host's row, so that a placement also sees each cordon and each delete that committed before.

use std::time::Duration;

use locule_domain::{
    Candidate, Capacity, HostUse, Load, Measured, NotEligible, PlacementNeed, Refusals, Sandbox,
    SandboxEvent,
};
use locule_ids::HostId;
use locule_store::hosts::{self, Host};
use locule_store::{PgConnection, sandboxes, teams};

use crate::hosts::heartbeat::templates;
use crate::reconcile::changes::written;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::sandboxes::placer::Candidates;

/// The host that is tried for a new sandbox in the transaction of its create.
#[derive(Debug)]
pub(crate) struct Choice {
    need: PlacementNeed,
    host: Option<HostId>,
}

impl Sandboxes {
    /// Chooses the host that is tried first for a new sandbox. The caller holds no connection.
    pub(crate) async fn choose(&self, sandbox: &Sandbox) -> Result<Choice, SandboxError> {
        let placer = &self.inner.placer;
        let need = self.placement_need(sandbox).await?;
        let (cursor, template) = (placer.next_cursor(), sandbox.template.as_str());
        let ranked = self.rank(cursor, template, &need, placer.kept_for).await?;
        let host = ranked.hosts.first().copied();
        Ok(Choice { need, host })
    }

    /// Gives a new sandbox, whose row is not written yet, the chosen host if this takes the sandbox. The sandbox stays `pending`
    /// otherwise. The caller commits, and then gives the answer to [`Self::remember`].
    pub(crate) async fn place_new(
        &self,
        tx: &mut PgConnection,
        sandbox: &mut Sandbox,
        choice: &Choice,
    ) -> Result<Option<(HostId, PlacementAnswer)>, SandboxError> {
        let Some(host) = choice.host else {
            return Ok(None);
        };
        let answer = self
            .ask_locked(tx, host, &sandbox.template, &choice.need)
            .await?;
        if let PlacementAnswer::Takes(_) = answer {
            *sandbox = placed(sandbox, host)?;
        }
        Ok(Some((host, answer)))
    }

    /// Chooses a host and writes it into the row, which reserves the capacity (W-047). Returns the row, or `None` if another writer
    /// changed the row since it was read.
    pub(super) async fn place(&self, sandbox: &Sandbox) -> Result<Option<Sandbox>, SandboxError> {
        let placer = &self.inner.placer;
        let need = self.placement_need(sandbox).await?;
        let (cursor, mut kept_for) = (placer.next_cursor(), placer.kept_for);
        loop {
            let ranked = self
                .rank(cursor, &sandbox.template, &need, kept_for)
                .await?;
            let mut refusals = ranked.refusals;
            for host in ranked.hosts {
                let reserved = self.reserve_host(sandbox, host, &need, &mut refusals);
                match reserved.await? {
                    Reserved::Yes(row) => return Ok(Some(row)),
                    Reserved::RowChanged => return Ok(None),
                    Reserved::No => {}
                }
            }
            if ranked.read_now {
                tracing::warn!(sandbox.id = %sandbox.id, %refusals, "no host takes a new sandbox");
                return Err(SandboxError::NoCapacity);
            }
            // The lock of a host corrects what is kept of the hosts that were tried. Another host may have capacity by now.
            kept_for = Duration::ZERO;
        }
    }

    async fn placement_need(&self, sandbox: &Sandbox) -> Result<PlacementNeed, SandboxError> {
        let mut conn = self.core.connection().await?;
        Ok(PlacementNeed {
            team: sandbox.team,
            team_brings_hosts: teams::brings_hosts(&mut conn, sandbox.team).await?,
            vcpus: sandbox.vcpus,
            memory_mib: sandbox.memory_mib,
            disk_mib: sandbox.disk_size_mb,
        })
    }

    /// Ranks the candidates, which are read again if they were read `kept_for` ago.
    async fn rank(
        &self,
        cursor: u64,
        template: &str,
        need: &PlacementNeed,
        kept_for: Duration,
    ) -> Result<Ranked, SandboxError> {
        let placer = &self.inner.placer;
        let mut kept = placer.candidates().await;
        let now = self.core.clock.monotonic();
        let is_young = |kept: &Candidates| now.saturating_sub(kept.read_at) < kept_for;
        let read_now = !kept.as_ref().is_some_and(is_young);
        if read_now {
            let mut conn = self.core.connection().await?;
            let all = candidates(&mut conn).await?;
            *kept = Some(Candidates::new(all, now));
        }
        let kept = kept.as_mut();
        let all = kept.map_or(&[][..], |kept| kept.for_template(template));
        // Told only when no host takes the sandbox, which is not concluded from candidates that were kept.
        let refusals = read_now.then(|| placer.scheduler.refusals(all, need));
        Ok(Ranked {
            hosts: placer.scheduler.rank(cursor, all, need),
            refusals: refusals.unwrap_or_default(),
            read_now,
        })
    }

    /// Writes the host into the row, if the host still takes the sandbox.
    async fn reserve_host(
        &self,
        sandbox: &Sandbox,
        host: HostId,
        need: &PlacementNeed,
        refusals: &mut Refusals,
    ) -> Result<Reserved, SandboxError> {
        let (mut tx, now) = (self.core.transaction().await?, self.core.now());
        let answer = self
            .ask_locked(&mut tx, host, &sandbox.template, need)
            .await?;
        let reserved = match &answer {
            PlacementAnswer::Takes(_) => {
                let next = placed(sandbox, host)?;
                if !sandboxes::update(&mut tx, sandbox, &next, now).await? {
                    return Ok(Reserved::RowChanged);
                }
                self.core.commit(tx).await?;
                Reserved::Yes(written(next, now))
            }
            PlacementAnswer::Refuses(_, reason) => {
                drop(tx);
                refusals.add(*reason);
                Reserved::No
            }
            PlacementAnswer::Deleted | PlacementAnswer::NoAddress => {
                drop(tx);
                Reserved::No
            }
        };
        self.remember(host, answer).await;
        Ok(reserved)
    }

    /// Locks a host until the transaction ends, and asks whether the host takes a sandbox.
    async fn ask_locked(
        &self,
        tx: &mut PgConnection,
        id: HostId,
        template: &str,
        need: &PlacementNeed,
    ) -> Result<PlacementAnswer, SandboxError> {
        let Some(host) = hosts::lock(tx, id).await? else {
            return Ok(PlacementAnswer::Deleted);
        };
        let load = hosts::load(tx, id).await?;
        let mut candidate = candidate(&host, load);
        candidate.has_template = templates(&host.report).any(|name| name == template);
        if let Err(reason) = self.inner.placer.scheduler.eligible(&candidate, need) {
            return Ok(PlacementAnswer::Refuses(candidate, reason));
        }
        if self.inner.links.keep(id, &host.address).is_none() {
            return Ok(PlacementAnswer::NoAddress);
        }
        candidate.used = candidate.used.with(need.load());
        Ok(PlacementAnswer::Takes(candidate))
    }

    /// Corrects what is kept of a host by what its lock has shown. The caller holds no connection.
    pub(crate) async fn remember(&self, host: HostId, answer: PlacementAnswer) {
        let placer = &self.inner.placer;
        match answer {
            PlacementAnswer::Takes(seen) | PlacementAnswer::Refuses(seen, _) => {
                placer.update(seen).await;
            }
            PlacementAnswer::Deleted => placer.remove(host).await,
            PlacementAnswer::NoAddress => {}
        }
    }
}

/// A pending sandbox with its host.
fn placed(sandbox: &Sandbox, host: HostId) -> Result<Sandbox, SandboxError> {
    let mut next = sandbox.clone();
    next.host = Some(host);
    next.state = sandbox
        .state
        .apply(SandboxEvent::Placed)
        .map_err(SandboxError::internal)?;
    Ok(next)
}

/// What the lock of a host has shown about a sandbox.
#[derive(Debug)]
pub(crate) enum PlacementAnswer {
    /// With what the host's sandboxes use once the row commits.
    Takes(Candidate),
    Refuses(Candidate, NotEligible),
    Deleted,
    /// The control plane cannot connect to an address of this form.
    NoAddress,
}

/// Whether a host takes a sandbox.
#[expect(
    clippy::large_enum_variant,
    reason = "the large variant is the usual one"
)]
enum Reserved {
    Yes(Sandbox),
    No,
    /// Another writer changed the row of the sandbox: `reconcile` reads it again.
    RowChanged,
}

/// Candidates in the order in which they are tried.
struct Ranked {
    hosts: Vec<HostId>,
    /// Why the other hosts are not tried.
    refusals: Refusals,
    /// The candidates were read just now.
    read_now: bool,
}

/// Every host, with the names of its templates.
async fn candidates(
    conn: &mut PgConnection,
) -> Result<Vec<(Candidate, Vec<String>)>, SandboxError> {
    let hosts = hosts::list(conn, None).await?;
    let mut loads = hosts::loads(conn).await?;
    let candidates = hosts.iter().map(|host| {
        let load = loads.remove(&host.id).unwrap_or_default();
        let templates = templates(&host.report).map(str::to_owned);
        (candidate(host, load), templates.collect())
    });
    Ok(candidates.collect())
}

/// A host as a candidate for a template that the host does not have.
fn candidate(host: &Host, load: hosts::Load) -> Candidate {
    let size = |value: i32| u32::try_from(value).unwrap_or(0);
    let sum = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
    let pool_free_bytes = host.report["pool_free_bytes"].as_u64();
    Candidate {
        host: host.id,
        kind: host.kind,
        team: host.team,
        state: host.state,
        cordoned: host.cordoned,
        capacity: Capacity {
            cpu_cores: size(host.cpu_cores),
            memory_mib: size(host.memory_mib),
            disk_gib: size(host.disk_gb),
        },
        used: HostUse {
            running: Load {
                vcpus: sum(load.running_vcpus),
                memory_mib: sum(load.running_memory_mib),
                disk_mib: sum(load.running_disk_mb),
            },
            paused: Load {
                vcpus: 0,
                memory_mib: sum(load.paused_memory_mib),
                disk_mib: sum(load.paused_disk_mb),
            },
        },
        has_template: false,
        measured: pool_free_bytes.map(|pool_free_bytes| Measured {
            // A host agent that runs short of memory pauses the sandbox that has been idle longest (ADR 0016).
            free_memory_mib: u64::MAX,
            pool_free_bytes,
        }),
    }
}
