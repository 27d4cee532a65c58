//! The sandboxes that a host holds.

use chrono::{DateTime, Utc};
use locule_domain::SandboxState;
use locule_ids::{HostId, SandboxId, TeamId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::sandboxes::row::{impossible, state};
use crate::statement::{row, statements};

statements! {
    ON_HOST: (Uuid,) => HostSandboxRow =
        "SELECT s.id, s.status, s.team_id, t.name AS team_name, s.template, s.vcpus, s.memory_mb, s.disk_size_mb, s.created_at
         FROM sandboxes s JOIN teams t ON t.id = s.team_id
         WHERE s.host_id = $1 AND s.status NOT IN ('stopped', 'error') ORDER BY s.id LIMIT 10000";
    WAITING_FOR_CLEANUP: (Uuid,) => (Uuid, i64) =
        "SELECT id, generation FROM sandboxes WHERE host_id = $1 AND cleanup_pending ORDER BY id LIMIT 10000";
    IS_DRAINED: (Uuid, Uuid) => (bool,) =
        "SELECT EXISTS (SELECT 1 FROM sandboxes s JOIN hosts h ON h.id = s.host_id
                        WHERE s.id = $1 AND s.team_id = $2 AND h.drain IS NOT NULL)";
}

row! {
    struct HostSandboxRow {
        id: Uuid,
        status: String,
        team_id: Uuid,
        team_name: String,
        template: String,
        vcpus: i32,
        memory_mb: i32,
        disk_size_mb: i32,
        created_at: DateTime<Utc>,
    }
}

/// A sandbox that has not ended, as the hosts' operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSandbox {
    pub id: SandboxId,
    pub state: SandboxState,
    pub team: TeamId,
    pub team_name: String,
    pub template: String,
    pub vcpus: i32,
    pub memory_mib: i32,
    pub disk_size_mb: i32,
    pub created_at: DateTime<Utc>,
}

/// The sandboxes on a host that have not ended, by id.
pub async fn on_host(
    conn: &mut PgConnection,
    host: HostId,
) -> Result<Vec<HostSandbox>, StoreError> {
    let rows = ON_HOST.fetch_all(conn, (host.as_uuid(),)).await?;
    let sandboxes = rows.into_iter().map(|row| {
        Ok(HostSandbox {
            id: SandboxId::from_uuid(row.id),
            state: state(&row.status, None).ok_or_else(|| impossible(row.id))?,
            team: TeamId::from_uuid(row.team_id),
            team_name: row.team_name,
            template: row.template,
            vcpus: row.vcpus,
            memory_mib: row.memory_mb,
            disk_size_mb: row.disk_size_mb,
            created_at: row.created_at,
        })
    });
    sandboxes.collect()
}

/// Whether the host of a team's sandbox is drained.
pub async fn is_on_drained_host(
    conn: &mut PgConnection,
    team: TeamId,
    id: SandboxId,
) -> Result<bool, StoreError> {
    let values = (id.as_uuid(), team.as_uuid());
    let (is_drained,) = IS_DRAINED.fetch_one(conn, values).await?;
    Ok(is_drained)
}

/// The ended sandboxes whose files the host has not confirmed to be removed, with their generations.
pub async fn waiting_for_cleanup(
    conn: &mut PgConnection,
    host: HostId,
) -> Result<Vec<(SandboxId, i64)>, StoreError> {
    let rows = WAITING_FOR_CLEANUP
        .fetch_all(conn, (host.as_uuid(),))
        .await?;
    let pair = |(id, generation)| (SandboxId::from_uuid(id), generation);
    Ok(rows.into_iter().map(pair).collect())
}
