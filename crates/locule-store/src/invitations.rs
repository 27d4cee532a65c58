//! Table `invitations`: people who were invited to a team and have not accepted yet.
//!
//! An invitation is open until it is accepted, revoked or expires, its team is deleted, or the inviter loses the right to invite.
//! The view `open_invitations` states the part of that rule that needs no clock.

use chrono::{DateTime, Utc};
use locule_domain::Role;
use locule_ids::{TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::statement::{row, statements};
use crate::{StoreError, word};

/// The most invitations that a list shows.
const LIST_MAX: i64 = 1000;

type InsertValues = (
    Uuid,
    Uuid,
    &'static str,
    &'static str,
    &'static str,
    bool,
    Uuid,
    DateTime<Utc>,
    DateTime<Utc>,
);

statements! {
    INSERT: InsertValues =
        "INSERT INTO invitations (id, team_id, email, role, token_hash, by_mail, invited_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    REVOKE_ADDRESS: (Uuid, &str, DateTime<Utc>) =
        "UPDATE invitations SET revoked_at = $3
         WHERE team_id = $1 AND lower(email) = lower($2) AND accepted_at IS NULL AND revoked_at IS NULL";
    REVOKE: (Uuid, Uuid, DateTime<Utc>) => (String,) =
        "UPDATE invitations SET revoked_at = $3
         WHERE team_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL RETURNING email";
    BY_TOKEN: (&str, DateTime<Utc>) => InvitationRow =
        "SELECT id, team_id, email, role, by_mail, invited_by, created_at FROM open_invitations
         WHERE token_hash = $1 AND expires_at > $2";
    BY_ID: (Uuid, DateTime<Utc>) => InvitationRow =
        "SELECT id, team_id, email, role, by_mail, invited_by, created_at FROM open_invitations
         WHERE id = $1 AND expires_at > $2";
    OF_TEAM: (Uuid, DateTime<Utc>, i64) => InvitationRow =
        "SELECT id, team_id, email, role, by_mail, invited_by, created_at FROM open_invitations
         WHERE team_id = $1 AND expires_at > $2 ORDER BY created_at, id LIMIT $3";
    ANY: (&str, DateTime<Utc>) => (bool,) =
        "SELECT EXISTS (SELECT 1 FROM open_invitations WHERE lower(email) = lower($1) AND expires_at > $2)";
    COUNT: (Uuid, DateTime<Utc>) => (i64,) =
        "SELECT count(*) FROM open_invitations WHERE team_id = $1 AND expires_at > $2";
    SET_TOKEN: (Uuid, &str) = "UPDATE invitations SET token_hash = $2 WHERE id = $1";
    ACCEPT: (Uuid, DateTime<Utc>) =
        "UPDATE invitations SET accepted_at = $2 WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL";
    PURGE: (DateTime<Utc>,) = "DELETE FROM invitations WHERE expires_at < $1";
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Stands for the invited person in the list of the team's members; no user has this id.
    pub id: UserId,
    pub team: TeamId,
    pub email: String,
    pub role: Role,
    /// Whether the token is sent to the address by e-mail, so that the token proves the address.
    pub by_mail: bool,
    pub invited_by: UserId,
    pub created_at: DateTime<Utc>,
}

row! {
    struct InvitationRow {
        id: Uuid,
        team_id: Uuid,
        email: String,
        role: String,
        by_mail: bool,
        invited_by: Uuid,
        created_at: DateTime<Utc>,
    }
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = StoreError;

    fn try_from(row: InvitationRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
            team: TeamId::from_uuid(row.team_id),
            email: row.email,
            role: word("invitations", row.id, &row.role)?,
            by_mail: row.by_mail,
            invited_by: UserId::from_uuid(row.invited_by),
            created_at: row.created_at,
        })
    }
}

/// Inserts an invitation, which replaces the open one of the same address to the same team.
pub async fn insert(
    conn: &mut PgConnection,
    new: &Invitation,
    token_hash: &str,
    expires_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (team, email) = (new.team.as_uuid(), new.email.as_str());
    REVOKE_ADDRESS
        .execute(conn, (team, email, new.created_at))
        .await?;
    let values = (
        new.id.as_uuid(),
        team,
        email,
        new.role.as_str(),
        token_hash,
        new.by_mail,
        new.invited_by.as_uuid(),
        new.created_at,
        expires_at,
    );
    INSERT.execute(conn, values).await.map(drop)
}

/// The open invitation with this token.
pub async fn by_token(
    conn: &mut PgConnection,
    token_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<Invitation>, StoreError> {
    let row = BY_TOKEN.fetch_optional(conn, (token_hash, now)).await?;
    row.map(Invitation::try_from).transpose()
}

/// An invitation, if it is open.
pub async fn get(
    conn: &mut PgConnection,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<Option<Invitation>, StoreError> {
    let row = BY_ID.fetch_optional(conn, (id.as_uuid(), now)).await?;
    row.map(Invitation::try_from).transpose()
}

/// The open invitations of a team, in the order in which they were made.
pub async fn list(
    conn: &mut PgConnection,
    team: TeamId,
    now: DateTime<Utc>,
) -> Result<Vec<Invitation>, StoreError> {
    let values = (team.as_uuid(), now, LIST_MAX);
    let rows = OF_TEAM.fetch_all(conn, values).await?;
    rows.into_iter().map(Invitation::try_from).collect()
}

/// Whether an open invitation is for this address.
pub async fn any(
    conn: &mut PgConnection,
    email: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (any,) = ANY.fetch_one(conn, (email, now)).await?;
    Ok(any)
}

/// The number of open invitations of a team.
pub async fn count(
    conn: &mut PgConnection,
    team: TeamId,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let (count,) = COUNT.fetch_one(conn, (team.as_uuid(), now)).await?;
    Ok(count)
}

/// Replaces the token.
pub async fn set_token(
    conn: &mut PgConnection,
    id: UserId,
    token_hash: &str,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), token_hash);
    SET_TOKEN.execute(conn, values).await.map(drop)
}

/// `false`: the invitation was accepted or revoked before.
pub async fn accept(
    conn: &mut PgConnection,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    Ok(ACCEPT.execute(conn, (id.as_uuid(), now)).await? == 1)
}

/// Revokes an invitation to a team, and returns its address. `None`: the team has no such invitation.
pub async fn revoke(
    conn: &mut PgConnection,
    team: TeamId,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let values = (team.as_uuid(), id.as_uuid(), now);
    let row = REVOKE.fetch_optional(conn, values).await?;
    Ok(row.map(|(email,)| email))
}

/// Deletes the invitations that expired before this moment.
pub async fn purge(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), StoreError> {
    PURGE.execute(conn, (before,)).await.map(drop)
}
