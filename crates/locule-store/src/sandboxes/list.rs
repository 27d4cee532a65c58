//! Lists of sandboxes, of one team or of all, page by page.

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState};
use locule_ids::{ApiKeyId, HostId, SandboxId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::creators::Creator;
use super::row::{JsonTexts, SandboxRow, json, select};
use crate::StoreError;
use crate::statement::statements;

type Time = DateTime<Utc>;

type CountValues = (
    Option<Uuid>,
    Option<Time>,
    Option<Vec<&'static str>>,
    JsonTexts<'static>,
    &'static [String],
    &'static Option<String>,
    Option<Time>,
    Option<Uuid>,
    Option<Uuid>,
    Option<Uuid>,
    &'static Option<String>,
);

type ListValues = (
    Option<Uuid>,
    Option<Time>,
    Option<Vec<&'static str>>,
    JsonTexts<'static>,
    &'static [String],
    &'static Option<String>,
    Option<Time>,
    Option<Uuid>,
    Option<Uuid>,
    Option<Uuid>,
    &'static Option<String>,
    Option<Time>,
    Option<Uuid>,
    i64,
);

/// The sandboxes that a list selects. PostgreSQL plans each execution with its values: a condition whose parameter is NULL costs
/// nothing then, and hides no index.
macro_rules! selected {
    () => {
        "WHERE ($1::uuid IS NULL OR team_id = $1)
           AND (status NOT IN ('stopped', 'error') OR ended_at >= $2)
           AND ($3::text[] IS NULL OR status = ANY ($3))
           AND labels @> $4 AND labels ?& $5
           AND ($6::text IS NULL OR template = $6)
           AND ($7::timestamptz IS NULL OR coalesce(started_at, created_at) >= $7)
           AND ($8::uuid IS NULL OR host_id = $8)
           AND ($9::uuid IS NULL OR created_by_user = $9) AND ($10::uuid IS NULL OR created_by_key = $10)
           AND ($11::text IS NULL OR strpos('sb-' || id, lower($11)) > 0 OR strpos(lower(template), lower($11)) > 0
                OR EXISTS (SELECT FROM jsonb_each_text(labels) AS label
                           WHERE strpos(lower(label.key || '=' || label.value), lower($11)) > 0))"
    };
}

statements! {
    LIST_OLDEST_FIRST: ListValues => SandboxRow = select!(
        selected!(),
        " AND ($12::timestamptz IS NULL OR (created_at, id) > ($12, $13)) ORDER BY created_at, id LIMIT $14"
    );
    LIST_NEWEST_FIRST: ListValues => SandboxRow = select!(
        selected!(),
        " AND ($12::timestamptz IS NULL OR (created_at, id) < ($12, $13)) ORDER BY created_at DESC, id DESC LIMIT $14"
    );
    COUNT: CountValues => (i64,) = concat!("SELECT count(*) FROM sandboxes ", selected!());
}

/// Which sandboxes are listed.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `None`: every team.
    pub team: Option<TeamId>,
    /// Sandboxes that ended since this moment are listed too. `None`: only those that have not ended.
    pub ended_since: Option<DateTime<Utc>>,
    /// Empty: every state.
    pub states: Vec<SandboxState>,
    /// Every label must match exactly.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Names of labels that a sandbox must have, whatever their values.
    pub label_names: Vec<String>,
    pub template: Option<String>,
    pub started_after: Option<DateTime<Utc>>,
    pub host: Option<HostId>,
    pub created_by: Creator,
    /// A part of the id, of the template's name or of a label as `name=value`, in upper or lower case.
    pub text: Option<String>,
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

impl Filter {
    fn states(&self) -> Option<Vec<&'static str>> {
        let states: Vec<_> = self.states.iter().map(|state| state.as_str()).collect();
        Some(states).filter(|states| !states.is_empty())
    }
}

pub async fn list(conn: &mut PgConnection, filter: &Filter) -> Result<Vec<Sandbox>, StoreError> {
    let values = (
        filter.team.map(TeamId::as_uuid),
        filter.ended_since,
        filter.states(),
        json(&filter.labels),
        filter.label_names.as_slice(),
        &filter.template,
        filter.started_after,
        filter.host.map(HostId::as_uuid),
        filter.created_by.user.map(UserId::as_uuid),
        filter.created_by.key.map(ApiKeyId::as_uuid),
        &filter.text,
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

/// The number of sandboxes that a filter selects, on all its pages.
pub async fn count(conn: &mut PgConnection, filter: &Filter) -> Result<u64, StoreError> {
    let values = (
        filter.team.map(TeamId::as_uuid),
        filter.ended_since,
        filter.states(),
        json(&filter.labels),
        filter.label_names.as_slice(),
        &filter.template,
        filter.started_after,
        filter.host.map(HostId::as_uuid),
        filter.created_by.user.map(UserId::as_uuid),
        filter.created_by.key.map(ApiKeyId::as_uuid),
        &filter.text,
    );
    let (count,) = COUNT.fetch_one(conn, values).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}
