//! Table `audit_logs`: written in the transaction of the change it records, so that neither is there without the other (D-21).

use chrono::{DateTime, Utc};
use locule_ids::{AuditId, TeamId};
use sqlx::PgConnection;
use uuid::Uuid;

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

/// One entry as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub id: AuditId,
    pub actor_type: String,
    pub actor_id: Option<String>,
    pub actor_name: String,
    pub resource_type: String,
    pub resource_id: Option<String>,
    pub action: String,
    pub scope: String,
    pub status: String,
    pub metadata: serde_json::Value,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: Uuid,
    actor_type: String,
    actor_id: Option<String>,
    actor_name: String,
    resource_type: String,
    resource_id: Option<String>,
    action: String,
    scope: String,
    status: String,
    metadata: serde_json::Value,
    created_at: DateTime<Utc>,
}

/// Which entries of a team. Empty lists do not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Also what only owners and admins see.
    pub admin_scope: bool,
    pub resource_types: Vec<String>,
    pub actions: Vec<String>,
    /// Strictly older than this entry.
    pub before: Option<(DateTime<Utc>, AuditId)>,
    pub limit: i64,
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    team: TeamId,
    filter: &Filter,
) -> Result<Vec<Listed>, StoreError> {
    let (at, id) = filter.before.unzip();
    let rows: Vec<ListedRow> = sqlx::query_as(
        "SELECT id, actor_type, actor_id, actor_name, resource_type, resource_id, action, scope, status, metadata, created_at
         FROM audit_logs
         WHERE team_id = $1 AND ($2 OR scope = 'team')
           AND (cardinality($3::text[]) = 0 OR resource_type = ANY($3)) AND (cardinality($4::text[]) = 0 OR action = ANY($4))
           AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6))
         ORDER BY created_at DESC, id DESC LIMIT $7",
    )
    .bind(team.as_uuid())
    .bind(filter.admin_scope)
    .bind(&filter.resource_types)
    .bind(&filter.actions)
    .bind(at)
    .bind(id.map(AuditId::as_uuid))
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    let listed = |row: ListedRow| Listed {
        id: AuditId::from_uuid(row.id),
        actor_type: row.actor_type,
        actor_id: row.actor_id,
        actor_name: row.actor_name,
        resource_type: row.resource_type,
        resource_id: row.resource_id,
        action: row.action,
        scope: row.scope,
        status: row.status,
        metadata: row.metadata,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(listed).collect())
}
