//! What a list shows of a sandbox beside the sandbox itself: its team, who created it, when it ended and who ended it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, SandboxId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::creators::Creator;
use crate::StoreError;
use crate::statement::{row, statements};

statements! {
    DESCRIBE: (Vec<Uuid>,) => DescriptionRow =
        "SELECT s.id, t.name AS team_name, s.ended_at,
                s.created_by_kind, s.created_by_user, s.created_by_key, coalesce(cu.name, ck.name) AS created_by_name,
                s.ended_by_kind, s.ended_by_user, s.ended_by_key, coalesce(eu.name, ek.name) AS ended_by_name
         FROM sandboxes s JOIN teams t ON t.id = s.team_id
         LEFT JOIN users cu ON cu.id = s.created_by_user LEFT JOIN team_api_keys ck ON ck.id = s.created_by_key
         LEFT JOIN users eu ON eu.id = s.ended_by_user LEFT JOIN team_api_keys ek ON ek.id = s.ended_by_key
         WHERE s.id = ANY ($1)";
    SET_ENDED_BY: (Uuid, Option<Uuid>, Option<Uuid>) =
        "UPDATE sandboxes SET ended_by_kind = CASE WHEN $2::uuid IS NOT NULL THEN 'user' WHEN $3::uuid IS NOT NULL THEN 'api_key' END,
             ended_by_user = $2, ended_by_key = $3
         WHERE id = $1";
}

row! {
    struct DescriptionRow {
        id: Uuid,
        team_name: String,
        ended_at: Option<DateTime<Utc>>,
        created_by_kind: String,
        created_by_user: Option<Uuid>,
        created_by_key: Option<Uuid>,
        created_by_name: Option<String>,
        ended_by_kind: Option<String>,
        ended_by_user: Option<Uuid>,
        ended_by_key: Option<Uuid>,
        ended_by_name: Option<String>,
    }
}

/// The kind of an [`Author`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorKind {
    User,
    ApiKey,
    /// The platform itself.
    System,
}

/// The id of a user or of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorId {
    User(UserId),
    ApiKey(ApiKeyId),
}

/// The user or API key whose request created or ended a sandbox, as far as the database still knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub kind: AuthorKind,
    /// `None`: the platform, or a user whose account is deleted.
    pub id: Option<AuthorId>,
    /// `None`: as for the id, or the key is revoked.
    pub name: Option<String>,
}

impl Author {
    /// The platform itself.
    pub const SYSTEM: Self = Self {
        kind: AuthorKind::System,
        id: None,
        name: None,
    };

    fn read(kind: &str, user: Option<Uuid>, key: Option<Uuid>, name: Option<String>) -> Self {
        let kind = match kind {
            "user" => AuthorKind::User,
            "api_key" => AuthorKind::ApiKey,
            _ => return Self::SYSTEM,
        };
        let user = user.map(|id| AuthorId::User(UserId::from_uuid(id)));
        let key = key.map(|id| AuthorId::ApiKey(ApiKeyId::from_uuid(id)));
        let id = user.or(key);
        Self { kind, id, name }
    }
}

/// What a list shows of a sandbox beside the sandbox itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub team_name: String,
    pub created_by: Author,
    /// Set while the sandbox is stopped or in error.
    pub ended_at: Option<DateTime<Utc>>,
    /// The user or key whose request destroyed the sandbox, if a request did.
    pub ended_by: Option<Author>,
}

/// The descriptions of these sandboxes, without those that do not exist.
pub async fn describe(
    conn: &mut PgConnection,
    ids: impl Iterator<Item = SandboxId>,
) -> Result<HashMap<SandboxId, Description>, StoreError> {
    let ids = ids.map(SandboxId::as_uuid).collect();
    let rows = DESCRIBE.fetch_all(conn, (ids,)).await?;
    let described = rows.into_iter().map(|row: DescriptionRow| {
        let created_by = Author::read(
            &row.created_by_kind,
            row.created_by_user,
            row.created_by_key,
            row.created_by_name,
        );
        let ended_by = row.ended_by_kind.map(|kind| {
            Author::read(
                &kind,
                row.ended_by_user,
                row.ended_by_key,
                row.ended_by_name,
            )
        });
        let description = Description {
            team_name: row.team_name,
            created_by,
            ended_at: row.ended_at,
            ended_by,
        };
        (SandboxId::from_uuid(row.id), description)
    });
    Ok(described.collect())
}

/// Writes whose request destroys a sandbox.
pub async fn set_ended_by(
    conn: &mut PgConnection,
    id: SandboxId,
    author: Creator,
) -> Result<(), StoreError> {
    let (user, key) = (
        author.user.map(UserId::as_uuid),
        author.key.map(ApiKeyId::as_uuid),
    );
    let values = (id.as_uuid(), user, key);
    SET_ENDED_BY.execute(conn, values).await.map(drop)
}
