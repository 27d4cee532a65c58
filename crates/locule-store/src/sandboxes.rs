//! Table `sandboxes`.

pub(crate) mod creators;
pub(crate) mod description;
pub(crate) mod list;
pub(crate) mod on_host;
mod row;
pub(crate) mod sweep;

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, Usage};
use locule_ids::{ApiKeyId, HostId, SandboxId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

pub use creators::{Created, CreatedFilter, Creator, created_by};
pub use description::{Author, AuthorId, AuthorKind, Description, describe, set_ended_by};
pub use list::{Filter, count, list, list_sql};
pub use on_host::{HostSandbox, is_on_drained_host, on_host, waiting_for_cleanup};
pub use sweep::{
    Changed, SweepMark, changed_since, of_host, owed, sweep_mark, sweep_sql, touch_many,
};

use crate::StoreError;
use crate::statement::statements;
use row::{JsonTexts, SandboxRow, json, select};

type Time = DateTime<Utc>;

type InsertValues = (
    Uuid,
    Uuid,
    Option<Uuid>,
    &'static str,
    &'static str,
    i64,
    &'static str,
    Uuid,
    &'static str,
    i32,
    i32,
    i32,
    i32,
    Option<Time>,
    Option<i32>,
    &'static str,
    bool,
    bool,
    JsonTexts<'static>,
    JsonTexts<'static>,
    Time,
    Option<Uuid>,
    Option<Uuid>,
);

type UpdateValues = (
    Uuid,
    i64,
    Option<Uuid>,
    &'static str,
    &'static str,
    i64,
    Option<String>,
    &'static Option<String>,
    bool,
    i32,
    Option<Time>,
    Option<i32>,
    &'static str,
    &'static str,
    &'static str,
    JsonTexts<'static>,
    Option<Time>,
    Option<Time>,
    Time,
    i64,
    bool,
    bool,
    JsonTexts<'static>,
);

/// Running sandboxes, their vCPUs and memory; paused ones; running ones that may be paused; stored bytes.
type UsageColumns = (i64, i64, i64, i64, i64, i64);

statements! {
    INSERT: InsertValues =
        "INSERT INTO sandboxes (id, team_id, host_id, status, desired, generation, template, template_id, default_user, vcpus,
             memory_mb, disk_size_mb, timeout_sec, expires_at, timeout_given_sec, on_timeout, auto_resume, public_traffic, env,
             labels, created_at, last_updated, created_by_user, created_by_key, created_by_kind, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $21, $22, $23,
             CASE WHEN $22::uuid IS NOT NULL THEN 'user' WHEN $23::uuid IS NOT NULL THEN 'api_key' ELSE 'system' END,
             CASE WHEN $4 IN ('stopped', 'error') THEN $21::timestamptz END)";
    GET: (Uuid,) => SandboxRow = select!("WHERE id = $1");
    GET_MANY: (Vec<Uuid>,) => SandboxRow = select!("WHERE id = ANY ($1)");
    UPDATE: UpdateValues =
        "UPDATE sandboxes SET host_id = $3, status = $4, desired = $5, generation = $6, status_reason = $7, last_error = $8,
             cleanup_pending = $9, timeout_sec = $10, expires_at = $11, timeout_given_sec = $12, on_timeout = $13,
             guest_ip = $14, host_ip = $15, metadata = $16, started_at = $17,
             last_active_at = greatest(last_active_at, $18), last_updated = $19, stored_bytes = $20, version = version + 1,
             changed_in = pg_current_xact_id()::text::bigint,
             auto_resume = $21, public_traffic = $22, labels = $23,
             ended_at = CASE WHEN $4 IN ('stopped', 'error') THEN coalesce(ended_at, $19) END
         WHERE id = $1 AND version = $2";
    TOUCH: (Uuid, Time) = "UPDATE sandboxes SET last_active_at = greatest(last_active_at, $2) WHERE id = $1";
    REMAINING_OF_TEAM: (Uuid, Time, Option<Uuid>, i64) => SandboxRow = select!(
        "WHERE team_id = $1 AND created_at <= $2 AND ($3::uuid IS NULL OR id > $3)
           AND (status NOT IN ('stopped', 'error') OR cleanup_pending
                OR (desired <> 'gone' AND status_reason IN ('vm_lost', 'image_lost')))
         ORDER BY id LIMIT $4"
    );
    USAGE: (Uuid,) => UsageColumns =
        "SELECT count(*) FILTER (WHERE desired = 'running'),
                coalesce(sum(vcpus) FILTER (WHERE desired = 'running'), 0)::bigint,
                coalesce(sum(memory_mb) FILTER (WHERE desired = 'running'), 0)::bigint,
                count(*) FILTER (WHERE desired = 'paused'),
                count(*) FILTER (WHERE desired = 'running' AND (on_timeout = 'pause' OR timeout_sec > 0)),
                coalesce(sum(stored_bytes), 0)::bigint
         FROM sandboxes WHERE team_id = $1 AND status NOT IN ('stopped', 'error') AND desired <> 'gone'";
}

