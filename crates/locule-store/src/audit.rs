//! Table `audit_logs`: each entry is written in the transaction of the change that it records, so that neither exists without
//! the other (D-21).

use std::collections::HashMap;
use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, AuditId, TeamId, UserId};
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
    &'static [String],
    &'static [String],
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
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
           AND (cardinality($5::text[]) = 0 OR resource_id = ANY($5)) AND (cardinality($6::text[]) = 0 OR actor_id = ANY($6))
           AND ($7::timestamptz IS NULL OR created_at >= $7) AND ($8::timestamptz IS NULL OR created_at < $8)
           AND ($9::timestamptz IS NULL OR (created_at, id) < ($9, $10))
         ORDER BY created_at DESC, id DESC LIMIT $11";
    GET: (Uuid, Uuid, bool) => ListedRow =
        "SELECT id, actor_type, actor_id, actor_name, resource_type, resource_id, action, scope, status, metadata, created_at
         FROM audit_logs WHERE id = $1 AND team_id = $2 AND ($3 OR scope = 'team')";
    NAMES: (Vec<Uuid>,) => (Uuid, String) =
        "SELECT id, name FROM users WHERE id = ANY ($1) UNION ALL SELECT id, name FROM teams WHERE id = ANY ($1)
         UNION ALL SELECT id, name FROM team_api_keys WHERE id = ANY ($1)";
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
    /// The name that the resource has now. `None`: the resource has no name, or is gone.
    pub resource_name: Option<String>,
    pub action: String,
    pub scope: String,
    pub status: String,
    pub metadata: Value,
    pub created_at: DateTime<Utc>,
}

impl Listed {
    /// The row that has the name of the resource.
    fn named_row(&self) -> Option<Uuid> {
        let id = self.resource_id.as_deref()?;
        match self.resource_type.as_str() {
            "user" | "member" => UserId::from_str(id).ok().map(UserId::as_uuid),
            "team" => TeamId::from_str(id).ok().map(TeamId::as_uuid),
            "api_key" => ApiKeyId::from_str(id).ok().map(ApiKeyId::as_uuid),
            _ => None,
        }
    }
}

impl From<ListedRow> for Listed {
    fn from(row: ListedRow) -> Self {
        Self {
            id: AuditId::from_uuid(row.id),
            actor_type: row.actor_type,
            actor_id: row.actor_id,
            actor_name: row.actor_name,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            resource_name: None,
            action: row.action,
            scope: row.scope,
            status: row.status,
            metadata: row.metadata,
            created_at: row.created_at,
        }
    }
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
    pub resources: Vec<String>,
    pub actors: Vec<String>,
    /// At this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub to: Option<DateTime<Utc>>,
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
        filter.resources.as_slice(),
        filter.actors.as_slice(),
        filter.from,
        filter.to,
        at,
        id.map(AuditId::as_uuid),
        filter.limit,
    );
    let rows = LIST.fetch_all(conn, values).await?;
    named(conn, rows).await
}

/// One entry of a team. `admin_scope` includes the entries that only owners and admins may see.
pub async fn get(
    conn: &mut PgConnection,
    team: TeamId,
    id: AuditId,
    admin_scope: bool,
) -> Result<Option<Listed>, StoreError> {
    let values = (id.as_uuid(), team.as_uuid(), admin_scope);
    let row = GET.fetch_optional(conn, values).await?;
    Ok(named(conn, row.into_iter().collect()).await?.pop())
}

/// Entries with the names of their resources.
async fn named(conn: &mut PgConnection, rows: Vec<ListedRow>) -> Result<Vec<Listed>, StoreError> {
    let mut entries: Vec<Listed> = rows.into_iter().map(Listed::from).collect();
    let mut ids: Vec<Uuid> = entries.iter().filter_map(Listed::named_row).collect();
    if ids.is_empty() {
        return Ok(entries);
    }
    ids.sort_unstable();
    ids.dedup();
    let names: HashMap<Uuid, String> = NAMES.fetch_all(conn, (ids,)).await?.into_iter().collect();
    for entry in &mut entries {
        let name = entry.named_row().and_then(|id| names.get(&id).cloned());
        entry.resource_name = name.filter(|name| !name.is_empty());
    }
    Ok(entries)
}
