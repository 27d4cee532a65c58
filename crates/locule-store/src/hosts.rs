//! Table `hosts`.

use chrono::{DateTime, Utc};
use locule_ids::HostId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

statements! {
    FIRST_SHARED: () => (Uuid,) =
        "SELECT id FROM hosts WHERE type = 'regular' ORDER BY created_at LIMIT 1";
    UPSERT: (Uuid, &str, DateTime<Utc>) =
        "INSERT INTO hosts (id, address, status, created_at, updated_at) VALUES ($1, $2, 'online', $3, $3)
         ON CONFLICT (id) DO UPDATE SET address = $2, status = 'online', updated_at = $3";
    ONLINE: () => (Uuid, String) =
        "SELECT id, address FROM hosts WHERE status = 'online' AND type = 'regular' ORDER BY created_at LIMIT 1000";
}

/// Registers the first shared host under this address: with `id`, or with the id that it was registered with before.
pub async fn ensure_local(
    conn: &mut PgConnection,
    id: HostId,
    address: &str,
    now: DateTime<Utc>,
) -> Result<HostId, StoreError> {
    let known = FIRST_SHARED.fetch_optional(conn, ()).await?;
    let id = known.map_or(id.as_uuid(), |(id,)| id);
    UPSERT.execute(conn, (id, address, now)).await?;
    Ok(HostId::from_uuid(id))
}

/// The shared hosts on which sandboxes can be placed, oldest first, with their addresses.
pub async fn online(conn: &mut PgConnection) -> Result<Vec<(HostId, String)>, StoreError> {
    let rows = ONLINE.fetch_all(conn, ()).await?;
    let hosts = rows.into_iter();
    Ok(hosts
        .map(|(id, address)| (HostId::from_uuid(id), address))
        .collect())
}
