//! Reading the audit log.

use chrono::{DateTime, Utc};
use locule_domain::Role;
use locule_ids::{AuditId, TeamId};
use locule_store::audit::{self, Filter};

use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::caller::Person;
use crate::cursor;
use crate::error::CommonError;

pub use locule_store::audit::Listed as AuditEntry;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// Selects entries. An empty list selects all.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub resource_types: Vec<String>,
    pub actions: Vec<String>,
    /// Ids of resources.
    pub resources: Vec<String>,
    /// Ids of users and API keys.
    pub actors: Vec<String>,
    /// At this moment or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub to: Option<DateTime<Utc>>,
    /// 50 unless set, and at most 200.
    pub limit: Option<i64>,
    /// The `next` of an earlier page.
    pub before: Option<String>,
}

/// Newest first.
#[derive(Debug, Clone)]
pub struct AuditEntries {
    pub entries: Vec<AuditEntry>,
    /// The start of the next page; set whenever this page has an entry.
    pub next: Option<String>,
}

impl Accounts {
    /// Members see the entries about the team's resources; owners and admins see all entries (B-088).
    pub async fn list_audit_log(
        &self,
        person: &Person,
        filter: AuditFilter,
    ) -> Result<AuditEntries, AccountError> {
        let own = person.membership()?;
        self.audit_log(own.team, own.role >= Role::Admin, filter)
            .await
    }

    /// The entries about the platform itself.
    pub async fn list_platform_audit_log(
        &self,
        admin: &Person,
        filter: AuditFilter,
    ) -> Result<AuditEntries, AccountError> {
        admin.platform_admin()?;
        self.audit_log(TeamId::PLATFORM, true, filter).await
    }

    /// An entry that [`Self::list_audit_log`] lists for the person.
    pub async fn audit_log_entry(
        &self,
        person: &Person,
        id: AuditId,
    ) -> Result<AuditEntry, AccountError> {
        let own = person.membership()?;
        self.audit_entry(own.team, own.role >= Role::Admin, id)
            .await
    }

    /// An entry about the platform itself.
    pub async fn platform_audit_log_entry(
        &self,
        admin: &Person,
        id: AuditId,
    ) -> Result<AuditEntry, AccountError> {
        admin.platform_admin()?;
        self.audit_entry(TeamId::PLATFORM, true, id).await
    }

    async fn audit_entry(
        &self,
        team: TeamId,
        admin_scope: bool,
        id: AuditId,
    ) -> Result<AuditEntry, AccountError> {
        let mut conn = self.core.connection().await?;
        let found = audit::get(&mut conn, team, id, admin_scope).await?;
        let missing = CommonError::NotFound {
            what: "audit log entry",
        };
        Ok(found.ok_or(missing)?)
    }

    async fn audit_log(
        &self,
        team: TeamId,
        admin_scope: bool,
        filter: AuditFilter,
    ) -> Result<AuditEntries, AccountError> {
        let limit = filter.limit.unwrap_or(LIMIT_DEFAULT);
        if limit < 1 {
            let why = "limit must be 1 or more".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let entry = |text: &str| cursor::read(text, AuditId::from_base36);
        let before = filter.before.as_deref().map(entry).transpose()?;
        let filter = Filter {
            admin_scope,
            resource_types: filter.resource_types,
            actions: filter.actions,
            resources: filter.resources,
            actors: filter.actors,
            from: filter.from,
            to: filter.to,
            before,
            limit: limit.min(LIMIT_MAX),
        };
        let mut conn = self.core.connection().await?;
        let entries = audit::list(&mut conn, team, &filter).await?;
        let next = entries
            .last()
            .map(|last| cursor::write(last.created_at, &last.id.base36()));
        Ok(AuditEntries { entries, next })
    }
}
