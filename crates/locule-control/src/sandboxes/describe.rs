//! A sandbox with what an answer tells beside it: its team, who created it, when it ended and who ended it.

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState, StopReason};
use locule_ids::{SandboxId, TeamId};
use locule_store::PgConnection;
use locule_store::sandboxes::{self, Author, Description};

use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;
use crate::turns::Asker;

/// A sandbox as lists and answers describe it.
#[derive(Debug, Clone)]
pub struct Described {
    pub sandbox: Sandbox,
    pub team_name: String,
    pub created_by: Author,
    pub ended_at: Option<DateTime<Utc>>,
    /// Set with `ended_at`: whose request destroyed the sandbox, or the platform.
    pub ended_by: Option<Author>,
}

impl Described {
    fn new(sandbox: Sandbox, description: Description) -> Self {
        let destroyed = SandboxState::Stopped {
            reason: StopReason::Destroyed,
        };
        // A sandbox may end by itself while a request to destroy it is in progress.
        let requested = description
            .ended_by
            .filter(|_| sandbox.state == destroyed)
            .unwrap_or(Author::SYSTEM);
        let ended_at = description.ended_at.filter(|_| sandbox.state.is_final());
        Self {
            ended_by: ended_at.map(|_| requested),
            ended_at,
            team_name: description.team_name,
            created_by: description.created_by,
            sandbox,
        }
    }

    pub(super) async fn read(
        conn: &mut PgConnection,
        sandboxes: Vec<Sandbox>,
    ) -> Result<Vec<Self>, SandboxError> {
        let ids = sandboxes.iter().map(|sandbox| sandbox.id);
        let mut descriptions = sandboxes::describe(conn, ids).await?;
        let described = sandboxes.into_iter().filter_map(|sandbox| {
            let description = descriptions.remove(&sandbox.id)?;
            Some(Self::new(sandbox, description))
        });
        Ok(described.collect())
    }
}

impl Sandboxes {
    /// A team's sandbox, in any state, with its description.
    pub async fn get_described(
        &self,
        team: TeamId,
        id: SandboxId,
    ) -> Result<Described, SandboxError> {
        let sandbox = self.get_sandbox(team, id).await?;
        self.describe(sandbox).await
    }

    /// Describes a sandbox that the caller has read.
    pub async fn describe(&self, sandbox: Sandbox) -> Result<Described, SandboxError> {
        let _turn = self.core.turn(Asker::Reads(sandbox.team)).await;
        let mut conn = self.core.connection().await?;
        let described = Described::read(&mut conn, vec![sandbox]).await?;
        described
            .into_iter()
            .next()
            .ok_or(SandboxError::not_found())
    }
}
