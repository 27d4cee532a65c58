//! The sandboxes that a user or a key created. When the user or key loses its rights, they still exist.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::SandboxState;
use locule_ids::{ApiKeyId, SandboxId, TeamId, UserId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::row::{exists, impossible};
use crate::StoreError;
use crate::statement::{row, statements};

type CreatedValues = (Option<Uuid>, Vec<Uuid>, Option<Uuid>, Vec<Uuid>, i64);

statements! {
    CREATED_BY: CreatedValues => CreatedRow =
        "SELECT id, team_id, status, template, created_at,
                CASE WHEN octet_length(labels::text) <= 4096 THEN labels ELSE '{}' END AS labels
         FROM sandboxes
         WHERE (created_by_user = $1 OR created_by_key = ANY ($2)) AND ($3::uuid IS NULL OR team_id = $3)
           AND NOT team_id = ANY ($4) AND status NOT IN ('stopped', 'error') AND desired <> 'gone'
         ORDER BY created_at DESC, id DESC LIMIT $5";
}

/// The user or key that created a sandbox. A sandbox that the platform created has neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Creator {
    pub user: Option<UserId>,
    pub key: Option<ApiKeyId>,
}

/// A sandbox that exists, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    pub id: SandboxId,
    pub team: TeamId,
    pub state: SandboxState,
    pub template: String,
    /// Empty where the labels are long.
    pub labels: BTreeMap<String, String>,
    pub created_at: DateTime<Utc>,
}

row! {
    struct CreatedRow {
        id: Uuid,
        team_id: Uuid,
        status: String,
        template: String,
        created_at: DateTime<Utc>,
        labels: Json<BTreeMap<String, String>>,
    }
}

/// Creators and teams to list.
#[derive(Debug, Clone, Default)]
pub struct CreatedFilter {
    pub user: Option<UserId>,
    pub keys: Vec<ApiKeyId>,
    /// `None`: every team.
    pub team: Option<TeamId>,
    pub except_teams: Vec<TeamId>,
    pub limit: i64,
}

/// The sandboxes that a user or some keys created, that have not ended and are not being destroyed. Newest first.
pub async fn created_by(
    conn: &mut PgConnection,
    filter: &CreatedFilter,
) -> Result<Vec<Created>, StoreError> {
    let values = (
        filter.user.map(UserId::as_uuid),
        filter.keys.iter().map(|key| key.as_uuid()).collect(),
        filter.team.map(TeamId::as_uuid),
        filter
            .except_teams
            .iter()
            .map(|team| team.as_uuid())
            .collect(),
        filter.limit,
    );
    let rows = CREATED_BY.fetch_all(conn, values).await?;
    let created = rows.into_iter().map(|row| {
        Ok(Created {
            id: SandboxId::from_uuid(row.id),
            team: TeamId::from_uuid(row.team_id),
            state: exists(&row.status).ok_or_else(|| impossible(row.id))?,
            template: row.template,
            labels: row.labels.0,
            created_at: row.created_at,
        })
    });
    created.collect()
}
