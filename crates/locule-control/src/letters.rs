//! The e-mails that people get.

use locule_domain::UserStatus;
use locule_ids::UserId;
use locule_store::sessions::{self, Purpose};
use locule_store::users;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::ControlError;
use crate::mail::Mailer;
use crate::secrets::{new_email_token, secret_hash};

pub(crate) const ACTIVATION_MINUTES: i64 = 30;
const RESET_MINUTES: i64 = 15;

/// What a person is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Letter {
    Activation,
    PasswordReset,
    PasswordChanged,
}

/// Sends a letter to somebody who is still there and whom it still concerns.
pub(crate) async fn send_letter(
    core: &Core,
    mailer: Option<&Mailer>,
    to: UserId,
    letter: Letter,
) -> Result<(), ControlError> {
    let Some(mailer) = mailer else {
        return Ok(());
    };
    let mut tx = core.transaction().await?;
    let Some(user) = users::lock(&mut tx, to).await? else {
        return Ok(());
    };
    let wanted = match letter {
        Letter::Activation => UserStatus::Inactive,
        Letter::PasswordReset | Letter::PasswordChanged => UserStatus::Active,
    };
    if user.status != wanted {
        return Ok(());
    }
    let token = new_email_token();
    let purpose = match letter {
        Letter::Activation => Some((Purpose::Activation, ACTIVATION_MINUTES)),
        Letter::PasswordReset => Some((Purpose::PasswordReset, RESET_MINUTES)),
        Letter::PasswordChanged => None,
    };
    if let Some((purpose, minutes)) = purpose {
        let ends = core.now() + chrono::Duration::minutes(minutes);
        sessions::insert_token(&mut tx, purpose, to, &secret_hash(&token), ends).await?;
    }
    core.commit(tx).await?;
    let base = &mailer.public_url;
    let (subject, text) = match letter {
        Letter::Activation => (
            "Activate your account",
            format!(
                "Follow this link within {ACTIVATION_MINUTES} minutes to activate your account:\n\n{base}/activate?token={token}\n\nIf you did not sign up, ignore this mail.\n"
            ),
        ),
        Letter::PasswordReset => (
            "Reset your password",
            format!(
                "Follow this link within {RESET_MINUTES} minutes to set a new password:\n\n{base}/reset-password?token={token}\n\nIf you did not ask for it, ignore this mail: your password stays as it is.\n"
            ),
        ),
        Letter::PasswordChanged => (
            "Your password was changed",
            format!(
                "The password of your account at {base} was changed, and every login of it has ended.\n\nIf that was not you, reset it at once.\n"
            ),
        ),
    };
    mailer.send(&user, subject, text).await
}
