//! The e-mails that people receive. An e-mail is sent by a [job](crate::background::jobs), and its token is generated when it is
//! sent, so that no token is stored in the job.

use locule_domain::UserStatus;
use locule_ids::UserId;
use locule_store::sessions::{self, Purpose};
use locule_store::{invitations, teams, users};
use serde::{Deserialize, Serialize};

use crate::accounts::mail::Mailer;
use crate::core::Core;
use crate::error::CommonError;
use crate::secrets::{new_email_token, secret_hash};

pub(crate) const ACTIVATION_MINUTES: i64 = 30;
const RESET_MINUTES: i64 = 15;
pub(crate) const INVITATION_DAYS: i64 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EmailTemplate {
    Activation,
    PasswordReset,
    PasswordChanged,
    ProviderConnected,
}

impl EmailTemplate {
    /// The status that the recipient's account must have when the e-mail is sent.
    const fn recipient_status(self) -> UserStatus {
        match self {
            Self::Activation => UserStatus::Inactive,
            Self::PasswordReset | Self::PasswordChanged | Self::ProviderConnected => {
                UserStatus::Active
            }
        }
    }

    /// The purpose of the token in the e-mail's link, and for how many minutes the token is valid.
    const fn token(self) -> Option<(Purpose, i64)> {
        match self {
            Self::Activation => Some((Purpose::Activation, ACTIVATION_MINUTES)),
            Self::PasswordReset => Some((Purpose::PasswordReset, RESET_MINUTES)),
            Self::PasswordChanged | Self::ProviderConnected => None,
        }
    }

    /// The subject and the body.
    fn render(self, base: &str, token: &str) -> (&'static str, String) {
        match self {
            Self::Activation => (
                "Activate your account",
                format!(
                    "Follow this link within {ACTIVATION_MINUTES} minutes to activate your account:\n\n{base}/activate?token={token}\n\nIf you did not sign up, ignore this mail.\n"
                ),
            ),
            Self::PasswordReset => (
                "Reset your password",
                format!(
                    "Follow this link within {RESET_MINUTES} minutes to set a new password:\n\n{base}/reset-password?token={token}\n\nIf you did not ask for it, ignore this mail: your password stays as it is.\n"
                ),
            ),
            Self::PasswordChanged => (
                "Your password was changed",
                format!(
                    "The password of your account at {base} was changed, and every login of it has ended.\n\nIf that was not you, reset it at once.\n"
                ),
            ),
            Self::ProviderConnected => (
                "A GitHub account was connected to your account",
                format!(
                    "A GitHub account was connected to your account at {base}, and can sign in to it.\n\nIf that was not you, disconnect it in the settings of your account, and change your password.\n"
                ),
            ),
        }
    }
}

/// Sends an e-mail. Sends nothing if no mailer is configured, or if the account was deleted or has changed its status since.
pub(crate) async fn send_email(
    core: &Core,
    mailer: Option<&Mailer>,
    to: UserId,
    template: EmailTemplate,
) -> Result<(), CommonError> {
    let Some(mailer) = mailer else {
        return Ok(());
    };
    let mut tx = core.transaction().await?;
    let Some(user) = users::lock(&mut tx, to).await? else {
        return Ok(());
    };
    if user.status != template.recipient_status() {
        return Ok(());
    }
    let token = new_email_token();
    if let Some((purpose, minutes)) = template.token() {
        let ends = core.now() + chrono::Duration::minutes(minutes);
        sessions::insert_token(&mut tx, purpose, to, &secret_hash(&token), ends).await?;
    }
    core.commit(tx).await?;
    let (subject, text) = template.render(&mailer.public_url, &token);
    mailer.send(&user.email, subject, text).await
}

/// The address of the page that accepts an invitation.
pub(crate) fn invitation_link(base: &str, token: &str) -> String {
    format!("{}/invitation?token={token}", base.trim_end_matches('/'))
}

/// Sends the link of an invitation to the invited address, whether an account has the address or not. Sends nothing if no mailer is
/// configured, or if the invitation is not open any more.
pub(crate) async fn send_invitation(
    core: &Core,
    mailer: Option<&Mailer>,
    id: UserId,
) -> Result<(), CommonError> {
    let Some(mailer) = mailer else {
        return Ok(());
    };
    let mut tx = core.transaction().await?;
    let Some(invitation) = invitations::get(&mut tx, id, core.now()).await? else {
        return Ok(());
    };
    let Some(team) = teams::lock(&mut tx, invitation.team).await? else {
        return Ok(());
    };
    let token = new_email_token();
    invitations::set_token(&mut tx, id, &secret_hash(&token)).await?;
    core.commit(tx).await?;
    let link = invitation_link(&mailer.public_url, &token);
    // The name of a team holds no characters of which a link could be made; the name of a person may.
    let text = format!(
        "You are invited to the team \"{}\". Follow this link within {INVITATION_DAYS} days to accept:\n\n{link}\n\nIf you do not know the team, ignore this mail.\n",
        team.name
    );
    mailer
        .send(&invitation.email, "You are invited to a team", text)
        .await
}
