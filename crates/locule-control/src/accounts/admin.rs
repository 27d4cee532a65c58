//! Operations of platform administrators. Each checks that the person is an administrator, as the database says now.

use locule_domain::UserStatus;
use locule_ids::{TeamId, UserId};
use locule_store::sandboxes::CreatedFilter;
use locule_store::teams::Team;
pub use locule_store::teams::{Listed as ListedTeam, OwnLimits};
pub use locule_store::users::Listed as ListedUser;
use locule_store::{PgConnection, api_keys, sessions, teams, users};

use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::audit::{self, AuditEvent};
use crate::authority::Needed;
use crate::background::jobs::{DestroyReason, Task};
use crate::background::passes;
use crate::background::periodic::PeriodicTask;
use crate::caller::{Actor, Person};
use crate::error::CommonError;
use crate::teams::created::{self, CreatedSandboxes};

/// The page size of the administrators' lists.
pub const PER_PAGE: i64 = 100;
const SEARCH_CHARS_MAX: usize = 254;

/// The number of rows before a page; pages count from one.
fn offset(page: i64) -> Result<i64, CommonError> {
    let wrong = || CommonError::Invalid("page must be between 1 and 1000000".to_owned());
    let page = Some(page).filter(|page| (1..=1_000_000).contains(page));
    page.map(|page| (page - 1) * PER_PAGE).ok_or_else(wrong)
}

/// The text of a search. `None`: the list is not filtered.
fn search(text: Option<&str>) -> Result<Option<&str>, CommonError> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let is_wrong = |text: &str| text.chars().count() > SEARCH_CHARS_MAX || text.contains('\0');
    if text.is_some_and(is_wrong) {
        let why = format!("q must have {SEARCH_CHARS_MAX} characters at most and no zero byte");
        return Err(CommonError::Invalid(why));
    }
    Ok(text)
}

/// Locks the team that an administrator changes. The platform's own team cannot be changed.
pub(crate) async fn any_team(conn: &mut PgConnection, team: TeamId) -> Result<Team, CommonError> {
    let missing = CommonError::NotFound { what: "team" };
    if team == TeamId::PLATFORM {
        return Err(missing);
    }
    teams::lock(conn, team).await?.ok_or(missing)
}

impl Accounts {
    /// Writes an entry into the audit log of the platform itself.
    pub(crate) async fn write_platform_audit(
        &self,
        conn: &mut PgConnection,
        actor: &Actor,
        event: &AuditEvent<'_>,
    ) -> Result<(), CommonError> {
        audit::write(conn, actor, TeamId::PLATFORM, event, self.core.now()).await
    }

    /// A page of all teams, or of those that a text is found in: in the name, the slug, the id or the owner.
    pub async fn list_all_teams(
        &self,
        admin: &Person,
        text: Option<&str>,
        page: i64,
    ) -> Result<(Vec<ListedTeam>, i64), AccountError> {
        admin.platform_admin()?;
        let (text, offset) = (search(text)?, offset(page)?);
        let mut conn = self.core.connection().await?;
        Ok(teams::page(&mut conn, text, PER_PAGE, offset).await?)
    }

    /// A page of all users, or of those that a text is found in: in the e-mail address, the name or the id.
    pub async fn list_all_users(
        &self,
        admin: &Person,
        text: Option<&str>,
        page: i64,
    ) -> Result<(Vec<ListedUser>, i64), AccountError> {
        admin.platform_admin()?;
        let (text, offset) = (search(text)?, offset(page)?);
        let mut conn = self.core.connection().await?;
        Ok(users::page(&mut conn, text, PER_PAGE, offset).await?)
    }

    /// The periodic tasks of this process of the control plane, and those that one process runs for all.
    pub async fn list_periodic_tasks(
        &self,
        admin: &Person,
    ) -> Result<Vec<PeriodicTask>, AccountError> {
        admin.platform_admin()?;
        Ok(passes::list(&self.core).await?)
    }

