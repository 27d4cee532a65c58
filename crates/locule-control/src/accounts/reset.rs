//! Reset a forgotten password by e-mail.

use locule_domain::{UserStatus, people};
use locule_ids::UserId;
use locule_store::sessions::{self, Purpose};
use locule_store::users;

use super::added::Added;
use super::limit::Limited;
use crate::accounts::Accounts;
use crate::accounts::email_templates::EmailTemplate;
use crate::accounts::error::AccountError;
use crate::audit::AuditEvent;
use crate::background::jobs::Task;
use crate::caller::Actor;
use crate::secrets::secret_hash;

impl Accounts {
    /// Requests a reset e-mail. The result does not show whether the account exists.
    pub async fn forgot_password(&self, email: &str) -> Result<(), AccountError> {
        let email = people::email(email)?;
        self.limit(Limited::ResetByAccount, &email)?;
        if self.inner.config.mailer.is_none() {
            tracing::warn!("a password reset was requested, but no mail server is configured");
            return Ok(());
        }
        let mut tx = self.core.transaction().await?;
        let user = users::by_email(&mut tx, &email).await?;
        let user = user.filter(|user| user.status == UserStatus::Active);
        // Without an account the same is written, so that the time of the answer does not show whether there is one: a job whose
        // recipient does not exist sends nothing.
        let task = Task::Email {
            to: user.map_or_else(UserId::random, |user| user.id),
            template: EmailTemplate::PasswordReset,
        };
        let job = self.inner.jobs.insert_job(&mut tx, task).await?;
        self.core.commit(tx).await?;
        self.inner.jobs.start(job);
        Ok(())
    }

    /// Sets a new password with the token of a reset e-mail. All sessions of the account end. Returns what was added to the account
    /// since the last password, after removing it if `remove_added`.
    pub async fn reset_password(
        &self,
        token: &str,
        new: &str,
        remove_added: bool,
    ) -> Result<Added, AccountError> {
        people::check_password(new)?;
        let now = self.core.now();
        let mut tx = self.core.transaction().await?;
        let hash = secret_hash(token);
        let user = sessions::take_token(&mut tx, Purpose::PasswordReset, &hash, now).await?;
        let user = user.filter(|user| user.status == UserStatus::Active);
        let user = user.ok_or(AccountError::InvalidToken)?;
        let hash = self.inner.passwords.hash(new).await?;
        // The token was sent to the address.
        users::set_verified(&mut tx, user.id, now).await?;
        sessions::revoke_all(&mut tx, user.id, now).await?;
        let actor = Actor::user(&user);
        let added = self.added(&mut tx, user.id, &actor, remove_added).await?;
        users::set_password(&mut tx, user.id, &hash, now).await?;
        let event = AuditEvent::UserPasswordReset(user.id);
        self.write_platform_audit(&mut tx, &actor, &event).await?;
        let task = Task::Email {
            to: user.id,
            template: EmailTemplate::PasswordChanged,
        };
        let job = self.inner.jobs.insert_job(&mut tx, task).await?;
        self.core.commit(tx).await?;
        self.inner.jobs.start(job);
        Ok(added)
    }
}
