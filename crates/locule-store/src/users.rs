//! Table `users`.

use chrono::{DateTime, Utc};
use locule_domain::{UserStatus, people};
use locule_ids::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::statement::{row, statements};
use crate::{StoreError, word};

type InsertValues = (
    Uuid,
    &'static str,
    bool,
    &'static Option<String>,
    &'static str,
    bool,
    &'static str,
    DateTime<Utc>,
);

statements! {
    BY_EMAIL: (&str,) => UserRow =
        "SELECT id, email, email_verified, password_hash, name, is_admin, status, created_at FROM users
         WHERE lower(email) = lower($1) AND deleted_at IS NULL";
    LOCK: (Uuid,) => UserRow =
        "SELECT id, email, email_verified, password_hash, name, is_admin, status, created_at FROM users
         WHERE id = $1 AND deleted_at IS NULL FOR UPDATE";
    SHARE: (Uuid,) => UserRow =
        "SELECT id, email, email_verified, password_hash, name, is_admin, status, created_at FROM users
         WHERE id = $1 AND deleted_at IS NULL FOR KEY SHARE";
    LOCK_ALL: (Vec<Uuid>,) = "SELECT 1 FROM users WHERE id = ANY ($1) ORDER BY id FOR UPDATE";
    INSERT: InsertValues =
        "INSERT INTO users (id, email, email_verified, password_hash, name, is_admin, status, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
         ON CONFLICT (lower(email)) WHERE deleted_at IS NULL DO NOTHING";
    LOCK_ADMINISTRATORS: () = "SELECT pg_advisory_xact_lock(hashtext('locule administrators'))";
    OTHER_ADMINISTRATOR: (Uuid,) => (bool,) =
        "SELECT EXISTS (SELECT 1 FROM users WHERE is_admin AND status = 'active' AND id <> $1)";
    ACTIVATE: (Uuid, bool, bool, &Option<String>, DateTime<Utc>) =
        "UPDATE users SET status = 'active', is_admin = $2, email_verified = $3, password_hash = $4, updated_at = $5 WHERE id = $1";
    SET_VERIFIED: (Uuid, DateTime<Utc>) =
        "UPDATE users SET email_verified = TRUE, updated_at = $2 WHERE id = $1 AND NOT email_verified";
    DELETE_INACTIVE: (Uuid,) = "DELETE FROM users WHERE id = $1 AND status = 'inactive'";
    SET_NAME: (Uuid, &str, DateTime<Utc>) = "UPDATE users SET name = $2, updated_at = $3 WHERE id = $1";
    SET_PASSWORD: (Uuid, &str, DateTime<Utc>) =
        "UPDATE users SET password_hash = $2, password_set_at = $3, updated_at = $3 WHERE id = $1";
    SET_STATUS: (Uuid, &str, DateTime<Utc>) =
        "UPDATE users SET status = $2, updated_at = $3, deleted_at = CASE WHEN $2 = 'deleted' THEN $3::timestamptz END WHERE id = $1";
    SEARCH: (String,) => (Uuid, String, bool) =
        r"SELECT id, email, email_verified FROM users WHERE lower(email) LIKE $1 || '%' ESCAPE '\'
            AND deleted_at IS NULL AND status = 'active' ORDER BY email LIMIT 10";
    COUNT: (Option<String>,) => (i64,) =
        r"SELECT count(*) FROM users u WHERE u.deleted_at IS NULL
            AND ($1::text IS NULL OR lower(u.email) LIKE $1 ESCAPE '\' OR lower(u.name) LIKE $1 ESCAPE '\' OR 'usr-' || u.id LIKE $1 ESCAPE '\')";
    PAGE: (Option<String>, i64, i64) => ListedRow =
        r"SELECT u.id, u.email, u.email_verified, NULL AS password_hash, u.name, u.is_admin, u.status, u.created_at,
                (SELECT count(*) FROM users_teams m JOIN teams t ON t.id = m.team_id
                 WHERE m.user_id = u.id AND t.deleted_at IS NULL) AS teams_joined,
                (SELECT count(*) FROM users_teams m JOIN teams t ON t.id = m.team_id
                 WHERE m.user_id = u.id AND m.role = 'owner' AND t.deleted_at IS NULL) AS teams_owned
         FROM users u WHERE u.deleted_at IS NULL
            AND ($1::text IS NULL OR lower(u.email) LIKE $1 ESCAPE '\' OR lower(u.name) LIKE $1 ESCAPE '\' OR 'usr-' || u.id LIKE $1 ESCAPE '\')
         ORDER BY u.created_at DESC, u.id DESC LIMIT $2 OFFSET $3";
    TAKE_DELETED: (DateTime<Utc>, i64) => (Uuid,) =
        "SELECT id FROM users WHERE deleted_at < $1 ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED";
    ANONYMIZE: (Uuid,) = "SELECT audit_anonymize($1)";
    DELETE: (Vec<Uuid>,) = "DELETE FROM users WHERE id = ANY($1)";
}

#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub email: String,
    /// Whether the user has proved to own the address.
    pub email_verified: bool,
    /// `None`: the user signs in with another provider only.
    pub password_hash: Option<String>,
    pub name: String,
    /// Whether the user is an administrator of the platform.
    pub is_admin: bool,
    pub status: UserStatus,
    pub created_at: DateTime<Utc>,
}

row! {
    pub(crate) struct UserRow {
        id: Uuid,
        email: String,
        email_verified: bool,
        password_hash: Option<String>,
        name: String,
        is_admin: bool,
        status: String,
        created_at: DateTime<Utc>,
    }
}

impl TryFrom<UserRow> for User {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let id = UserId::from_uuid(row.id);
        Ok(Self {
            id,
            email: row.email,
            email_verified: row.email_verified,
            password_hash: row.password_hash,
            name: row.name,
            is_admin: row.is_admin,
            status: word("users", id, &row.status)?,
            created_at: row.created_at,
        })
    }
}

