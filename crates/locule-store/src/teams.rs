//! Table `teams`: the owners of sandboxes and keys. The row of a deleted team stays, for platform administrators only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::{Quota, Role, people};
use locule_ids::{TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::statement::{row, statements};
use crate::{StoreError, word};

/// The limits of one team as its row has them.
type LimitColumns = (
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
);
type SetLimitsValues = (
    Uuid,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
    Option<i32>,
);

statements! {
    INSERT: (Uuid, &str, &str, bool, DateTime<Utc>) =
        "INSERT INTO teams (id, name, slug, is_byoc, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (slug) DO NOTHING";
    LOCK: (Uuid,) => TeamRow =
        "SELECT id, name, slug, is_byoc, created_at FROM teams WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE";
    SET_LIMITS: SetLimitsValues =
        "UPDATE teams SET sandboxes_max = $2, vcpus_max = $3, memory_mb_max = $4, creates_per_minute_max = $5, paused_max = $6,
             storage_mb_max = $7 WHERE id = $1";
    LOCK_LIMITS: (Uuid,) => LimitColumns =
        "SELECT sandboxes_max, vcpus_max, memory_mb_max, creates_per_minute_max, paused_max, storage_mb_max FROM teams
         WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE";
    LIMITS: (Uuid,) => LimitColumns =
        "SELECT sandboxes_max, vcpus_max, memory_mb_max, creates_per_minute_max, paused_max, storage_mb_max FROM teams
         WHERE id = $1 AND deleted_at IS NULL";
    OF_USER: (Uuid,) => MembershipRow =
        "SELECT t.id, t.name, t.slug, t.is_byoc, t.created_at, m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND t.deleted_at IS NULL ORDER BY m.created_at, t.id LIMIT 1000";
    NAMES: (Vec<Uuid>,) => (Uuid, String) = "SELECT id, name FROM teams WHERE id = ANY ($1) AND deleted_at IS NULL";
    OWNED_BY: (Uuid,) => (Uuid,) =
        "SELECT t.id FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND m.role = 'owner' AND t.deleted_at IS NULL ORDER BY t.id";
    RENAME: (Uuid, &str) = "UPDATE teams SET name = $2 WHERE id = $1";
    BRINGS_HOSTS: (Uuid,) => (bool,) = "SELECT EXISTS (SELECT 1 FROM teams WHERE id = $1 AND is_byoc)";
    SET_BYOC: (Uuid, bool) = "UPDATE teams SET is_byoc = $2 WHERE id = $1";
    HAS_HOSTS: (Uuid,) => (bool,) = "SELECT EXISTS (SELECT 1 FROM hosts WHERE team_id = $1)";
    DELETE_KEYS: (Uuid,) = "DELETE FROM team_api_keys WHERE team_id = $1";
    DELETE_CHANNELS: (Uuid,) = "DELETE FROM channels WHERE team_id = $1";
    DELETE: (Uuid, DateTime<Utc>) = "UPDATE teams SET deleted_at = $2 WHERE id = $1";
    COUNT: (Uuid, Option<String>) => (i64,) =
        r"SELECT count(*)
         FROM teams t LEFT JOIN users_teams o ON o.team_id = t.id AND o.role = 'owner' LEFT JOIN users u ON u.id = o.user_id
         WHERE t.id <> $1 AND ($2::text IS NULL OR lower(t.name) LIKE $2 ESCAPE '\' OR t.slug LIKE $2 ESCAPE '\' OR 'team-' || t.id LIKE $2 ESCAPE '\'
                OR lower(u.name) LIKE $2 ESCAPE '\' OR lower(u.email) LIKE $2 ESCAPE '\')";
    PAGE: (Uuid, Option<String>, i64, i64) => ListedRow =
        r"SELECT t.id, t.name, t.slug, t.is_byoc, t.created_at, t.deleted_at,
                (SELECT count(*) FROM users_teams m WHERE m.team_id = t.id) AS member_count,
                coalesce(u.name, '') AS owner_name, coalesce(u.email, '') AS owner_email,
                (SELECT count(*) FROM sandboxes s WHERE s.team_id = t.id AND s.status NOT IN ('stopped', 'error'))
                    AS active_sandbox_count,
                (SELECT count(*) FROM channels c WHERE c.team_id = t.id) AS channel_count
         FROM teams t LEFT JOIN users_teams o ON o.team_id = t.id AND o.role = 'owner' LEFT JOIN users u ON u.id = o.user_id
         WHERE t.id <> $1 AND ($2::text IS NULL OR lower(t.name) LIKE $2 ESCAPE '\' OR t.slug LIKE $2 ESCAPE '\' OR 'team-' || t.id LIKE $2 ESCAPE '\'
                OR lower(u.name) LIKE $2 ESCAPE '\' OR lower(u.email) LIKE $2 ESCAPE '\')
         ORDER BY t.deleted_at IS NOT NULL, t.created_at DESC, t.id DESC LIMIT $3 OFFSET $4";
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub slug: String,
    pub is_byoc: bool,
    pub created_at: DateTime<Utc>,
}

row! {
    struct TeamRow {
        id: Uuid,
        name: String,
        slug: String,
        is_byoc: bool,
        created_at: DateTime<Utc>,
    }
}

impl From<TeamRow> for Team {
    fn from(row: TeamRow) -> Self {
        Self {
            id: TeamId::from_uuid(row.id),
            name: row.name,
            slug: row.slug,
            is_byoc: row.is_byoc,
            created_at: row.created_at,
        }
    }
}

/// `false`: the slug is taken.
pub async fn insert(conn: &mut PgConnection, team: &Team) -> Result<bool, StoreError> {
    let (name, slug) = (team.name.as_str(), team.slug.as_str());
    let values = (team.id.as_uuid(), name, slug, team.is_byoc, team.created_at);
    Ok(INSERT.execute(conn, values).await? == 1)
}

/// A team that is not deleted. Transactions that change the team, its members or its sandboxes wait until this one ends.
pub async fn lock(conn: &mut PgConnection, id: TeamId) -> Result<Option<Team>, StoreError> {
    let row = LOCK.fetch_optional(conn, (id.as_uuid(),)).await?;
    Ok(row.map(Team::from))
}

/// The limits of one team. `None`: the default of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnLimits {
    pub sandboxes_max: Option<i32>,
    pub vcpus_max: Option<i32>,
    pub memory_mib_max: Option<i32>,
    pub creates_per_minute_max: Option<i32>,
    pub paused_max: Option<i32>,
    pub storage_mib_max: Option<i32>,
}

pub async fn set_limits(
    conn: &mut PgConnection,
    id: TeamId,
    own: OwnLimits,
) -> Result<(), StoreError> {
    let values = (
        id.as_uuid(),
        own.sandboxes_max,
        own.vcpus_max,
        own.memory_mib_max,
        own.creates_per_minute_max,
        own.paused_max,
        own.storage_mib_max,
    );
    SET_LIMITS.execute(conn, values).await.map(drop)
}

/// The quota of a team: its own limits, and those of `default` where it has none. Locks the team as [`lock`] does; `None`: it
/// is deleted.
pub async fn lock_quota(
    conn: &mut PgConnection,
    id: TeamId,
    default: Quota,
) -> Result<Option<Quota>, StoreError> {
    let own = LOCK_LIMITS.fetch_optional(conn, (id.as_uuid(),)).await?;
    Ok(own.map(|own| own_limits_of(own).or(default)))
}

/// The own limits of a team, without a lock: for a report, not for a decision. `None`: the team is deleted.
pub async fn own_limits(
    conn: &mut PgConnection,
    id: TeamId,
) -> Result<Option<OwnLimits>, StoreError> {
    let own = LIMITS.fetch_optional(conn, (id.as_uuid(),)).await?;
    Ok(own.map(own_limits_of))
}

fn own_limits_of(row: LimitColumns) -> OwnLimits {
    let (
        sandboxes_max,
        vcpus_max,
        memory_mib_max,
        creates_per_minute_max,
        paused_max,
        storage_mib_max,
    ) = row;
    OwnLimits {
        sandboxes_max,
        vcpus_max,
        memory_mib_max,
        creates_per_minute_max,
        paused_max,
        storage_mib_max,
    }
}

impl OwnLimits {
    /// The quota of a team with these limits: those of `default` where the team has none.
    pub fn or(self, default: Quota) -> Quota {
        let or = |own: Option<i32>, default| {
            own.and_then(|own| u32::try_from(own).ok())
                .unwrap_or(default)
        };
        Quota {
            sandboxes_max: or(self.sandboxes_max, default.sandboxes_max),
            vcpus_max: or(self.vcpus_max, default.vcpus_max),
            memory_mib_max: or(self.memory_mib_max, default.memory_mib_max),
            creates_per_minute_max: or(self.creates_per_minute_max, default.creates_per_minute_max),
            paused_max: or(self.paused_max, default.paused_max),
            storage_mib_max: or(self.storage_mib_max, default.storage_mib_max),
        }
    }
}

row! {
    struct MembershipRow {
        ..team: TeamRow,
        role: String,
    }
}

/// The teams of a user that are not deleted, with the user's role, in the order in which the user joined.
pub async fn of_user(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Vec<(Team, Role)>, StoreError> {
    let rows = OF_USER.fetch_all(conn, (user.as_uuid(),)).await?;
    let teams = rows.into_iter().map(|row| {
        let team = Team::from(row.team);
        let role = word("users_teams", team.id, &row.role)?;
        Ok((team, role))
    });
    teams.collect()
}

/// The teams of which a user is the owner and that are not deleted, ordered by id.
pub async fn owned_by(conn: &mut PgConnection, user: UserId) -> Result<Vec<TeamId>, StoreError> {
    let rows = OWNED_BY.fetch_all(conn, (user.as_uuid(),)).await?;
    Ok(rows
        .into_iter()
        .map(|(team,)| TeamId::from_uuid(team))
        .collect())
}

/// The names of those among these teams that are not deleted.
pub async fn names(
    conn: &mut PgConnection,
    ids: &[TeamId],
) -> Result<BTreeMap<TeamId, String>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = NAMES.fetch_all(conn, (ids,)).await?;
    let named = rows.into_iter();
    Ok(named
        .map(|(id, name)| (TeamId::from_uuid(id), name))
        .collect())
}

pub async fn rename(conn: &mut PgConnection, id: TeamId, name: &str) -> Result<(), StoreError> {
    RENAME.execute(conn, (id.as_uuid(), name)).await.map(drop)
}

/// Whether the sandboxes of a team run on hosts that the team brings, and on no others.
pub async fn brings_hosts(conn: &mut PgConnection, id: TeamId) -> Result<bool, StoreError> {
    let (brings,) = BRINGS_HOSTS.fetch_one(conn, (id.as_uuid(),)).await?;
    Ok(brings)
}

pub async fn set_byoc(conn: &mut PgConnection, id: TeamId, byoc: bool) -> Result<(), StoreError> {
    SET_BYOC.execute(conn, (id.as_uuid(), byoc)).await.map(drop)
}

/// Whether a team has hosts of its own.
pub async fn has_hosts(conn: &mut PgConnection, id: TeamId) -> Result<bool, StoreError> {
    let (has_hosts,) = HAS_HOSTS.fetch_one(conn, (id.as_uuid(),)).await?;
    Ok(has_hosts)
}

/// Deletes a team with its keys and channels. Its sandboxes stay: a job destroys them.
pub async fn delete(
    conn: &mut PgConnection,
    id: TeamId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let id = id.as_uuid();
    DELETE_KEYS.execute(conn, (id,)).await?;
    DELETE_CHANNELS.execute(conn, (id,)).await?;
    DELETE.execute(conn, (id, now)).await.map(drop)
}

/// A team as the list for platform administrators shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    pub team: Team,
    pub deleted_at: Option<DateTime<Utc>>,
    pub member_count: i64,
    pub owner_name: String,
    pub owner_email: String,
    pub active_sandbox_count: i64,
    pub channel_count: i64,
}

row! {
    struct ListedRow {
        ..team: TeamRow,
        deleted_at: Option<DateTime<Utc>>,
        member_count: i64,
        owner_name: String,
        owner_email: String,
        active_sandbox_count: i64,
        channel_count: i64,
    }
}

/// A page of all teams but the platform's, and their number. Deleted teams come last, newer teams first. With `search` only those
/// whose name, slug, id or owner contains the text, in any case.
pub async fn page(
    conn: &mut PgConnection,
    search: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Listed>, i64), StoreError> {
    let platform = TeamId::PLATFORM.as_uuid();
    let pattern = search.map(people::like_anywhere);
    let (total,) = COUNT.fetch_one(conn, (platform, pattern.clone())).await?;
    let values = (platform, pattern, limit, offset);
    let rows = PAGE.fetch_all(conn, values).await?;
    let listed = |row: ListedRow| Listed {
        team: row.team.into(),
        deleted_at: row.deleted_at,
        member_count: row.member_count,
        owner_name: row.owner_name,
        owner_email: row.owner_email,
        active_sandbox_count: row.active_sandbox_count,
        channel_count: row.channel_count,
    };
    Ok((rows.into_iter().map(listed).collect(), total))
}
