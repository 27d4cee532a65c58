//! A forgotten password: a mail, and what it brings.

use locule_domain::{UserStatus, people};
use locule_store::sessions::{self, Purpose};
use locule_store::users;

use crate::authenticate::secret_hash;
use crate::control::Control;
use crate::error::ControlError;
use crate::jobs::Task;
use crate::mail::Letter;
use crate::rate::Limited;

impl Control {
    /// Says the same whether there is such an account or not.
    pub async fn forgot_password(&self, email: &str) -> Result<(), ControlError> {
        let email = people::email(email)?;
        self.limit(Limited::ResetByAccount, &email)?;
        if self.0.config.mailer.is_none() {
            tracing::warn!("somebody forgot a password, and no mail server is configured");
            return Ok(());
        }
        let mut tx = self.transaction().await?;
        let user = users::by_email(&mut tx, &email).await?;
        let Some(user) = user.filter(|user| user.status == UserStatus::Active) else {
            return Ok(());
        };
        let task = Task::Letter {
            to: user.id,
            letter: Letter::PasswordReset,
        };
        let work = self.insert_work(&mut tx, task).await?;
        self.commit(tx).await?;
        self.work_soon(work);
        Ok(())
    }

    /// Every login ends.
    pub async fn reset_password(&self, token: &str, new: &str) -> Result<(), ControlError> {
        people::check_password(new)?;
        let now = self.now();
        let mut tx = self.transaction().await?;
        let hash = secret_hash(token);
        let id = sessions::take_token(&mut tx, Purpose::PasswordReset, &hash, now).await?;
        let id = id.ok_or(ControlError::InvalidToken)?;
        let user = users::lock(&mut tx, id).await?;
        let user = user.filter(|user| user.status == UserStatus::Active);
        let user = user.ok_or(ControlError::InvalidToken)?;
        let hash = self.0.passwords.hash(new).await?;
        users::set_password(&mut tx, user.id, &hash, now).await?;
        sessions::revoke_all(&mut tx, user.id, now).await?;
        let task = Task::Letter {
            to: user.id,
            letter: Letter::PasswordChanged,
        };
        let work = self.insert_work(&mut tx, task).await?;
        self.commit(tx).await?;
        self.work_soon(work);
        Ok(())
    }
}
