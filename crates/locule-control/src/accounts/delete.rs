//! Delete one's own account, and the teams in which the person is the only member.

use locule_domain::UserStatus;
use locule_store::{PgConnection, api_keys, members, oauth_providers, sessions, teams, users};

use super::attempts::Attempt;
use crate::accounts::Accounts;
use crate::accounts::error::AccountError;
use crate::audit::{self, AuditEvent, MemberAuditEvent};
use crate::authority::Needed;
use crate::background::jobs::Job;
use crate::caller::Person;
use crate::error::CommonError;

/// A login that is younger proves the person as a password does.
const FRESH_MINUTES: i64 = 10;
/// Attempts while the person's other logins create teams.
const TRIES: usize = 8;

impl Accounts {
    /// Needs the account's password, or a login of the last ten minutes. Sessions, API keys, memberships and sign-in methods end at
    /// once; the retention job deletes the row later.
    pub async fn delete_me(
        &self,
        person: &Person,
        confirmation: &str,
        password: Option<&str>,
    ) -> Result<(), AccountError> {
        if !confirmation.trim().eq_ignore_ascii_case(&person.email) {
            let why = "confirmation must be your e-mail address".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        match password {
            Some(password) => self.prove(person, password).await?,
            None if self.core.now() - person.session_began
                < chrono::Duration::minutes(FRESH_MINUTES) => {}
            None => return Err(AccountError::RecentLoginRequired),
        }
        for _ in 0..TRIES {
            let mut tx = self.core.transaction().await?;
            let Some(jobs) = self.delete_account(&mut tx, person).await? else {
                continue;
            };
            self.core.commit(tx).await?;
            self.inner.jobs.run_now(jobs).await;
            return Ok(());
        }
        let why = "another login of the account creates teams; end it, then try again".to_owned();
        Err(CommonError::Conflict { why }.into())
    }

    /// Checks the password of a person who is logged in. A stolen token must not be enough to guess it.
    pub(super) async fn prove(&self, person: &Person, password: &str) -> Result<(), AccountError> {
        locule_domain::people::check_password_size(password)?;
        let mut conn = self.core.connection().await?;
        let user = users::by_email(&mut conn, &person.email).await?;
        drop(conn);
        let hash = user.ok_or(AccountError::Unauthorized)?.password_hash;
        let session = person.session.to_string();
        let attempt = Attempt::by_login(&person.email, &session);
        if !self.attempt(attempt, hash.as_deref(), password).await? {
            return Err(AccountError::WrongPassword);
        }
        Ok(())
    }

    /// `None`: a team of the person was created while this transaction waited for the locks.
    async fn delete_account(
        &self,
        conn: &mut PgConnection,
        person: &Person,
    ) -> Result<Option<Vec<Job>>, AccountError> {
        let (actor, now) = (person.actor(), self.core.now());
        // Ordered by id, as every transaction that locks teams.
        let owned = teams::owned_by(conn, person.id).await?;
        let mut locked = Vec::new();
        for team in &owned {
            locked.extend(teams::lock(conn, *team).await?);
        }
        let user = users::lock(conn, person.id).await?;
        self.confirm(conn, person, Needed::Login).await?;
        let user = user.ok_or(AccountError::Unauthorized)?;
        if teams::owned_by(conn, person.id)
            .await?
            .iter()
            .any(|team| !owned.contains(team))
        {
            return Ok(None);
        }
        self.keep_an_administrator(conn, &user).await?;
        let mut jobs = Vec::new();
        for team in &locked {
            if members::count(conn, team.id).await? > 1 {
                return Err(AccountError::OwnsTeamWithMembers);
            }
            let job = self.delete_locked(conn, team, &actor, team.id).await?;
            jobs.push(job);
        }
        let left = members::remove_everywhere(conn, person.id).await?;
        audit::write_all(
            conn,
            &actor,
            &left,
            &AuditEvent::Member(person.id, MemberAuditEvent::Leave),
            now,
        )
        .await?;
        api_keys::delete_made_by(conn, person.id).await?;
        oauth_providers::remove_all(conn, person.id).await?;
        sessions::revoke_all(conn, person.id, now).await?;
        users::set_status(conn, person.id, UserStatus::Deleted, now).await?;
        let event = AuditEvent::UserDelete(person.id);
        self.write_platform_audit(conn, &actor, &event).await?;
        Ok(Some(jobs))
    }
}
