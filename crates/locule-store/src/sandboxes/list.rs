//! The list of a team's sandboxes, page by page.

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::{JsonTexts, SandboxRow, json, select};
use crate::StoreError;
use crate::statement::statements;

type ListValues = (
    Uuid,
    Option<Vec<&'static str>>,
    JsonTexts<'static>,
    &'static Option<String>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    Option<Uuid>,
    i64,
);

/// A page of a team's sandboxes, continued after a row by `$page`.
macro_rules! list {
    ($page:literal) => {
        select!(
            "WHERE team_id = $1 AND status NOT IN ('stopped', 'error')
               AND ($2::text[] IS NULL OR status = ANY ($2)) AND labels @> $3
               AND ($4::text IS NULL OR template = $4)
               AND ($5::timestamptz IS NULL OR coalesce(started_at, created_at) >= $5) ",
            $page
        )
    };
}

statements! {
    LIST_OLDEST_FIRST: ListValues => SandboxRow =
        list!("AND ($6::timestamptz IS NULL OR (created_at, id) > ($6, $7)) ORDER BY created_at, id LIMIT $8");
    LIST_NEWEST_FIRST: ListValues => SandboxRow =
        list!("AND ($6::timestamptz IS NULL OR (created_at, id) < ($6, $7)) ORDER BY created_at DESC, id DESC LIMIT $8");
}

/// Which sandboxes of a team are listed. Sandboxes that have ended never are.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Empty: every state that is not final.
    pub states: Vec<SandboxState>,
    pub labels: std::collections::BTreeMap<String, String>,
    pub template: Option<String>,
    pub started_after: Option<DateTime<Utc>>,
    /// Newest first unless set.
    pub ascending: bool,
    pub limit: i64,
    /// Strictly after this row in the order of the list.
    pub after: Option<(DateTime<Utc>, SandboxId)>,
}

/// The statement of [`list()`], for `EXPLAIN`.
pub fn list_sql(ascending: bool) -> &'static str {
    if ascending {
        LIST_OLDEST_FIRST.sql
    } else {
        LIST_NEWEST_FIRST.sql
    }
}

pub async fn list(
    conn: &mut PgConnection,
    team: TeamId,
    filter: &Filter,
) -> Result<Vec<Sandbox>, StoreError> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let values = (
        team.as_uuid(),
        Some(states).filter(|states| !states.is_empty()),
        json(&filter.labels),
        &filter.template,
        filter.started_after,
        filter.after.map(|(at, _)| at),
        filter.after.map(|(_, id)| id.as_uuid()),
        filter.limit,
    );
    let rows = if filter.ascending {
        LIST_OLDEST_FIRST.fetch_all(conn, values).await?
    } else {
        LIST_NEWEST_FIRST.fetch_all(conn, values).await?
    };
    rows.into_iter().map(TryInto::try_into).collect()
}
