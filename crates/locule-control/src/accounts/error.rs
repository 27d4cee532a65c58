//! Failures of the use cases about people, teams and API keys.

use locule_domain::Invalid;
use locule_store::StoreError;

use crate::error::CommonError;

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error(transparent)]
    Common(#[from] CommonError),
    #[error("the credential is missing, wrong, or not valid any more")]
    Unauthorized,
    #[error("the password is wrong")]
    WrongPassword,
    #[error("the login is older than ten minutes: log in again, or send the password")]
    RecentLoginRequired,
    #[error("this account is not activated yet: follow the link in the e-mail")]
    AccountNotActivated,
    #[error("this account is disabled")]
    AccountDisabled,
    #[error("this account is deactivated")]
    AccountDeactivated,
    #[error("the link is not valid any more: ask for a new one")]
    InvalidToken,
    #[error("this account is active already: log in")]
    AlreadyActivated,
    #[error("this is the only sign-in method of the account: set a password first")]
    LastLoginMethod,
    #[error(
        "an account with this e-mail address was created a moment ago: look for the e-mail, or try again in half an hour"
    )]
    SignupCooldown,
    #[error("an account with this e-mail address exists already")]
    EmailTaken,
    #[error("the account owns a team with other members: remove them, or delete the team, first")]
    OwnsTeamWithMembers,
    #[error("sign-up is closed on this installation: ask its administrator for an account")]
    SignupClosed,
    #[error(
        "the sign-up needs an invitation to a team that is still open and for this e-mail address: ask an administrator of the team for one"
    )]
    InvitationRequired,
    #[error("the last administrator of the platform cannot be deleted or deactivated")]
    LastAdministrator,
    #[error("the limit of {max} {what} is reached")]
    LimitReached { what: &'static str, max: u32 },
    #[error("{why}")]
    Forbidden { why: &'static str },
    #[error("sign-in with this provider is not set up on this installation")]
    ProviderNotFound,
}

impl AccountError {
    pub(crate) const NOT_PLATFORM_ADMIN: Self = Self::Forbidden {
        why: "only platform administrators may do this",
    };

    pub(crate) fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        CommonError::internal(error).into()
    }
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        CommonError::from(error).into()
    }
}

impl From<Invalid> for AccountError {
    fn from(error: Invalid) -> Self {
        CommonError::from(error).into()
    }
}
