//! Table `audit_logs`: written in the transaction of the change it records, so that neither is there without the other (D-21).

use chrono::{DateTime, Utc};
use locule_ids::{AuditId, TeamId};
use sqlx::PgConnection;

use crate::StoreError;

/// One entry of the trail.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    pub id: AuditId,
    pub team: TeamId,
    pub actor_type: &'a str,
    pub actor_id: Option<String>,
    pub actor_name: &'a str,
    pub resource_type: &'a str,
    pub resource_id: Option<String>,
    pub action: &'a str,
    pub scope: &'a str,
    pub status: &'a str,
    pub metadata: serde_json::Value,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, entry: Entry<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit_logs (id, team_id, actor_type, actor_id, actor_name, resource_type, resource_id, action, scope,
                                 status, metadata, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(entry.id.as_uuid())
    .bind(entry.team.as_uuid())
    .bind(entry.actor_type)
    .bind(entry.actor_id)
    .bind(entry.actor_name)
    .bind(entry.resource_type)
    .bind(entry.resource_id)
    .bind(entry.action)
    .bind(entry.scope)
    .bind(entry.status)
    .bind(entry.metadata)
    .bind(entry.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Actions recorded about one resource, oldest first.
pub async fn actions_of(
    conn: &mut PgConnection,
    resource_id: &str,
) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT action FROM audit_logs WHERE resource_id = $1 ORDER BY created_at, id LIMIT 1000",
    )
    .bind(resource_id)
    .fetch_all(conn)
    .await?)
}
