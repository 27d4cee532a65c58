//! Listing a team's sandboxes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState};
use locule_ids::{SandboxId, TeamId};
use locule_store::sandboxes::{self, Filter};

use crate::control::Control;
use crate::error::ControlError;

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

impl Control {
    pub async fn list_sandboxes(
        &self,
        team: TeamId,
        filter: ListFilter,
    ) -> Result<Page, ControlError> {
        let limit = filter.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
        let after = filter.cursor.as_deref().map(read_cursor).transpose()?;
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
        let mut conn = self.connection().await?;
        let mut sandboxes = sandboxes::list(&mut conn, team, &filter).await?;
        let more = sandboxes.len() > limit as usize;
        sandboxes.truncate(limit as usize);
        let next = sandboxes.last().filter(|_| more).map(write_cursor);
        Ok(Page { sandboxes, next })
    }
}

/// Full precision: two rows in one microsecond are still apart by their ids (W-051).
fn write_cursor(last: &Sandbox) -> String {
    format!(
        "{}.{}",
        last.created_at.timestamp_micros(),
        last.id.base36()
    )
}

fn read_cursor(text: &str) -> Result<(DateTime<Utc>, SandboxId), ControlError> {
    let parsed = text.split_once('.').and_then(|(micros, id)| {
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some((at, SandboxId::from_base36(id).ok()?))
    });
    parsed.ok_or_else(|| ControlError::Invalid("the page token is not one of ours".to_owned()))
}

#[cfg(test)]
mod fuzz {
    use super::*;

    #[test]
    fn any_page_token_is_one_of_ours_or_refused() {
        let seeds = [
            "1764030000000000.6dfzh5ik5uxynzmlf5cshamdk",
            "-1.0000000000000000000000000",
            "9223372036854775807.f5lxx1zz5pnorynqglhzmsp33",
        ];
        locule_fuzz::fuzz(&seeds, |input| {
            let text = String::from_utf8_lossy(input);
            let read = read_cursor(&text);
            if let Ok((at, id)) = &read {
                let again = format!("{}.{}", at.timestamp_micros(), id.base36());
                assert_eq!(read_cursor(&again).unwrap(), (*at, *id));
            }
            (read.is_ok(), text.len() / 8)
        });
    }
}
