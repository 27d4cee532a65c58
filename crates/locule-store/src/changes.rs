//! Changes that are told to every replica of the control plane. Triggers of the tables `sandboxes` and `audit_logs` notify the channel in
//! the transaction of the change, so that a change is told once it is committed, and never without being committed.
//!
//! A notification is not kept: a process that does not listen at the moment misses it. [`Changes::next`] tells when that was possible.

use chrono::{DateTime, Utc};
use locule_ids::{AuditId, SandboxId, TeamId};
use serde::Deserialize;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use uuid::Uuid;

use crate::StoreError;

/// The channel of the triggers (`migrations/0001_initial.sql`).
const CHANNEL: &str = "locule_changes";

/// A committed change of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub team: TeamId,
    pub what: Changed,
}

/// The object of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    Sandbox {
        id: SandboxId,
        status: String,
        desired: String,
        at: DateTime<Utc>,
    },
    /// An entry was added to the audit log, about a resource of this type.
    AuditEntry {
        id: AuditId,
        resource_type: String,
        scope: String,
    },
}

/// The payload of a notification.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Payload {
    Sandbox {
        team: Uuid,
        id: Uuid,
        status: String,
        desired: String,
        at: DateTime<Utc>,
    },
    AuditEntry {
        team: Uuid,
        id: Uuid,
        resource_type: String,
        scope: String,
    },
}

impl From<Payload> for Change {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Sandbox {
                team,
                id,
                status,
                desired,
                at,
            } => Self {
                team: TeamId::from_uuid(team),
                what: Changed::Sandbox {
                    id: SandboxId::from_uuid(id),
                    status,
                    desired,
                    at,
                },
            },
            Payload::AuditEntry {
                team,
                id,
                resource_type,
                scope,
            } => Self {
                team: TeamId::from_uuid(team),
                what: Changed::AuditEntry {
                    id: AuditId::from_uuid(id),
                    resource_type,
                    scope,
                },
            },
        }
    }
}

/// Listens to the changes that commit from its start on, over a connection of its own.
#[derive(Debug)]
pub struct Changes(PgListener);

impl Changes {
    pub async fn listen(pool: &PgPool) -> Result<Self, StoreError> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Self(listener))
    }

    /// The next change. `None`: changes before this moment may have been missed. May be dropped before it is ready.
    pub async fn next(&mut self) -> Result<Option<Change>, StoreError> {
        let notification = self.0.try_recv().await?;
        let payload =
            notification.and_then(|one| serde_json::from_str::<Payload>(one.payload()).ok());
        Ok(payload.map(Change::from))
    }

    /// Fails when the connection is broken, which nothing else tells while no change is made.
    pub async fn check(&mut self) -> Result<(), StoreError> {
        Ok(self.0.listen(CHANNEL).await?)
    }
}
