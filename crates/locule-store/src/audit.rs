//! Table `audit_logs`: each entry is written in the transaction of the change that it records, so that neither exists without
//! the other (D-21).

use chrono::{DateTime, Utc};
use locule_ids::{AuditId, TeamId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::{row, statements};

type InsertValues = (
    Vec<Uuid>,
    Vec<Uuid>,
    &'static str,
    Option<String>,
    &'static str,
    &'static str,
    Option<String>,
    &'static str,
    &'static str,
    &'static str,
    Value,
    DateTime<Utc>,
);

type ListValues = (
    Uuid,
    bool,
    &'static [String],
    &'static [String],
    Option<DateTime<Utc>>,
    Option<Uuid>,
    i64,
);

statements! {
    INSERT: InsertValues =
        "INSERT INTO audit_logs (id, team_id, actor_type, actor_id, actor_name, resource_type, resource_id, action, scope,
                                 status, metadata, created_at)
         SELECT one.id, one.team_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
         FROM unnest($1::uuid[], $2::uuid[]) AS one (id, team_id)";
    LIST: ListValues => ListedRow =
        "SELECT id, actor_type, actor_id, actor_name, resource_type, resource_id, action, scope, status, metadata, created_at
         FROM audit_logs
         WHERE team_id = $1 AND ($2 OR scope = 'team')
           AND (cardinality($3::text[]) = 0 OR resource_type = ANY($3)) AND (cardinality($4::text[]) = 0 OR action = ANY($4))
           AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6))
         ORDER BY created_at DESC, id DESC LIMIT $7";
}

/// One entry of the audit log.
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
    pub metadata: Value,
    pub created_at: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, entry: Entry<'_>) -> Result<(), StoreError> {
    let (id, team) = (entry.id, entry.team);
    insert_as(conn, entry, vec![id.as_uuid()], vec![team.as_uuid()]).await
}

/// Writes an entry into the audit log of each of these teams. The entry's own id and team are not used.
pub async fn insert_each(
    conn: &mut PgConnection,
    entry: Entry<'_>,
    teams: &[TeamId],
) -> Result<(), StoreError> {
    let ids = teams.iter().map(|_| AuditId::random().as_uuid()).collect();
    let teams = teams.iter().map(|team| team.as_uuid()).collect();
    insert_as(conn, entry, ids, teams).await
}

async fn insert_as(
    conn: &mut PgConnection,
    entry: Entry<'_>,
    ids: Vec<Uuid>,
    teams: Vec<Uuid>,
) -> Result<(), StoreError> {
    let values = (
        ids,
        teams,
        entry.actor_type,
        entry.actor_id,
        entry.actor_name,
        entry.resource_type,
        entry.resource_id,
        entry.action,
        entry.scope,
        entry.status,
        entry.metadata,
        entry.created_at,
    );
    INSERT.execute(conn, values).await.map(drop)
}

/// One entry as a list shows it.
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
    pub metadata: Value,
    pub created_at: DateTime<Utc>,
}

row! {
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
        metadata: Value,
        created_at: DateTime<Utc>,
    }
}

/// Which entries of a team are listed. Empty lists do not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Includes the entries that only owners and admins may see.
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
    let values = (
        team.as_uuid(),
        filter.admin_scope,
        filter.resource_types.as_slice(),
        filter.actions.as_slice(),
        at,
        id.map(AuditId::as_uuid),
        filter.limit,
    );
    let rows = LIST.fetch_all(conn, values).await?;
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
