//! What a sweep reads: which rows changed since the sweep before, which rows are not as they should be, and the rows of one host.

use chrono::{DateTime, Utc};
use locule_ids::{HostId, SandboxId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::row::{SandboxRow, select};
use super::{Read, read};
use crate::StoreError;
use crate::statement::statements;

statements! {
    MARK: () => (i64, i64, i64, i64) =
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint,
             d.oid::bigint, w.last_value
         FROM pg_database d, write_counter w WHERE d.datname = current_database()";
    CHANGED: (i64, i64) => (Uuid, Option<Uuid>, i64) =
        "SELECT id, host_id, version FROM sandboxes WHERE changed_in >= $1 ORDER BY changed_in LIMIT $2";
    OWED: (Option<Uuid>, i64) => (Uuid, Option<Uuid>) =
        "SELECT id, host_id FROM sandboxes
         WHERE ((status NOT IN ('stopped', 'error') AND status <> desired) OR cleanup_pending)
           AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2";
    OF_HOST: (Uuid, Option<Uuid>, i64) => SandboxRow = select!(
        "WHERE host_id = $1 AND (status NOT IN ('stopped', 'error') OR cleanup_pending)
           AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3"
    );
    TOUCH_MANY: (Vec<Uuid>, Vec<DateTime<Utc>>) =
        "UPDATE sandboxes s SET last_active_at = greatest(s.last_active_at, u.at)
         FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at) WHERE s.id = u.id";
}

/// The statements of [`changed_since`], [`owed`] and [`of_host`], for `EXPLAIN`.
pub fn sweep_sql() -> [&'static str; 3] {
    [CHANGED.sql, OWED.sql, OF_HOST.sql]
}

/// A moment in the history of the database, before which every transaction has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepMark {
    /// The oldest transaction that had not ended.
    oldest: i64,
    /// When the server started, and which of its databases this is.
    server: (i64, i64),
    write_counter: i64,
}

impl SweepMark {
    /// Whether the history of the database goes on from an earlier mark to this one. After a restart of the server, a failover or a
    /// restore it may not.
    pub fn continues(&self, earlier: &Self) -> bool {
        self.server == earlier.server
            && self.oldest >= earlier.oldest
            && self.write_counter >= earlier.write_counter
    }
}

/// The mark of this moment.
pub async fn sweep_mark(conn: &mut PgConnection) -> Result<SweepMark, StoreError> {
    let (oldest, started, database, write_counter) = MARK.fetch_one(conn, ()).await?;
    Ok(SweepMark {
        oldest,
        server: (started, database),
        write_counter,
    })
}

/// A version of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    pub id: SandboxId,
    pub host: Option<HostId>,
    pub version: i64,
}

/// The rows that a transaction has written that had not ended at the mark, `limit` at most: every row that a reader did not see then
/// is among them, whatever the times say. A row that a reader saw may be among them, too.
pub async fn changed_since(
    conn: &mut PgConnection,
    mark: &SweepMark,
    limit: i64,
) -> Result<Vec<Changed>, StoreError> {
    let rows = CHANGED.fetch_all(conn, (mark.oldest, limit)).await?;
    let changed = rows.into_iter().map(|(id, host, version)| Changed {
        id: SandboxId::from_uuid(id),
        host: host.map(HostId::from_uuid),
        version,
    });
    Ok(changed.collect())
}

/// Sandboxes that are not in their desired state, and those whose host has not confirmed their end; with their hosts. Ordered by id,
/// after `after`, so that the pages together contain each of them.
pub async fn owed(
    conn: &mut PgConnection,
    after: Option<SandboxId>,
    limit: i64,
) -> Result<Vec<(SandboxId, Option<HostId>)>, StoreError> {
    let values = (after.map(SandboxId::as_uuid), limit);
    let rows = OWED.fetch_all(conn, values).await?;
    let pair =
        |(id, host): (Uuid, Option<Uuid>)| (SandboxId::from_uuid(id), host.map(HostId::from_uuid));
    Ok(rows.into_iter().map(pair).collect())
}

/// The sandboxes on a host that have not ended, and those whose end the host has not confirmed, in pages as those of [`owed`]. A row that
/// cannot be read does not hide the others.
pub async fn of_host(
    conn: &mut PgConnection,
    host: HostId,
    after: Option<SandboxId>,
    limit: i64,
) -> Result<Vec<Read>, StoreError> {
    let values = (host.as_uuid(), after.map(SandboxId::as_uuid), limit);
    let rows = OF_HOST.fetch_all(conn, values).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Moves the moments of last use of sandboxes forward, as [`touch`](super::touch) does.
pub async fn touch_many(
    conn: &mut PgConnection,
    used: &[(SandboxId, DateTime<Utc>)],
) -> Result<(), StoreError> {
    let (ids, moments) = used.iter().map(|(id, at)| (id.as_uuid(), *at)).unzip();
    TOUCH_MANY.execute(conn, (ids, moments)).await.map(drop)
}
