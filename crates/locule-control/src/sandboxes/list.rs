//! Listing a team's sandboxes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};
use locule_store::sandboxes::{self, Filter};

use crate::cursor;
use crate::error::ControlError;
use crate::sandboxes::Sandboxes;

const LIMIT_MAX: u32 = 1000;

/// Which sandboxes, in which order, how many.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Empty: every state that is not final.
    pub states: Vec<SandboxState>,
    /// All must match exactly.
    pub labels: BTreeMap<String, String>,
    pub template: Option<String>,
    pub started_after: Option<DateTime<Utc>>,
    /// Oldest first; newest first unless set.
    pub ascending: bool,
    /// As many as there may be unless set.
    pub limit: Option<u32>,
    /// From an earlier page.
    pub cursor: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Page {
    pub sandboxes: Vec<Sandbox>,
    /// Where the next page begins; none on the last.
    pub next: Option<String>,
}

impl Sandboxes {
    pub async fn list_sandboxes(
        &self,
        team: TeamId,
        filter: ListFilter,
    ) -> Result<Page, ControlError> {
        let limit = filter.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
        let place = |text: &str| cursor::read(text, SandboxId::from_base36);
        let after = filter.cursor.as_deref().map(place).transpose()?;
        let filter = Filter {
            states: filter.states,
            labels: filter.labels,
            template: filter.template,
            started_after: filter.started_after,
            ascending: filter.ascending,
            // One more than asked for tells whether there is a next page.
            limit: i64::from(limit) + 1,
            after,
        };
        let mut conn = self.core.connection().await?;
        let mut sandboxes = sandboxes::list(&mut conn, team, &filter).await?;
        let more = sandboxes.len() > limit as usize;
        sandboxes.truncate(limit as usize);
        let next = sandboxes.last().filter(|_| more);
        let next = next.map(|last| cursor::write(last.created_at, &last.id.base36()));
        Ok(Page { sandboxes, next })
    }
}
