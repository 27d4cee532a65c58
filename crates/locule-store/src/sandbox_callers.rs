//! Table `sandbox_callers`: the users and API keys who were given a token of a sandbox, and which callers have their right now.
//!
//! A token is derived from the caller and the caller's [`Numbers`]. A caller without a row of a sandbox has no valid token of it.

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, SandboxId, SessionId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::statement::statements;

/// Callers of a sandbox that are kept.
pub const CALLERS_MAX: i64 = 64;

type AdmittedRow = (Option<i64>, Option<i64>, bool, i64);
type ValidRow = (Option<Uuid>, Option<Uuid>, Option<i64>, Option<i64>);
type LatestRow = (
    Uuid,
    Uuid,
    Option<Uuid>,
    Option<Uuid>,
    Option<i64>,
    Option<i64>,
);
type GrantColumns = (
    Vec<i64>,
    Vec<Uuid>,
    Vec<Option<Uuid>>,
    Vec<bool>,
    Vec<Option<Uuid>>,
    Vec<Option<Uuid>>,
    Vec<Option<i64>>,
    Vec<Option<i64>>,
    DateTime<Utc>,
    Vec<Option<Uuid>>,
);

/// Rows, each with what its caller's right needs at the time `$2`: a membership `m` or a key `k`.
macro_rules! with_rights {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM sandbox_callers c JOIN sandboxes s ON s.id = c.sandbox_id
              LEFT JOIN teams t ON t.id = s.team_id AND t.deleted_at IS NULL
              LEFT JOIN users u ON u.id = c.user_id AND u.status = 'active'
              LEFT JOIN users_teams m ON m.user_id = u.id AND m.team_id = t.id
              LEFT JOIN team_api_keys k ON k.id = c.api_key_id AND k.team_id = t.id
                  AND k.scope IN ('full', 'sandbox') AND (k.expires_at IS NULL OR k.expires_at > $2)
              ",
            $rest
        )
    };
}

statements! {
    ADMIT: (Uuid, Uuid, Option<Uuid>, Option<Uuid>, DateTime<Utc>) => AdmittedRow =
        "WITH caller AS (
             SELECT u.id AS user_id, NULL::uuid AS api_key_id, u.revocation AS person, m.revocation AS membership
             FROM users u JOIN users_teams m ON m.user_id = u.id
             WHERE u.id = $3 AND u.status = 'active' AND m.team_id = $2
             UNION ALL
             SELECT NULL, k.id, NULL, NULL FROM team_api_keys k
             WHERE k.id = $4 AND k.team_id = $2 AND (k.expires_at IS NULL OR k.expires_at > $5)
         ), added AS (
             INSERT INTO sandbox_callers (sandbox_id, user_id, api_key_id, created_at)
             SELECT $1, user_id, api_key_id, $5 FROM caller
             ON CONFLICT (sandbox_id, user_id, api_key_id) DO NOTHING RETURNING number
         )
         SELECT person, membership, EXISTS (SELECT 1 FROM added) AS added,
                (SELECT count(*) FROM sandbox_callers WHERE sandbox_id = $1) AS earlier
         FROM caller";
    /// Keeps the callers that have their right, and of those the latest.
    TRIM: (Uuid, DateTime<Utc>, i64) =
        concat!("DELETE FROM sandbox_callers WHERE number IN (",
            with_rights!("c.number", "WHERE c.sandbox_id = $1 ORDER BY (m.user_id IS NOT NULL OR k.id IS NOT NULL) DESC, c.number DESC OFFSET $3"),
            ")");
    VALID: (Uuid, DateTime<Utc>, i64) => ValidRow = with_rights!(
        "c.user_id, c.api_key_id, u.revocation, m.revocation",
        "WHERE c.sandbox_id = $1 AND (m.user_id IS NOT NULL OR k.id IS NOT NULL) ORDER BY c.number DESC LIMIT $3"
    );
    LATEST: (i64, DateTime<Utc>) => LatestRow = with_rights!(
        "s.id, s.team_id, c.user_id, c.api_key_id, u.revocation, m.revocation",
        "WHERE s.status IN ('running', 'paused') AND (m.user_id IS NOT NULL OR k.id IS NOT NULL)
         ORDER BY c.number DESC LIMIT $1"
    );
    STILL_VALID: GrantColumns => (i64,) =
        "SELECT g.place
         FROM unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::bool[], $5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[], $10::uuid[])
             AS g (place, team, api_key, uses, person, login, person_number, membership, visited)
         JOIN teams t ON t.id = g.team AND t.deleted_at IS NULL
         LEFT JOIN team_api_keys k ON k.id = g.api_key AND k.team_id = g.team AND (k.expires_at IS NULL OR k.expires_at > $9)
             AND (NOT g.uses OR k.scope IN ('full', 'sandbox'))
         LEFT JOIN users u ON u.id = g.person AND u.status = 'active'
             AND (g.person_number IS NULL OR u.revocation = g.person_number)
         LEFT JOIN users_teams m ON m.user_id = u.id AND m.team_id = g.team
             AND (g.membership IS NULL OR m.revocation = g.membership)
         LEFT JOIN sessions l ON l.id = g.login AND l.user_id = u.id AND l.revoked_at IS NULL AND l.expires_at > $9
         LEFT JOIN sandboxes s ON s.id = g.visited AND s.team_id = g.team AND s.public_traffic
         WHERE k.id IS NOT NULL OR s.id IS NOT NULL OR (m.user_id IS NOT NULL AND (g.login IS NULL OR l.id IS NOT NULL))";
}

/// A caller with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerId {
    User(UserId),
    Key(ApiKeyId),
}

