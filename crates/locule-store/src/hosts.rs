//! Tables `hosts` and `host_tags`.

pub(crate) mod load;

use chrono::{DateTime, Utc};
use locule_domain::{Drain, HostKind, HostState};
use locule_ids::{HostId, TeamId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub use load::{Load, load, loads};

use crate::statement::{row, statements};
use crate::{StoreError, word};

type InsertValues = (
    Uuid,
    &'static str,
    Option<Uuid>,
    &'static str,
    &'static str,
    &'static str,
    Option<Uuid>,
    DateTime<Utc>,
);
type RegisterValues = (
    Uuid,
    &'static str,
    &'static str,
    i32,
    i32,
    i32,
    DateTime<Utc>,
);

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.type AS kind, h.team_id, t.name AS team_name, h.provider, h.availability_zone, h.arch, h.address, h.cpu_cores, h.memory_mb,
                h.disk_gb, h.status, h.last_heartbeat_at, h.cordoned, h.drain, h.report, h.created_by, h.created_at, h.updated_at
             FROM hosts h LEFT JOIN teams t ON t.id = h.team_id ",
            $rest
        )
    };
}

statements! {
    INSERT: InsertValues =
        "INSERT INTO hosts (id, type, team_id, provider, availability_zone, address, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    GET: (Uuid,) => HostRow = select!("WHERE h.id = $1");
    LOCK: (Uuid,) => HostRow = select!("WHERE h.id = $1 FOR NO KEY UPDATE OF h");
    LIST: (Option<Uuid>,) => HostRow =
        select!("WHERE $1::uuid IS NULL OR h.team_id = $1 ORDER BY h.created_at, h.id LIMIT 10000");
    SILENT: (DateTime<Utc>,) => (Uuid,) =
        "SELECT id FROM hosts WHERE status = 'online' AND last_heartbeat_at < $1 ORDER BY id LIMIT 10000";
    UNREACHABLE: () => (Uuid,) = "SELECT id FROM hosts WHERE status = 'unreachable' ORDER BY id LIMIT 10000";
    DRAINED: () => (Uuid,) = "SELECT id FROM hosts WHERE drain = 'pause' ORDER BY id LIMIT 10000";
    SET_CORDON: (Uuid, bool, Option<&str>, DateTime<Utc>) =
        "UPDATE hosts SET cordoned = $2, drain = $3, updated_at = $4 WHERE id = $1";
    DELETE: (Uuid,) = "DELETE FROM hosts WHERE id = $1";
    AT: (&str,) => (Uuid,) =
        "SELECT id FROM hosts WHERE type = 'regular' AND address = $1 ORDER BY created_at LIMIT 1";
    SET_ADDRESS: (Uuid, &str, DateTime<Utc>) = "UPDATE hosts SET address = $2, updated_at = $3 WHERE id = $1";
    SET_STATE: (Uuid, &str, DateTime<Utc>) = "UPDATE hosts SET status = $2, updated_at = $3 WHERE id = $1";
    REGISTER: RegisterValues =
        "UPDATE hosts SET address = $2, arch = $3, cpu_cores = $4, memory_mb = $5, disk_gb = $6, updated_at = $7 WHERE id = $1";
    HEARTBEAT: (Uuid, &str, &str, &Value, DateTime<Utc>) =
        "UPDATE hosts SET status = $2, address = $3, report = $4, last_heartbeat_at = $5, updated_at = $5 WHERE id = $1";
    ONLINE: () => (Uuid, String, Option<String>) =
        "SELECT id, address, report ->> 'inventory_hash' FROM hosts WHERE status = 'online' ORDER BY created_at, id LIMIT 10000";
    REGISTERED: () => (Uuid, String) =
        "SELECT id, address FROM hosts WHERE status IN ('online', 'unreachable') ORDER BY created_at LIMIT 10000";
    TAGS: (Uuid,) => (String,) = "SELECT tag FROM host_tags WHERE host_id = $1 ORDER BY tag LIMIT 10000";
    ADD_TAG: (Uuid, &str) = "INSERT INTO host_tags (host_id, tag) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    REMOVE_TAG: (Uuid, &str) = "DELETE FROM host_tags WHERE host_id = $1 AND tag = $2";
}