/// A user who is not deleted, by e-mail address.
pub async fn by_email(conn: &mut PgConnection, email: &str) -> Result<Option<User>, StoreError> {
    let row = BY_EMAIL.fetch_optional(conn, (email,)).await?;
    row.map(User::try_from).transpose()
}

/// A user who is not deleted. No other transaction changes the user before this one ends.
pub async fn lock(conn: &mut PgConnection, id: UserId) -> Result<Option<User>, StoreError> {
    let row = LOCK.fetch_optional(conn, (id.as_uuid(),)).await?;
    row.map(User::try_from).transpose()
}

/// A user who is not deleted. Until this transaction ends no other one disables or deletes the user; others may share the user.
pub async fn share(conn: &mut PgConnection, id: UserId) -> Result<Option<User>, StoreError> {
    let row = SHARE.fetch_optional(conn, (id.as_uuid(),)).await?;
    row.map(User::try_from).transpose()
}

/// Locks several users as [`lock`] does, in the order of their ids, so that no two transactions wait for each other.
pub async fn lock_all(conn: &mut PgConnection, ids: &[UserId]) -> Result<(), StoreError> {
    let ids = ids.iter().map(|id| id.as_uuid()).collect();
    LOCK_ALL.execute(conn, (ids,)).await.map(drop)
}

/// `false`: the address belongs to another user. Waits for a concurrent insert of the same address.
pub async fn insert(conn: &mut PgConnection, user: &User) -> Result<bool, StoreError> {
    let values = (
        user.id.as_uuid(),
        user.email.as_str(),
        user.email_verified,
        &user.password_hash,
        user.name.as_str(),
        user.is_admin,
        user.status.as_str(),
        user.created_at,
    );
    Ok(INSERT.execute(conn, values).await? == 1)
}

/// Whether no other active user administers the platform. The answer holds until this transaction ends: of two administrators who
/// go at the same time, one is the last.
pub async fn is_last_administrator(
    conn: &mut PgConnection,
    user: &User,
) -> Result<bool, StoreError> {
    if !user.is_admin || user.status != UserStatus::Active {
        return Ok(false);
    }
    LOCK_ADMINISTRATORS.execute(conn, ()).await?;
    let (other,) = OTHER_ADMINISTRATOR
        .fetch_one(conn, (user.id.as_uuid(),))
        .await?;
    Ok(!other)
}