    /// Sets whether a team may bring its own hosts. Cannot be unset while the team has hosts (D-20).
    pub async fn set_byoc(
        &self,
        admin: &Person,
        team: TeamId,
        enabled: bool,
    ) -> Result<(), AccountError> {
        admin.platform_admin()?;
        let mut tx = self.core.transaction().await?;
        let seen = any_team(&mut tx, team).await;
        self.confirm(&mut tx, admin, Needed::Platform).await?;
        let seen = seen?;
        if seen.is_byoc == enabled {
            return Ok(());
        }
        if !enabled && teams::has_hosts(&mut tx, team).await? {
            let why = "the team has hosts of its own: delete them first".to_owned();
            return Err(CommonError::Conflict { why }.into());
        }
        teams::set_byoc(&mut tx, team, enabled).await?;
        let event = AuditEvent::TeamSetByoc { team, enabled };
        self.write_platform_audit(&mut tx, &admin.actor(), &event)
            .await?;
        Ok(self.core.commit(tx).await?)
    }

    /// Replaces all limits of a team. A limit that is `None` is the default again.
    pub async fn set_limits(
        &self,
        admin: &Person,
        team: TeamId,
        own: OwnLimits,
    ) -> Result<(), AccountError> {
        admin.platform_admin()?;
        let each = [
            own.sandboxes_max,
            own.vcpus_max,
            own.memory_mib_max,
            own.creates_per_minute_max,
            own.paused_max,
            own.storage_mib_max,
        ];
        if each.into_iter().flatten().any(|limit| limit < 0) {
            let why = "a limit must be 0 or more".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let mut tx = self.core.transaction().await?;
        let found = any_team(&mut tx, team).await;
        self.confirm(&mut tx, admin, Needed::Platform).await?;
        found?;
        teams::set_limits(&mut tx, team, own).await?;
        let event = AuditEvent::TeamSetQuota(team);
        self.write_platform_audit(&mut tx, &admin.actor(), &event)
            .await?;
        Ok(self.core.commit(tx).await?)
    }

    /// Deactivates an account, or activates it again. A deactivated account loses its sessions and API keys at once, and the
    /// sandboxes of the teams that it owns are destroyed. Returns the sandboxes of other teams that it or its keys created and that
    /// still exist.
    pub async fn set_active(
        &self,
        admin: &Person,
        user: UserId,
        active: bool,
    ) -> Result<CreatedSandboxes, AccountError> {
        admin.platform_admin()?;
        if user == admin.id && !active {
            let why = "administrators cannot deactivate their own account".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        let missing = CommonError::NotFound { what: "user" };
        // Both are locked, in one order: administrators may disable each other at the same time.
        users::lock_all(&mut tx, &[admin.id, user]).await?;
        self.confirm(&mut tx, admin, Needed::Platform).await?;
        let seen = users::lock(&mut tx, user).await?.ok_or(missing)?;
        if (seen.status == UserStatus::Active) == active {
            return Ok(CreatedSandboxes::default());
        }
        if !active {
            self.keep_an_administrator(&mut tx, &seen).await?;
        }
        let email = seen.email.as_str();
        let (status, event) = if active {
            (UserStatus::Active, AuditEvent::UserActivate { user, email })
        } else {
            (
                UserStatus::Disabled,
                AuditEvent::UserDeactivate { user, email },
            )
        };
        users::set_status(&mut tx, user, status, now).await?;
        let (mut jobs, mut created) = (Vec::new(), CreatedSandboxes::default());
        if !active {
            sessions::revoke_all(&mut tx, user, now).await?;
            let keys = api_keys::delete_made_by(&mut tx, user).await?;
            let owned = teams::owned_by(&mut tx, user).await?;
            for team in &owned {
                let task = Task::DestroySandboxes {
                    team: *team,
                    created_until: now,
                    reason: DestroyReason::OwnerDisabled,
                    audit_log: None,
                };
                jobs.push(self.inner.jobs.insert_job(&mut tx, task).await?);
            }
            let filter = CreatedFilter {
                user: Some(user),
                keys,
                except_teams: owned,
                ..CreatedFilter::default()
            };
            created = created::list(&mut tx, filter).await?;
        }
        self.write_platform_audit(&mut tx, &admin.actor(), &event)
            .await?;
        self.core.commit(tx).await?;
        self.inner.jobs.run_now(jobs).await;
        Ok(created)
    }
}
