//! List a team's sandboxes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};
use locule_store::sandboxes::{self, Filter};

use crate::cursor;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::error::SandboxError;

const LIMIT_MAX: u32 = 1000;

/// Selects sandboxes, their order and the size of a page.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// An empty list selects every state that is not final.
    pub states: Vec<SandboxState>,
    /// Every label must match exactly.
    pub labels: BTreeMap<String, String>,
    pub template: Option<String>,
    pub started_after: Option<DateTime<Utc>>,
    /// Oldest first; newest first unless set.
    pub ascending: bool,
    /// The largest page unless set.
    pub limit: Option<u32>,
    /// The `next` of an earlier page.
    pub cursor: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Page {
    pub sandboxes: Vec<Sandbox>,
    /// The start of the next page; `None` on the last page.
    pub next: Option<String>,
}

impl Sandboxes {
    pub async fn list_sandboxes(
        &self,
        team: TeamId,
        filter: ListFilter,
    ) -> Result<Page, SandboxError> {
        let limit = filter.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
        let position = |text: &str| cursor::read(text, SandboxId::from_base36);
        let after = filter.cursor.as_deref().map(position).transpose()?;
        let filter = Filter {
            states: filter.states,
            labels: filter.labels,
            template: filter.template,
            started_after: filter.started_after,
            ascending: filter.ascending,
            // One row more than the page shows whether there is a next page.
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
