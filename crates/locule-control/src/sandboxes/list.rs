//! List sandboxes, of one team or of all.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use locule_domain::{Sandbox, SandboxState};
use locule_ids::{HostId, SandboxId, TeamId};
use locule_store::PgConnection;
use locule_store::sandboxes::{self, AuthorId, Creator, Filter};

use crate::caller::Person;
use crate::cursor;
use crate::sandboxes::Sandboxes;
use crate::sandboxes::describe::Described;
use crate::sandboxes::error::SandboxError;
use crate::turns::Asker;

const LIMIT_MAX: u32 = 1000;
/// An ended sandbox is listed for this time.
const ENDED_DAYS: i64 = 7;

/// Selects sandboxes, their order and the size of a page.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// An empty list selects every state.
    pub states: Vec<SandboxState>,
    /// Sandboxes that ended in the last seven days are listed too.
    pub ended: bool,
    /// Every label must match exactly.
    pub labels: BTreeMap<String, String>,
    /// Names of labels that a sandbox must have, whatever their values.
    pub label_names: Vec<String>,
    pub template: Option<String>,
    pub started_after: Option<DateTime<Utc>>,
    pub host: Option<HostId>,
    pub created_by: Option<AuthorId>,
    /// A part of the id, of the template's name or of a label as `name=value`, in upper or lower case.
    pub text: Option<String>,
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

/// A page of sandboxes with what a list shows beside them.
#[derive(Debug, Clone)]
pub struct DescribedPage {
    pub sandboxes: Vec<Described>,
    /// The start of the next page; `None` on the last page.
    pub next: Option<String>,
    /// The number of sandboxes on all pages.
    pub total: u64,
}

impl Sandboxes {
    pub async fn list_sandboxes(
        &self,
        team: TeamId,
        filter: ListFilter,
    ) -> Result<Page, SandboxError> {
        let filter = self.store_filter(Some(team), filter)?;
        let mut conn = self.core.connection().await?;
        page(&mut conn, &filter).await
    }

    /// The sandboxes of one team or, without a team, of all teams. The caller has checked who asks.
    pub async fn find_sandboxes(
        &self,
        team: Option<TeamId>,
        filter: ListFilter,
    ) -> Result<DescribedPage, SandboxError> {
        let filter = self.store_filter(team, filter)?;
        let asker = team.unwrap_or(TeamId::PLATFORM);
        let _turn = self.core.turn(Asker::Reads(asker)).await;
        let mut conn = self.core.connection().await?;
        let Page { sandboxes, next } = page(&mut conn, &filter).await?;
        let is_only_page = filter.after.is_none() && next.is_none();
        let total = if is_only_page {
            u64::try_from(sandboxes.len()).unwrap_or(u64::MAX)
        } else {
            sandboxes::count(&mut conn, &filter).await?
        };
        Ok(DescribedPage {
            sandboxes: Described::read(&mut conn, sandboxes).await?,
            next,
            total,
        })
    }

    /// The sandboxes of one team or, without a team, of every team, for a platform administrator.
    pub async fn find_any_sandboxes(
        &self,
        admin: &Person,
        team: Option<TeamId>,
        filter: ListFilter,
    ) -> Result<DescribedPage, SandboxError> {
        admin.platform_admin()?;
        self.find_sandboxes(team, filter).await
    }

    /// The filter with one row more than the page has, which shows whether there is a next page.
    fn store_filter(
        &self,
        team: Option<TeamId>,
        filter: ListFilter,
    ) -> Result<Filter, SandboxError> {
        let limit = filter.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX);
        let position = |text: &str| cursor::read(text, SandboxId::from_base36);
        let ended_since = self.core.now() - chrono::Duration::days(ENDED_DAYS);
        let created_by = match filter.created_by {
            None => Creator::default(),
            Some(AuthorId::User(user)) => Creator {
                user: Some(user),
                key: None,
            },
            Some(AuthorId::ApiKey(key)) => Creator {
                user: None,
                key: Some(key),
            },
        };
        Ok(Filter {
            team,
            ended_since: filter.ended.then_some(ended_since),
            states: filter.states,
            labels: filter.labels,
            label_names: filter.label_names,
            template: filter.template,
            started_after: filter.started_after,
            host: filter.host,
            created_by,
            text: filter.text.map(|text| stored_form(&text)),
            ascending: filter.ascending,
            limit: i64::from(limit) + 1,
            after: filter.cursor.as_deref().map(position).transpose()?,
        })
    }
}

/// The id as the database has it, of a text that is a whole id in another form.
fn stored_form(text: &str) -> String {
    let id = text.parse().or_else(|_| SandboxId::from_base36(text));
    id.map_or_else(|_| text.to_owned(), |id: SandboxId| id.to_string())
}

async fn page(conn: &mut PgConnection, filter: &Filter) -> Result<Page, SandboxError> {
    let limit = usize::try_from(filter.limit - 1).unwrap_or_default();
    let mut sandboxes = sandboxes::list(conn, filter).await?;
    let more = sandboxes.len() > limit;
    sandboxes.truncate(limit);
    let next = sandboxes.last().filter(|_| more);
    let next = next.map(|last| cursor::write(last.created_at, &last.id.base36()));
    Ok(Page { sandboxes, next })
}