/// A host's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    pub id: HostId,
    pub kind: HostKind,
    /// The owner of a host of kind `byoc`.
    pub team: Option<TeamId>,
    pub team_name: Option<String>,
    pub provider: String,
    pub availability_zone: String,
    pub arch: String,
    /// Empty until the host agent registers, or the address that it must register with.
    pub address: String,
    pub cpu_cores: i32,
    pub memory_mib: i32,
    pub disk_gb: i32,
    pub state: HostState,
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    /// No sandbox is placed on the host.
    pub cordoned: bool,
    /// The host is drained: it is also cordoned, and no sandbox resumes there.
    pub drain: Option<Drain>,
    /// What the latest heartbeat said.
    pub report: Value,
    pub created_by: Option<UserId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

row! {
    struct HostRow {
        id: Uuid,
        kind: String,
        team_id: Option<Uuid>,
        team_name: Option<String>,
        provider: String,
        availability_zone: String,
        arch: String,
        address: String,
        cpu_cores: i32,
        memory_mb: i32,
        disk_gb: i32,
        status: String,
        last_heartbeat_at: Option<DateTime<Utc>>,
        cordoned: bool,
        drain: Option<String>,
        report: Value,
        created_by: Option<Uuid>,
        created_at: DateTime<Utc>,
        updated_at: DateTime<Utc>,
    }
}

impl TryFrom<HostRow> for Host {
    type Error = StoreError;

    fn try_from(row: HostRow) -> Result<Self, StoreError> {
        let id = HostId::from_uuid(row.id);
        Ok(Self {
            id,
            kind: word("hosts", id, &row.kind)?,
            team: row.team_id.map(TeamId::from_uuid),
            team_name: row.team_name,
            provider: row.provider,
            availability_zone: row.availability_zone,
            arch: row.arch,
            address: row.address,
            cpu_cores: row.cpu_cores,
            memory_mib: row.memory_mb,
            disk_gb: row.disk_gb,
            state: word("hosts", id, &row.status)?,
            last_heartbeat_at: row.last_heartbeat_at,
            cordoned: row.cordoned,
            drain: row
                .drain
                .map(|drain| word("hosts", id, &drain))
                .transpose()?,
            report: row.report,
            created_by: row.created_by.map(UserId::from_uuid),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// What a host is created with.
#[derive(Debug, Clone, Copy)]
pub struct NewHost<'a> {
    pub id: HostId,
    pub kind: HostKind,
    pub team: Option<TeamId>,
    pub provider: &'a str,
    pub availability_zone: &'a str,
    /// The only address that the host may register with; empty: any.
    pub address: &'a str,
    pub created_by: Option<UserId>,
}

/// Adds a pending host.
pub async fn insert(
    conn: &mut PgConnection,
    host: NewHost<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (
        host.id.as_uuid(),
        host.kind.as_str(),
        host.team.map(TeamId::as_uuid),
        host.provider,
        host.availability_zone,
        host.address,
        host.created_by.map(UserId::as_uuid),
        now,
    );
    INSERT.execute(conn, values).await.map(drop)
}

/// A host, with the name of its team.
pub async fn get(conn: &mut PgConnection, id: HostId) -> Result<Option<Host>, StoreError> {
    let row = GET.fetch_optional(conn, (id.as_uuid(),)).await?;
    row.map(TryInto::try_into).transpose()
}

/// A host, locked until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: HostId) -> Result<Option<Host>, StoreError> {
    let row = LOCK.fetch_optional(conn, (id.as_uuid(),)).await?;
    row.map(TryInto::try_into).transpose()
}

/// The hosts of a team, or all hosts, oldest first.
pub async fn list(conn: &mut PgConnection, team: Option<TeamId>) -> Result<Vec<Host>, StoreError> {
    let rows = LIST.fetch_all(conn, (team.map(TeamId::as_uuid),)).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The oldest regular host with this address.
pub async fn at(conn: &mut PgConnection, address: &str) -> Result<Option<HostId>, StoreError> {
    let row = AT.fetch_optional(conn, (address,)).await?;
    Ok(row.map(|(id,)| HostId::from_uuid(id)))
}

/// Writes the state of a host that the caller has locked.
pub async fn set_state(
    conn: &mut PgConnection,
    id: HostId,
    state: HostState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), state.as_str(), now);
    SET_STATE.execute(conn, values).await.map(drop)
}

/// Writes the address of a host that the caller has locked.
pub async fn set_address(
    conn: &mut PgConnection,
    id: HostId,
    address: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    SET_ADDRESS
        .execute(conn, (id.as_uuid(), address, now))
        .await
        .map(drop)
}

/// The machine of a host, as its agent describes it when it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub arch: String,
    pub cpu_cores: i32,
    pub memory_mib: i32,
    pub disk_gb: i32,
}

