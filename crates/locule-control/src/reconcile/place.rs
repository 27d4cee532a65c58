//! The host of a new sandbox: the candidates are read, `locule-domain` ranks them, and a transaction that locks the host reserves the
//! capacity, which is the sandbox's row itself.
//!
//! The lock is that of the host's row, so that a placement also sees each cordon and each delete that committed before.

use locule_domain::{
    Candidate, Capacity, HostUse, Load, Measured, PlacementNeed, Refusals, Sandbox, SandboxEvent,
};
use locule_ids::HostId;
use locule_store::hosts::{self, Host};
use locule_store::{PgConnection, sandboxes, teams};

use crate::hosts::heartbeat::has_template;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

impl Sandboxes {
    /// Chooses a host and writes it into the row, which reserves the capacity (W-047).
    pub(super) async fn place(&self, sandbox: &Sandbox) -> Result<(), SandboxError> {
        let placer = &self.inner.placer;
        let mut conn = self.core.connection().await?;
        let need = PlacementNeed {
            team: sandbox.team,
            team_brings_hosts: teams::brings_hosts(&mut conn, sandbox.team).await?,
            vcpus: sandbox.vcpus,
            memory_mib: sandbox.memory_mib,
            disk_mib: sandbox.disk_size_mb,
        };
        let candidates = candidates(&mut conn, &sandbox.template).await?;
        drop(conn);
        let cursor = placer.next_cursor();
        let scheduler = placer.scheduler;
        let mut refusals = scheduler.refusals(&candidates, &need);
        for host in scheduler.rank(cursor, &candidates, &need) {
            if self
                .reserve_host(sandbox, host, &need, &mut refusals)
                .await?
            {
                return Ok(());
            }
        }
        tracing::warn!(sandbox.id = %sandbox.id, %refusals, "no host takes a new sandbox");
        Err(SandboxError::NoCapacity)
    }

    /// Writes the host into the row, if the host still takes the sandbox.
    async fn reserve_host(
        &self,
        sandbox: &Sandbox,
        id: HostId,
        need: &PlacementNeed,
        refusals: &mut Refusals,
    ) -> Result<bool, SandboxError> {
        let mut tx = self.core.transaction().await?;
        let Some(host) = hosts::lock(&mut tx, id).await? else {
            return Ok(false);
        };
        let load = hosts::load(&mut tx, id).await?;
        let candidate = candidate(&host, load, &sandbox.template);
        if let Err(reason) = self.inner.placer.scheduler.eligible(&candidate, need) {
            refusals.add(reason);
            return Ok(false);
        }
        if self.inner.links.keep(id, &host.address).is_none() {
            return Ok(false);
        }
        let mut next = sandbox.clone();
        next.host = Some(id);
        next.state = sandbox
            .state
            .apply(SandboxEvent::Placed)
            .map_err(SandboxError::internal)?;
        // The update fails if another writer changed the row since it was read; `reconcile` then reads it again.
        if sandboxes::update(&mut tx, sandbox, &next, self.core.now()).await? {
            self.core.commit(tx).await?;
        }
        Ok(true)
    }
}

async fn candidates(
    conn: &mut PgConnection,
    template: &str,
) -> Result<Vec<Candidate>, SandboxError> {
    let hosts = hosts::list(conn, None).await?;
    let mut loads = hosts::loads(conn).await?;
    let candidates = hosts.iter().map(|host| {
        let load = loads.remove(&host.id).unwrap_or_default();
        candidate(host, load, template)
    });
    Ok(candidates.collect())
}

fn candidate(host: &Host, load: hosts::Load, template: &str) -> Candidate {
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
        has_template: has_template(&host.report, template),
        measured: pool_free_bytes.map(|pool_free_bytes| Measured {
            // A host agent that runs short of memory pauses the sandbox that has been idle longest (ADR 0016).
            free_memory_mib: u64::MAX,
            pool_free_bytes,
        }),
    }
}