/// Makes an inactive user active, and writes the right, the proof of the address and the password that `user` has.
pub async fn activate(
    conn: &mut PgConnection,
    user: &User,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (id, hash) = (user.id.as_uuid(), &user.password_hash);
    let values = (id, user.is_admin, user.email_verified, hash, now);
    ACTIVATE.execute(conn, values).await.map(drop)
}

/// Writes that the user has proved to own the address.
pub async fn set_verified(
    conn: &mut PgConnection,
    id: UserId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), now);
    SET_VERIFIED.execute(conn, values).await.map(drop)
}

/// Deletes the row of a user who never activated the account.
pub async fn delete_inactive(conn: &mut PgConnection, id: UserId) -> Result<(), StoreError> {
    DELETE_INACTIVE
        .execute(conn, (id.as_uuid(),))
        .await
        .map(drop)
}

pub async fn set_name(
    conn: &mut PgConnection,
    id: UserId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), name, now);
    SET_NAME.execute(conn, values).await.map(drop)
}

pub async fn set_password(
    conn: &mut PgConnection,
    id: UserId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), password_hash, now);
    SET_PASSWORD.execute(conn, values).await.map(drop)
}

/// Sets the status. The row of a deleted user stays, and the address can be used again (W-055).
pub async fn set_status(
    conn: &mut PgConnection,
    id: UserId,
    status: UserStatus,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let values = (id.as_uuid(), status.as_str(), now);
    SET_STATUS.execute(conn, values).await.map(drop)
}

/// A user that a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub id: UserId,
    pub email: String,
    pub email_verified: bool,
}

/// Active users whose address begins with `prefix`: at most ten, ordered by address (B-040, B-042, B-043).
pub async fn search(conn: &mut PgConnection, prefix: &str) -> Result<Vec<Found>, StoreError> {
    let rows = SEARCH
        .fetch_all(conn, (people::like_literal(prefix),))
        .await?;
    let users = rows.into_iter();
    Ok(users
        .map(|(id, email, email_verified)| Found {
            id: UserId::from_uuid(id),
            email,
            email_verified,
        })
        .collect())
}

/// A user as the list for platform administrators shows them.
#[derive(Debug, Clone)]
pub struct Listed {
    pub user: User,
    pub teams_joined: i64,
    pub teams_owned: i64,
}

row! {
    struct ListedRow {
        ..user: UserRow,
        teams_joined: i64,
        teams_owned: i64,
    }
}

/// A page of the users who are not deleted, newest first, and their number. With `search` only those whose address, name or id
/// contains the text, in any case.
pub async fn page(
    conn: &mut PgConnection,
    search: Option<&str>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Listed>, i64), StoreError> {
    let pattern = search.map(people::like_anywhere);
    let (total,) = COUNT.fetch_one(conn, (pattern.clone(),)).await?;
    let rows = PAGE.fetch_all(conn, (pattern, limit, offset)).await?;
    let listed = rows.into_iter().map(|row| {
        Ok(Listed {
            user: row.user.try_into()?,
            teams_joined: row.teams_joined,
            teams_owned: row.teams_owned,
        })
    });
    Ok((listed.collect::<Result<_, StoreError>>()?, total))
}

/// Removes users who were deleted before this moment: their rows, and their names and addresses in the audit log. Returns
/// their number.
pub async fn purge(
    conn: &mut PgConnection,
    deleted_before: DateTime<Utc>,
    limit: i64,
) -> Result<u64, StoreError> {
    let rows = TAKE_DELETED
        .fetch_all(conn, (deleted_before, limit))
        .await?;
    let ids: Vec<Uuid> = rows.into_iter().map(|(id,)| id).collect();
    for id in &ids {
        ANONYMIZE.execute(conn, (*id,)).await?;
    }
    DELETE.execute(conn, (ids,)).await
}
