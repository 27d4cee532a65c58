//! Table `teams`: who owns things. A deleted team is nobody's: only administrators still see its row.

use chrono::{DateTime, Utc};
use locule_domain::{Quota, Role};
use locule_ids::{TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{StoreError, word};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub slug: String,
    pub is_byoc: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct TeamRow {
    id: Uuid,
    name: String,
    slug: String,
    is_byoc: bool,
    created_at: DateTime<Utc>,
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
    let done = sqlx::query(
        "INSERT INTO teams (id, name, slug, is_byoc, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (slug) DO NOTHING",
    )
    .bind(team.id.as_uuid())
    .bind(&team.name)
    .bind(&team.slug)
    .bind(team.is_byoc)
    .bind(team.created_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// One that lives. Whoever else wants to change it, its members, or what runs for it, waits until this transaction ends.
pub async fn lock(conn: &mut PgConnection, id: TeamId) -> Result<Option<Team>, StoreError> {
    let row: Option<TeamRow> = sqlx::query_as(
        "SELECT id, name, slug, is_byoc, created_at FROM teams WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
    )
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Team::from))
}

/// Limits of a team's own; where there is none, the default counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OwnLimits {
    pub sandboxes_max: Option<i32>,
    pub vcpus_max: Option<i32>,
    pub memory_mib_max: Option<i32>,
    pub creates_per_minute_max: Option<i32>,
}

pub async fn set_limits(
    conn: &mut PgConnection,
    id: TeamId,
    own: OwnLimits,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE teams SET sandboxes_max = $2, vcpus_max = $3, memory_mb_max = $4, creates_per_minute_max = $5 WHERE id = $1",
    )
    .bind(id.as_uuid())
    .bind(own.sandboxes_max)
    .bind(own.vcpus_max)
    .bind(own.memory_mib_max)
    .bind(own.creates_per_minute_max)
    .execute(conn)
    .await?;
    Ok(())
}

/// What a team may use: its own limits, else `default`. Locks it as [`lock`] does; `None`: it does not live.
pub async fn lock_quota(
    conn: &mut PgConnection,
    id: TeamId,
    default: Quota,
) -> Result<Option<Quota>, StoreError> {
    type Limits = (Option<i32>, Option<i32>, Option<i32>, Option<i32>);
    let own: Option<Limits> = sqlx::query_as(
        "SELECT sandboxes_max, vcpus_max, memory_mb_max, creates_per_minute_max FROM teams
         WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE",
    )
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    let or = |own: Option<i32>, default| {
        own.and_then(|own| u32::try_from(own).ok())
            .unwrap_or(default)
    };
    Ok(own.map(|(sandboxes, vcpus, memory_mib, creates)| Quota {
        sandboxes_max: or(sandboxes, default.sandboxes_max),
        vcpus_max: or(vcpus, default.vcpus_max),
        memory_mib_max: or(memory_mib, default.memory_mib_max),
        creates_per_minute_max: or(creates, default.creates_per_minute_max),
    }))
}

/// The live teams of somebody, by the time they joined.
pub async fn of_user(
    conn: &mut PgConnection,
    user: UserId,
) -> Result<Vec<(Team, Role)>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(flatten)]
        team: TeamRow,
        role: String,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT t.id, t.name, t.slug, t.is_byoc, t.created_at, m.role FROM users_teams m JOIN teams t ON t.id = m.team_id
         WHERE m.user_id = $1 AND t.deleted_at IS NULL ORDER BY m.created_at, t.id LIMIT 1000",
    )
    .bind(user.as_uuid())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let team = Team::from(row.team);
            let role = word("users_teams", team.id, &row.role)?;
            Ok((team, role))
        })
        .collect()
}

pub async fn rename(conn: &mut PgConnection, id: TeamId, name: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE teams SET name = $2 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(name)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_byoc(conn: &mut PgConnection, id: TeamId, byoc: bool) -> Result<(), StoreError> {
    sqlx::query("UPDATE teams SET is_byoc = $2 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(byoc)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether it has hosts of its own.
pub async fn has_hosts(conn: &mut PgConnection, id: TeamId) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM hosts WHERE team_id = $1)")
            .bind(id.as_uuid())
            .fetch_one(conn)
            .await?,
    )
}

/// Its keys and channels go at once; what runs is left for a job.
pub async fn delete(
    conn: &mut PgConnection,
    id: TeamId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM team_api_keys WHERE team_id = $1",
        "DELETE FROM channels WHERE team_id = $1",
    ] {
        sqlx::query(statement)
            .bind(id.as_uuid())
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query("UPDATE teams SET deleted_at = $2 WHERE id = $1")
        .bind(id.as_uuid())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// A team as platform administrators see it.
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

#[derive(sqlx::FromRow)]
struct ListedRow {
    #[sqlx(flatten)]
    team: TeamRow,
    deleted_at: Option<DateTime<Utc>>,
    member_count: i64,
    owner_name: String,
    owner_email: String,
    active_sandbox_count: i64,
    channel_count: i64,
}

/// Live ones first, newest first, without the platform's; how many there are beside it.
pub async fn page(
    conn: &mut PgConnection,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Listed>, i64), StoreError> {
    let platform = TeamId::PLATFORM.as_uuid();
    let total = sqlx::query_scalar("SELECT count(*) FROM teams WHERE id <> $1")
        .bind(platform)
        .fetch_one(&mut *conn)
        .await?;
    let rows: Vec<ListedRow> = sqlx::query_as(
        "SELECT t.id, t.name, t.slug, t.is_byoc, t.created_at, t.deleted_at,
                (SELECT count(*) FROM users_teams m WHERE m.team_id = t.id) AS member_count,
                coalesce(u.name, '') AS owner_name, coalesce(u.email, '') AS owner_email,
                (SELECT count(*) FROM sandboxes s WHERE s.team_id = t.id AND s.status NOT IN ('stopped', 'error'))
                    AS active_sandbox_count,
                (SELECT count(*) FROM channels c WHERE c.team_id = t.id) AS channel_count
         FROM teams t LEFT JOIN users_teams o ON o.team_id = t.id AND o.role = 'owner' LEFT JOIN users u ON u.id = o.user_id
         WHERE t.id <> $1 ORDER BY t.deleted_at IS NOT NULL, t.created_at DESC, t.id DESC LIMIT $2 OFFSET $3",
    )
    .bind(platform)
    .bind(limit)
    .bind(offset)
    .fetch_all(conn)
    .await?;
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