/// Writes the address and the machine of a host that the caller has locked.
pub async fn register(
    conn: &mut PgConnection,
    id: HostId,
    address: &str,
    machine: &Machine,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (
        id.as_uuid(),
        address,
        machine.arch.as_str(),
        machine.cpu_cores,
        machine.memory_mib,
        machine.disk_gb,
        now,
    );
    REGISTER.execute(conn, values).await.map(drop)
}

/// Writes the heartbeat of a host that the caller has locked.
pub async fn heartbeat(
    conn: &mut PgConnection,
    id: HostId,
    (state, address): (HostState, &str),
    report: &Value,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), state.as_str(), address, report, now);
    HEARTBEAT.execute(conn, values).await.map(drop)
}

fn ids(rows: Vec<(Uuid,)>) -> Vec<HostId> {
    let hosts = rows.into_iter();
    hosts.map(|(id,)| HostId::from_uuid(id)).collect()
}

/// The online hosts whose latest heartbeat came before a moment.
pub async fn silent(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
) -> Result<Vec<HostId>, StoreError> {
    Ok(ids(SILENT.fetch_all(conn, (since,)).await?))
}

/// The hosts that are unreachable.
pub async fn unreachable(conn: &mut PgConnection) -> Result<Vec<HostId>, StoreError> {
    Ok(ids(UNREACHABLE.fetch_all(conn, ()).await?))
}

/// The hosts whose running sandboxes are to be paused.
pub async fn drained(conn: &mut PgConnection) -> Result<Vec<HostId>, StoreError> {
    Ok(ids(DRAINED.fetch_all(conn, ()).await?))
}

/// Writes whether a host, which the caller has locked, takes sandboxes.
pub async fn set_cordon(
    conn: &mut PgConnection,
    id: HostId,
    cordoned: bool,
    drain: Option<Drain>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), cordoned, drain.map(Drain::as_str), now);
    SET_CORDON.execute(conn, values).await.map(drop)
}

/// Removes a host that the caller has locked, with its tokens and tags.
pub async fn delete(conn: &mut PgConnection, id: HostId) -> Result<(), StoreError> {
    DELETE.execute(conn, (id.as_uuid(),)).await.map(drop)
}

fn addresses(rows: Vec<(Uuid, String)>) -> Vec<(HostId, String)> {
    let hosts = rows.into_iter();
    hosts
        .map(|(id, address)| (HostId::from_uuid(id), address))
        .collect()
}

/// A host that sends heartbeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineHost {
    pub id: HostId,
    pub address: String,
    /// The hash of what the host held at its latest heartbeat. Empty: unknown.
    pub inventory_hash: String,
}

/// The hosts that send heartbeats, oldest first.
pub async fn online(conn: &mut PgConnection) -> Result<Vec<OnlineHost>, StoreError> {
    let rows = ONLINE.fetch_all(conn, ()).await?;
    let hosts = rows.into_iter().map(|(id, address, hash)| OnlineHost {
        id: HostId::from_uuid(id),
        address,
        inventory_hash: hash.unwrap_or_default(),
    });
    Ok(hosts.collect())
}

/// The hosts that the control plane has reached at least once, oldest first, with their addresses.
pub async fn registered(conn: &mut PgConnection) -> Result<Vec<(HostId, String)>, StoreError> {
    Ok(addresses(REGISTERED.fetch_all(conn, ()).await?))
}

/// The tags of a host, in alphabetical order.
pub async fn tags(conn: &mut PgConnection, id: HostId) -> Result<Vec<String>, StoreError> {
    let rows = TAGS.fetch_all(conn, (id.as_uuid(),)).await?;
    Ok(rows.into_iter().map(|(tag,)| tag).collect())
}

/// Adds a tag, unless the host has it.
pub async fn add_tag(conn: &mut PgConnection, id: HostId, tag: &str) -> Result<(), StoreError> {
    ADD_TAG.execute(conn, (id.as_uuid(), tag)).await.map(drop)
}

/// Removes a tag, if the host has it.
pub async fn remove_tag(conn: &mut PgConnection, id: HostId, tag: &str) -> Result<(), StoreError> {
    REMOVE_TAG
        .execute(conn, (id.as_uuid(), tag))
        .await
        .map(drop)
}