fn number(value: u32) -> i32 {
    // Sizes and times are bounded far below by the rules.
    i32::try_from(value).unwrap_or(i32::MAX)
}

pub async fn insert(
    conn: &mut PgConnection,
    sandbox: &Sandbox,
    creator: Creator,
) -> Result<(), StoreError> {
    let values = (
        sandbox.id.as_uuid(),
        sandbox.team.as_uuid(),
        sandbox.host.map(HostId::as_uuid),
        sandbox.state.as_str(),
        sandbox.desired.as_str(),
        sandbox.generation,
        sandbox.template.as_str(),
        sandbox.template_id.as_uuid(),
        sandbox.default_user.as_str(),
        number(sandbox.vcpus),
        number(sandbox.memory_mib),
        number(sandbox.disk_size_mb),
        number(sandbox.timeouts.timeout_sec),
        sandbox.timeouts.expires_at,
        sandbox.timeout_given_sec.map(number),
        sandbox.timeouts.on_timeout.as_str(),
        sandbox.auto_resume,
        sandbox.public_traffic,
        json(&sandbox.env),
        json(&sandbox.labels),
        sandbox.created_at,
        creator.user.map(UserId::as_uuid),
        creator.key.map(ApiKeyId::as_uuid),
    );
    INSERT.execute(conn, values).await.map(drop)
}

pub async fn get(conn: &mut PgConnection, id: SandboxId) -> Result<Option<Sandbox>, StoreError> {
    let row = GET.fetch_optional(conn, (id.as_uuid(),)).await?;
    row.map(TryInto::try_into).transpose()
}

/// The id of a row, and the sandbox unless the row cannot be read.
pub type Read = (SandboxId, Result<Sandbox, StoreError>);

fn read(row: SandboxRow) -> Read {
    (row.id(), row.try_into())
}

/// Sandboxes by id, in no order, without the ids that do not exist. A row that cannot be read does not hide the others.
pub async fn get_many(conn: &mut PgConnection, ids: &[SandboxId]) -> Result<Vec<Read>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = GET_MANY.fetch_all(conn, (ids,)).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Writes every field that can change, unless another writer changed the row since `seen` was read. `false`: the caller reads
/// the row again. The moment of last use never moves back: [`touch`] moves it without a new version of the row.
pub async fn update(
    conn: &mut PgConnection,
    seen: &Sandbox,
    next: &Sandbox,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let reason = next.state.reason().map(str::to_owned);
    let values = (
        seen.id.as_uuid(),
        seen.version,
        next.host.map(HostId::as_uuid),
        next.state.as_str(),
        next.desired.as_str(),
        next.generation,
        reason.or_else(|| next.status_reason.clone()),
        &next.last_error,
        next.cleanup_pending,
        number(next.timeouts.timeout_sec),
        next.timeouts.expires_at,
        next.timeout_given_sec.map(number),
        next.timeouts.on_timeout.as_str(),
        next.guest_ip.as_str(),
        next.host_ip.as_str(),
        json(&next.metadata),
        next.started_at,
        next.last_active_at,
        now,
        i64::try_from(next.stored_bytes).unwrap_or(i64::MAX),
        next.auto_resume,
        next.public_traffic,
        json(&next.labels),
    );
    Ok(UPDATE.execute(conn, values).await? == 1)
}

/// Moves the moment of last use forward.
pub async fn touch(
    conn: &mut PgConnection,
    id: SandboxId,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    TOUCH.execute(conn, (id.as_uuid(), at)).await.map(drop)
}

/// Sandboxes that must be destroyed with their team: those that have not ended or wait for a cleanup, and those that ended by inference
/// and may come back.
pub async fn remaining_of_team(
    conn: &mut PgConnection,
    team: TeamId,
    created_until: DateTime<Utc>,
    after: Option<SandboxId>,
    limit: i64,
) -> Result<Vec<Read>, StoreError> {
    let after = after.map(SandboxId::as_uuid);
    let values = (team.as_uuid(), created_until, after, limit);
    let rows = REMAINING_OF_TEAM.fetch_all(conn, values).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// What a team uses of its quota: the sandboxes that have not ended and are not desired to.
pub async fn usage(conn: &mut PgConnection, team: TeamId) -> Result<Usage, StoreError> {
    let row = USAGE.fetch_one(conn, (team.as_uuid(),)).await?;
    let (sandboxes, vcpus, memory_mib, paused, places, stored_bytes) = row;
    let whole = |value| u32::try_from(value).unwrap_or(u32::MAX);
    Ok(Usage {
        sandboxes: whole(sandboxes),
        vcpus: whole(vcpus),
        memory_mib: whole(memory_mib),
        paused: whole(paused),
        places: whole(places),
        stored_bytes: u64::try_from(stored_bytes).unwrap_or(u64::MAX),
    })
}
