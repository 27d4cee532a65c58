//! Reading the audit trail.

use locule_domain::Role;
use locule_ids::{AuditId, TeamId};
use locule_store::audit::{self, Filter};

use crate::accounts::Accounts;
use crate::caller::Person;
use crate::cursor;
use crate::error::ControlError;

pub use locule_store::audit::Listed as AuditEntry;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// Which entries: what is empty does not filter.
#[derive(Debug, Clone, Default)]
pub struct TrailFilter {
    pub resource_types: Vec<String>,
    pub actions: Vec<String>,
    /// 50 unless said; more than 200 are 200.
    pub limit: Option<i64>,
    /// From an earlier page.
    pub before: Option<String>,
}

/// Newest first.
#[derive(Debug, Clone)]
pub struct TrailPage {
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins. There is one whenever there was an entry.
    pub next: Option<String>,
}

impl Accounts {
    /// Members see what is about the team's work, owners and admins all (B-088).
    pub async fn list_trail(
        &self,
        person: &Person,
        filter: TrailFilter,
    ) -> Result<TrailPage, ControlError> {
        let own = person.membership()?;
        self.trail(own.team, own.role >= Role::Admin, filter).await
    }

    /// The platform's own trail.
    pub async fn list_platform_trail(
        &self,
        admin: &Person,
        filter: TrailFilter,
    ) -> Result<TrailPage, ControlError> {
        admin.platform_admin()?;
        self.trail(TeamId::PLATFORM, true, filter).await
    }

    async fn trail(
        &self,
        team: TeamId,
        admin_scope: bool,
        filter: TrailFilter,
    ) -> Result<TrailPage, ControlError> {
        let limit = filter.limit.unwrap_or(LIMIT_DEFAULT);
        if limit < 1 {
            let why = "limit must be 1 or more".to_owned();
            return Err(ControlError::Invalid(why));
        }
        let entry = |text: &str| cursor::read(text, AuditId::from_base36);
        let before = filter.before.as_deref().map(entry).transpose()?;
        let filter = Filter {
            admin_scope,
            resource_types: filter.resource_types,
            actions: filter.actions,
            before,
            limit: limit.min(LIMIT_MAX),
        };
        let mut conn = self.core.connection().await?;
        let entries = audit::list(&mut conn, team, &filter).await?;
        let next = entries
            .last()
            .map(|last| cursor::write(last.created_at, &last.id.base36()));
        Ok(TrailPage { entries, next })
    }
}
