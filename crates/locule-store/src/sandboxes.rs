//! Table `sandboxes`.

mod row;

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState, Usage};
use locule_ids::{HostId, SandboxId, TeamId};
use sqlx::PgConnection;

use crate::StoreError;
use row::{SandboxRow, json};

const COLUMNS: &str = "id, team_id, host_id, status, desired, generation, version, status_reason, last_error, cleanup_pending, template, \
     template_id, default_user, vcpus, memory_mb, disk_size_mb, timeout_sec, expires_at, timeout_given_sec, on_timeout, auto_resume, \
     public_traffic, env, labels, guest_ip, host_ip, metadata, created_at, started_at, last_active_at, last_updated";

fn select_text(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM sandboxes {rest}")
}

/// Rows, from text that is made of constants only.
fn select(rest: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(select_text(rest))
}

fn number(value: u32) -> i32 {
    // Sizes and times are bounded far below by the rules.
    i32::try_from(value).unwrap_or(i32::MAX)
}

pub async fn insert(conn: &mut PgConnection, sandbox: &Sandbox) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO sandboxes (id, team_id, host_id, status, desired, generation, template, template_id, default_user, vcpus,
             memory_mb, disk_size_mb, timeout_sec, expires_at, timeout_given_sec, on_timeout, auto_resume, public_traffic, env,
             labels, created_at, last_updated)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $21)",
    )
    .bind(sandbox.id.as_uuid())
    .bind(sandbox.team.as_uuid())
    .bind(sandbox.host.map(HostId::as_uuid))
    .bind(sandbox.state.as_str())
    .bind(sandbox.desired.as_str())
    .bind(sandbox.generation)
    .bind(&sandbox.template)
    .bind(sandbox.template_id.as_uuid())
    .bind(&sandbox.default_user)
    .bind(number(sandbox.vcpus))
    .bind(number(sandbox.memory_mib))
    .bind(number(sandbox.disk_size_mb))
    .bind(number(sandbox.timeouts.timeout_sec))
    .bind(sandbox.timeouts.expires_at)
    .bind(sandbox.timeout_given_sec.map(number))
    .bind(sandbox.timeouts.on_timeout.as_str())
    .bind(sandbox.auto_resume)
    .bind(sandbox.public_traffic)
    .bind(json(&sandbox.env))
    .bind(json(&sandbox.labels))
    .bind(sandbox.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn get(conn: &mut PgConnection, id: SandboxId) -> Result<Option<Sandbox>, StoreError> {
    let row: Option<SandboxRow> = sqlx::query_as(select("WHERE id = $1"))
        .bind(id.as_uuid())
        .fetch_optional(conn)
        .await?;
    row.map(TryInto::try_into).transpose()
}

/// A row's id, and the sandbox if it is one.
pub type Read = (SandboxId, Result<Sandbox, StoreError>);

fn read(row: SandboxRow) -> Read {
    (row.id(), row.try_into())
}

/// Sandboxes by id, in no order. What is not there is left out; what cannot be read does not hide the others.
pub async fn get_many(conn: &mut PgConnection, ids: &[SandboxId]) -> Result<Vec<Read>, StoreError> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows: Vec<SandboxRow> = sqlx::query_as(select("WHERE id = ANY ($1)"))
        .bind(ids)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Writes everything that changes about a sandbox, and only if nobody wrote its row since `seen` was read. `false`: read
/// again. The moment of last use never goes back: it is moved without a word to those who write the rest.
pub async fn update(
    conn: &mut PgConnection,
    seen: &Sandbox,
    next: &Sandbox,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE sandboxes SET host_id = $3, status = $4, desired = $5, generation = $6, status_reason = $7, last_error = $8,
             cleanup_pending = $9, timeout_sec = $10, expires_at = $11, timeout_given_sec = $12, on_timeout = $13,
             guest_ip = $14, host_ip = $15, metadata = $16, started_at = $17,
             last_active_at = greatest(last_active_at, $18), last_updated = $19, version = version + 1
         WHERE id = $1 AND version = $2",
    )
    .bind(seen.id.as_uuid())
    .bind(seen.version)
    .bind(next.host.map(HostId::as_uuid))
    .bind(next.state.as_str())
    .bind(next.desired.as_str())
    .bind(next.generation)
    .bind(next.state.reason().map(str::to_owned).or_else(|| next.status_reason.clone()))
    .bind(&next.last_error)
    .bind(next.cleanup_pending)
    .bind(number(next.timeouts.timeout_sec))
    .bind(next.timeouts.expires_at)
    .bind(next.timeout_given_sec.map(number))
    .bind(next.timeouts.on_timeout.as_str())
    .bind(&next.guest_ip)
    .bind(&next.host_ip)
    .bind(json(&next.metadata))
    .bind(next.started_at)
    .bind(next.last_active_at)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves the moment of last use forward.
pub async fn touch(
    conn: &mut PgConnection,
    id: SandboxId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE sandboxes SET last_active_at = greatest(last_active_at, $2) WHERE id = $1")
        .bind(id.as_uuid())
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

/// What a list shows of a team's sandboxes. Ended ones are never in it.
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

const LIST_WHERE: &str = "WHERE team_id = $1 AND status NOT IN ('stopped', 'error')
       AND ($2::text[] IS NULL OR status = ANY ($2)) AND labels @> $3
       AND ($4::text IS NULL OR template = $4) AND ($5::timestamptz IS NULL OR coalesce(started_at, created_at) >= $5)";

/// The statement of [`list`], for whoever asks PostgreSQL how it is carried out.
pub fn list_sql(ascending: bool) -> String {
    let order = if ascending {
        "AND ($6::timestamptz IS NULL OR (created_at, id) > ($6, $7)) ORDER BY created_at, id LIMIT $8"
    } else {
        "AND ($6::timestamptz IS NULL OR (created_at, id) < ($6, $7)) ORDER BY created_at DESC, id DESC LIMIT $8"
    };
    select_text(&format!("{LIST_WHERE} {order}"))
}

/// The statement of [`unsettled`], likewise.
pub fn unsettled_sql() -> String {
    select_text(UNSETTLED)
}

pub async fn list(
    conn: &mut PgConnection,
    team: TeamId,
    filter: &Filter,
) -> Result<Vec<Sandbox>, StoreError> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let rows: Vec<SandboxRow> = sqlx::query_as(sqlx::AssertSqlSafe(list_sql(filter.ascending)))
        .bind(team.as_uuid())
        .bind(if states.is_empty() {
            None
        } else {
            Some(states)
        })
        .bind(json(&filter.labels))
        .bind(&filter.template)
        .bind(filter.started_after)
        .bind(filter.after.map(|(at, _)| at))
        .bind(filter.after.map(|(_, id)| id.as_uuid()))
        .bind(filter.limit)
        .fetch_all(conn)
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Sandboxes that a sweep looks at: not ended, or ended here and not yet cleaned up on the host. In the order of their ids,
/// after `after`, so that page by page every one is seen; one that cannot be read does not hide the others.
pub async fn unsettled(
    conn: &mut PgConnection,
    after: Option<SandboxId>,
    limit: i64,
) -> Result<Vec<Read>, StoreError> {
    let rows: Vec<SandboxRow> = sqlx::query_as(select(UNSETTLED))
        .bind(after.map(SandboxId::as_uuid))
        .bind(limit)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

const UNSETTLED: &str = "WHERE (status NOT IN ('stopped', 'error') OR cleanup_pending)
       AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2";

/// What of a team's must go when the team goes: what is not settled, and what only seems to have ended and might come back.
pub async fn left_of(
    conn: &mut PgConnection,
    team: TeamId,
    made_until: DateTime<Utc>,
    after: Option<SandboxId>,
    limit: i64,
) -> Result<Vec<Read>, StoreError> {
    let rows: Vec<SandboxRow> = sqlx::query_as(select(
        "WHERE team_id = $1 AND created_at <= $2 AND ($3::uuid IS NULL OR id > $3)
           AND (status NOT IN ('stopped', 'error') OR cleanup_pending
                OR (desired <> 'gone' AND status_reason IN ('vm_lost', 'image_lost')))
         ORDER BY id LIMIT $4",
    ))
    .bind(team.as_uuid())
    .bind(made_until)
    .bind(after.map(SandboxId::as_uuid))
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// What a team's sandboxes use that run or are wanted to.
pub async fn usage(conn: &mut PgConnection, team: TeamId) -> Result<Usage, StoreError> {
    let (sandboxes, vcpus, memory_mib): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(vcpus), 0)::bigint, coalesce(sum(memory_mb), 0)::bigint FROM sandboxes
         WHERE team_id = $1 AND status NOT IN ('stopped', 'error') AND desired = 'running'",
    )
    .bind(team.as_uuid())
    .fetch_one(conn)
    .await?;
    let whole = |value| u32::try_from(value).unwrap_or(u32::MAX);
    Ok(Usage {
        sandboxes: whole(sandboxes),
        vcpus: whole(vcpus),
        memory_mib: whole(memory_mib),
    })
}
