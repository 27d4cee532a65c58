//! What the sandboxes on a host reserve of it.

use std::collections::HashMap;

use locule_ids::HostId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

/// Running sandboxes, their vCPUs, memory and disks; paused ones, their memory and disks.
type LoadColumns = (i64, i64, i64, i64, i64, i64, i64);
type HostLoadColumns = (Uuid, i64, i64, i64, i64, i64, i64, i64);

macro_rules! sums {
    ($first:literal, $rest:literal) => {
        concat!(
            $first,
            "count(*) FILTER (WHERE status <> 'paused'),
             coalesce(sum(vcpus) FILTER (WHERE status <> 'paused'), 0)::bigint,
             coalesce(sum(memory_mb) FILTER (WHERE status <> 'paused'), 0)::bigint,
             coalesce(sum(disk_size_mb) FILTER (WHERE status <> 'paused'), 0)::bigint,
             count(*) FILTER (WHERE status = 'paused'),
             coalesce(sum(memory_mb) FILTER (WHERE status = 'paused'), 0)::bigint,
             coalesce(sum(disk_size_mb) FILTER (WHERE status = 'paused'), 0)::bigint
             FROM sandboxes WHERE status NOT IN ('stopped', 'error') ",
            $rest
        )
    };
}

statements! {
    LOAD: (Uuid,) => LoadColumns = sums!("SELECT ", "AND host_id = $1");
    LOADS: () => HostLoadColumns = sums!("SELECT host_id, ", "AND host_id IS NOT NULL GROUP BY host_id LIMIT 10000");
}

/// What the sandboxes on a host reserve of it, as they were created with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Sandboxes that start, run or are missing.
    pub running: i64,
    pub running_vcpus: i64,
    pub running_memory_mib: i64,
    pub running_disk_mb: i64,
    pub paused: i64,
    pub paused_memory_mib: i64,
    pub paused_disk_mb: i64,
}

impl From<LoadColumns> for Load {
    fn from(row: LoadColumns) -> Self {
        let (running, running_vcpus, running_memory_mib, running_disk_mb, paused, memory, disk) =
            row;
        Self {
            running,
            running_vcpus,
            running_memory_mib,
            running_disk_mb,
            paused,
            paused_memory_mib: memory,
            paused_disk_mb: disk,
        }
    }
}

/// The load of one host.
pub async fn load(conn: &mut PgConnection, host: HostId) -> Result<Load, StoreError> {
    Ok(LOAD.fetch_one(conn, (host.as_uuid(),)).await?.into())
}

/// The load of every host that has any.
pub async fn loads(conn: &mut PgConnection) -> Result<HashMap<HostId, Load>, StoreError> {
    let rows = LOADS.fetch_all(conn, ()).await?;
    let loads = rows.into_iter().map(|(host, a, b, c, d, e, f, g)| {
        (HostId::from_uuid(host), Load::from((a, b, c, d, e, f, g)))
    });
    Ok(loads.collect())
}
