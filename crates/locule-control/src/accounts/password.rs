//! Change one's password. All sessions of the account end.

use locule_domain::people;
use locule_store::{sessions, users};

use super::added::Added;
use super::attempts::Attempt;
use crate::accounts::Accounts;
use crate::accounts::email_templates::EmailTemplate;
use crate::accounts::error::AccountError;
use crate::audit::AuditEvent;
use crate::authority::Needed;
use crate::background::jobs::Task;
use crate::caller::Person;
use crate::error::CommonError;

impl Accounts {
    /// An account with a password needs `current`, an account without one needs `confirmed`. Returns what was added to the account
    /// since the last password, after removing it if `remove_added`.
    pub async fn change_password(
        &self,
        person: &Person,
        current: Option<&str>,
        new: &str,
        confirmed: Option<&str>,
        remove_added: bool,
    ) -> Result<Added, AccountError> {
        people::check_password(new)?;
        let mut conn = self.core.connection().await?;
        let user = users::by_email(&mut conn, &person.email).await?;
        drop(conn);
        let old_hash = user.ok_or(AccountError::Unauthorized)?.password_hash;
        if let Some(hash) = &old_hash {
            let current = current.ok_or_else(|| missing("current_password"))?;
            people::check_password_size(current)?;
            // A stolen token must not be enough to guess the password.
            let session = person.session.to_string();
            let attempt = Attempt::by_login(&person.email, &session);
            if !self.attempt(attempt, Some(hash), current).await? {
                return Err(AccountError::WrongPassword);
            }
        } else if confirmed.ok_or_else(|| missing("confirm_password"))? != new {
            let why = "the two passwords differ".to_owned();
            return Err(CommonError::Invalid(why).into());
        }
        let hash = self.inner.passwords.hash(new).await?;
        let mut tx = self.core.transaction().await?;
        let seen = users::lock(&mut tx, person.id).await?;
        if seen.is_none_or(|seen| seen.password_hash != old_hash) {
            // The password changed in between, so the given one proves nothing.
            return Err(AccountError::WrongPassword);
        }
        self.confirm(&mut tx, person, Needed::Login).await?;
        sessions::revoke_all(&mut tx, person.id, self.core.now()).await?;
        let actor = person.actor();
        let added = self.added(&mut tx, person.id, &actor, remove_added).await?;
        users::set_password(&mut tx, person.id, &hash, self.core.now()).await?;
        let event = AuditEvent::UserPasswordChange(person.id);
        self.write_platform_audit(&mut tx, &actor, &event).await?;
        let task = Task::Email {
            to: person.id,
            template: EmailTemplate::PasswordChanged,
        };
        let job = self.inner.jobs.insert_job(&mut tx, task).await?;
        self.core.commit(tx).await?;
        self.inner.jobs.start(job);
        Ok(added)
    }
}

fn missing(field: &str) -> AccountError {
    CommonError::Invalid(format!("{field} is required")).into()
}
