//! Table `hosts`.

use chrono::{DateTime, Utc};
use locule_ids::HostId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

/// Registers a shared host that is reached at `address`, or gives back the one that is registered there.
pub async fn ensure_local(
    conn: &mut PgConnection,
    id: HostId,
    address: &str,
    now: DateTime<Utc>,
) -> Result<HostId, StoreError> {
    let known: Option<Uuid> = sqlx::query_scalar(
        "SELECT id FROM hosts WHERE type = 'regular' ORDER BY created_at LIMIT 1",
    )
    .fetch_optional(&mut *conn)
    .await?;
    let id = known.unwrap_or(id.as_uuid());
    sqlx::query(
        "INSERT INTO hosts (id, address, status, created_at, updated_at) VALUES ($1, $2, 'online', $3, $3)
         ON CONFLICT (id) DO UPDATE SET address = $2, status = 'online', updated_at = $3",
    )
    .bind(id)
    .bind(address)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(HostId::from_uuid(id))
}

/// The shared hosts that may be given sandboxes, oldest first, with their addresses.
pub async fn online(conn: &mut PgConnection) -> Result<Vec<(HostId, String)>, StoreError> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT id, address FROM hosts WHERE status = 'online' AND type = 'regular' ORDER BY created_at LIMIT 1000",
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, address)| (HostId::from_uuid(id), address))
        .collect())
}
