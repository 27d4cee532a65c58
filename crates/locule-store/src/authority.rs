//! Locks on the rows that give a caller its rights: tables `users`, `sessions`, `users_teams` and `team_api_keys`.
//!
//! Each statement returns a row while the right exists, and locks the rows that it read until the transaction ends. A transaction
//! that takes the right away waits for it; a transaction that waited for a removal finds no row. A statement locks in the order of
//! its locking clauses, which is [the order of all transactions](crate#the-order-of-locks): the user, then the session, then the
//! membership.

use chrono::{DateTime, Utc};
use locule_domain::{Role, Scope};
use locule_ids::{ApiKeyId, SessionId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::statement::statements;
use crate::{StoreError, word};

statements! {
    HOLD_KEY: (Uuid, Uuid, DateTime<Utc>) => (String,) =
        "SELECT scope FROM team_api_keys WHERE id = $1 AND team_id = $2 AND (expires_at IS NULL OR expires_at > $3)
         FOR KEY SHARE";
    HOLD_LOGIN: (Uuid, Uuid, DateTime<Utc>) => (bool,) =
        "SELECT u.is_admin FROM users u JOIN sessions s ON s.user_id = u.id
         WHERE u.id = $1 AND u.status = 'active' AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3
         FOR KEY SHARE OF u FOR SHARE OF s";
    HOLD_MEMBERSHIP: (Uuid, Uuid, DateTime<Utc>, Uuid) => (String,) =
        "SELECT m.role FROM users u JOIN sessions s ON s.user_id = u.id JOIN users_teams m ON m.user_id = u.id
             JOIN teams t ON t.id = m.team_id
         WHERE u.id = $1 AND u.status = 'active' AND s.id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3
           AND m.team_id = $4 AND t.deleted_at IS NULL
         FOR KEY SHARE OF u FOR SHARE OF s FOR SHARE OF m";
}

/// The scope of a team's key that has not expired. Locks the key.
pub async fn hold_key(
    conn: &mut PgConnection,
    key: ApiKeyId,
    team: TeamId,
    now: DateTime<Utc>,
) -> Result<Option<Scope>, StoreError> {
    let values = (key.as_uuid(), team.as_uuid(), now);
    let row = HOLD_KEY.fetch_optional(conn, values).await?;
    row.map(|(scope,)| word("team_api_keys", key, &scope))
        .transpose()
}

/// Whether the active user of a valid session administers the platform. Locks the user and the session.
pub async fn hold_login(
    conn: &mut PgConnection,
    user: UserId,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<Option<bool>, StoreError> {
    let values = (user.as_uuid(), session.as_uuid(), now);
    let row = HOLD_LOGIN.fetch_optional(conn, values).await?;
    Ok(row.map(|(is_admin,)| is_admin))
}

/// The role in a team of the active user of a valid session. Locks the user, the session and the membership. The team is only
/// read: a transaction that must exclude the team's deletion locks the team before.
pub async fn hold_membership(
    conn: &mut PgConnection,
    user: UserId,
    session: SessionId,
    team: TeamId,
    now: DateTime<Utc>,
) -> Result<Option<Role>, StoreError> {
    let values = (user.as_uuid(), session.as_uuid(), now, team.as_uuid());
    let row = HOLD_MEMBERSHIP.fetch_optional(conn, values).await?;
    row.map(|(role,)| word("users_teams", team, &role))
        .transpose()
}