impl CallerId {
    fn columns(self) -> (Option<Uuid>, Option<Uuid>) {
        match self {
            Self::User(user) => (Some(user.as_uuid()), None),
            Self::Key(key) => (None, Some(key.as_uuid())),
        }
    }
}

/// The revocation numbers of a user and of the user's membership. A key has none: its row is deleted, or expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Numbers {
    pub person: i64,
    pub membership: i64,
}

/// A caller that was given a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    pub numbers: Numbers,
    /// The caller had no row before.
    pub is_new: bool,
}

/// Gives a caller a row of a sandbox of this team, unless the caller has one. `None`: the caller has no right to the team's
/// sandboxes any more. Above [`CALLERS_MAX`], the callers that lost their right lose their row first, then the oldest.
pub async fn admit(
    conn: &mut PgConnection,
    sandbox: SandboxId,
    team: TeamId,
    caller: CallerId,
    now: DateTime<Utc>,
) -> Result<Option<Admitted>, StoreError> {
    let (user, key) = caller.columns();
    let values = (sandbox.as_uuid(), team.as_uuid(), user, key, now);
    let row = match ADMIT.fetch_optional(conn, values).await {
        // The caller was deleted while the statement ran.
        Err(StoreError::Database(error)) if is_foreign_key_violation(&error) => None,
        row => row?,
    };
    let Some((person, membership, is_new, earlier)) = row else {
        return Ok(None);
    };
    if is_new && earlier >= CALLERS_MAX {
        TRIM.execute(conn, (sandbox.as_uuid(), now, CALLERS_MAX))
            .await?;
    }
    Ok(Some(Admitted {
        numbers: numbers(person, membership),
        is_new,
    }))
}

fn is_foreign_key_violation(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

fn numbers(person: Option<i64>, membership: Option<i64>) -> Numbers {
    Numbers {
        person: person.unwrap_or_default(),
        membership: membership.unwrap_or_default(),
    }
}

/// The callers with a row of this sandbox that may use it at this moment, the latest first.
pub async fn valid(
    conn: &mut PgConnection,
    sandbox: SandboxId,
    now: DateTime<Utc>,
) -> Result<Vec<(CallerId, Numbers)>, StoreError> {
    let values = (sandbox.as_uuid(), now, CALLERS_MAX);
    let rows = VALID.fetch_all(conn, values).await?;
    let callers = rows
        .into_iter()
        .filter_map(|(user, key, person, membership)| {
            Some((caller(user, key)?, numbers(person, membership)))
        });
    Ok(callers.collect())
}

fn caller(user: Option<Uuid>, key: Option<Uuid>) -> Option<CallerId> {
    let user = user.map(|user| CallerId::User(UserId::from_uuid(user)));
    let key = key.map(|key| CallerId::Key(ApiKeyId::from_uuid(key)));
    user.or(key)
}

/// A caller of a running or paused sandbox.
#[derive(Debug, Clone, Copy)]
pub struct SandboxCaller {
    pub sandbox: SandboxId,
    pub team: TeamId,
    pub caller: CallerId,
    pub numbers: Numbers,
}

/// The latest callers of all running and paused sandboxes that may use them at this moment.
pub async fn latest(
    conn: &mut PgConnection,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<SandboxCaller>, StoreError> {
    let rows = LATEST.fetch_all(conn, (limit, now)).await?;
    let callers = rows
        .into_iter()
        .filter_map(|(sandbox, team, user, key, person, membership)| {
            Some(SandboxCaller {
                sandbox: SandboxId::from_uuid(sandbox),
                team: TeamId::from_uuid(team),
                caller: caller(user, key)?,
                numbers: numbers(person, membership),
            })
        });
    Ok(callers.collect())
}

/// A right that was checked before, to be checked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grant {
    pub team: TeamId,
    pub caller: Granted,
}

/// Who has the right, and what it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Granted {
    Key {
        key: ApiKeyId,
        /// The scope must allow use, and not only reading.
        uses: bool,
    },
    /// By a login.
    Login { user: UserId, session: SessionId },
    /// By a token that was derived from these numbers.
    Numbered { user: UserId, numbers: Numbers },
    /// Anybody, while the ports of the sandbox need no credential.
    Visitor { sandbox: SandboxId },
}

/// The places in `grants` of those that are still valid, in no order.
pub async fn still_valid(
    conn: &mut PgConnection,
    grants: &[Grant],
    now: DateTime<Utc>,
) -> Result<Vec<usize>, StoreError> {
    let mut values: GrantColumns = GrantColumns::default();
    values.8 = now;
    for (place, grant) in grants.iter().enumerate() {
        let (mut key, mut uses, mut person, mut login, mut numbers, mut visited) =
            (None, false, None, None, None, None);
        match grant.caller {
            Granted::Key {
                key: id,
                uses: must,
            } => (key, uses) = (Some(id.as_uuid()), must),
            Granted::Login { user, session } => {
                (person, login) = (Some(user.as_uuid()), Some(session.as_uuid()));
            }
            Granted::Numbered { user, numbers: of } => {
                (person, numbers) = (Some(user.as_uuid()), Some(of));
            }
            Granted::Visitor { sandbox } => visited = Some(sandbox.as_uuid()),
        }
        values.0.push(i64::try_from(place).unwrap_or(i64::MAX));
        values.1.push(grant.team.as_uuid());
        values.2.push(key);
        values.3.push(uses);
        values.4.push(person);
        values.5.push(login);
        values.6.push(numbers.map(|numbers| numbers.person));
        values.7.push(numbers.map(|numbers| numbers.membership));
        values.9.push(visited);
    }
    let rows = STILL_VALID.fetch_all(conn, values).await?;
    let places = rows.into_iter();
    Ok(places
        .filter_map(|(place,)| usize::try_from(place).ok())
        .collect())
}
