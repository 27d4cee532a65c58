//! Table `port_links`: links that open a port of a sandbox in a browser, until they are used or expire.

use chrono::{DateTime, Utc};
use locule_ids::{ApiKeyId, PortLinkId, SandboxId, SessionId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;
use crate::sandbox_callers::CallerId;
use crate::statement::statements;

type InsertValues = (
    Uuid,
    Uuid,
    i32,
    Option<Uuid>,
    Option<Uuid>,
    Option<Uuid>,
    DateTime<Utc>,
    DateTime<Utc>,
);
type TakenRow = (Option<Uuid>, Option<Uuid>, Option<DateTime<Utc>>);

statements! {
    INSERT: InsertValues =
        "WITH expired AS (DELETE FROM port_links WHERE expires_at <= $8)
         INSERT INTO port_links (id, sandbox_id, port, user_id, session_id, api_key_id, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    TAKE: (Uuid, Uuid, i32, DateTime<Utc>) => TakenRow =
        "DELETE FROM port_links p WHERE p.id = $1 AND p.sandbox_id = $2 AND p.port = $3 AND p.expires_at > $4
         RETURNING p.user_id, p.api_key_id,
             (SELECT l.expires_at FROM sessions l WHERE l.id = p.session_id AND l.revoked_at IS NULL AND l.expires_at > $4)";
}

/// The caller that made a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    Login { user: UserId, session: SessionId },
    Key(ApiKeyId),
}

/// Adds a link, and deletes the links that have expired.
pub async fn insert(
    conn: &mut PgConnection,
    id: PortLinkId,
    (sandbox, port): (SandboxId, u16),
    maker: Maker,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (user, session, key) = match maker {
        Maker::Login { user, session } => (Some(user.as_uuid()), Some(session.as_uuid()), None),
        Maker::Key(key) => (None, None, Some(key.as_uuid())),
    };
    let (sandbox, port) = (sandbox.as_uuid(), i32::from(port));
    let values = (
        id.as_uuid(),
        sandbox,
        port,
        user,
        session,
        key,
        expires_at,
        now,
    );
    INSERT.execute(conn, values).await.map(drop)
}

/// A link that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub maker: CallerId,
    /// The end of the login that made the link, if a login made it.
    pub login_ends: Option<DateTime<Utc>>,
}

/// Uses up a link to this port. `None`: there is no such link, it was used, it has expired, or the login that made it has ended.
pub async fn take(
    conn: &mut PgConnection,
    id: PortLinkId,
    (sandbox, port): (SandboxId, u16),
    now: DateTime<Utc>,
) -> Result<Option<Taken>, StoreError> {
    let values = (id.as_uuid(), sandbox.as_uuid(), i32::from(port), now);
    let row = TAKE.fetch_optional(conn, values).await?;
    Ok(row.and_then(|(user, key, login_ends)| {
        let maker = match (user, login_ends) {
            (Some(user), Some(_)) => CallerId::User(UserId::from_uuid(user)),
            (Some(_), None) => return None,
            (None, _) => CallerId::Key(ApiKeyId::from_uuid(key?)),
        };
        Some(Taken { maker, login_ends })
    }))
}
