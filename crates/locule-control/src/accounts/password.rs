//! Change one's password. All sessions of the account end.

use locule_domain::people;
use locule_store::{sessions, users};

use super::limit::Limited;
use crate::accounts::Accounts;
use crate::accounts::email_templates::EmailTemplate;
use crate::accounts::error::AccountError;
use crate::background::jobs::Task;
use crate::caller::Person;
use crate::error::CommonError;

impl Accounts {
    /// An account with a password needs `current`, an account without one needs `confirmed`.
    pub async fn change_password(
        &self,
        person: &Person,
        current: Option<&str>,
        new: &str,
        confirmed: Option<&str>,
    ) -> Result<(), AccountError> {
        people::check_password(new)?;
        let mut conn = self.core.connection().await?;
        let user = users::by_email(&mut conn, &person.email).await?;
        drop(conn);
        let old_hash = user.ok_or(AccountError::Unauthorized)?.password_hash;
        if let Some(hash) = &old_hash {
            let current = current.ok_or_else(|| missing("current_password"))?;
            people::check_password_size(current)?;
            // A stolen token must not be enough to guess the password.
            self.limit(Limited::LoginByAccount, &person.email)?;
            if !self.inner.passwords.verify(Some(hash), current).await? {
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
        users::set_password(&mut tx, person.id, &hash, self.core.now()).await?;
        sessions::revoke_all(&mut tx, person.id, self.core.now()).await?;
        let task = Task::Email {
            to: person.id,
            template: EmailTemplate::PasswordChanged,
        };
        let job = self.inner.jobs.insert_job(&mut tx, task).await?;
        self.core.commit(tx).await?;
        self.inner.jobs.start(job);
        Ok(())
    }
}

fn missing(field: &str) -> AccountError {
    CommonError::Invalid(format!("{field} is required")).into()
}
