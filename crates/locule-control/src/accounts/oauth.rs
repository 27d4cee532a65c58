//! Coming in by way of another platform: somebody is sent away, and comes back with a code that is exchanged for who they are.
//!
//! ```text
//! browser ── begin ──► state cookie, to GitHub ── log in there ──► back with code and state ── finish ──► a login, or a way in
//! ```

mod connect;
pub(crate) mod state;

use locule_base::errors::chain;
use locule_domain::UserStatus;
use locule_domain::oauth::Intent;
use locule_ids::UserId;
use locule_store::StoreError;
use locule_store::oauth_providers::{self, Identity as Row};
use locule_store::users::{self, User};

use self::state::{State, States};
use crate::accounts::Accounts;
use crate::accounts::authenticate::Session;
use crate::accounts::error::AccountError;
use crate::accounts::github::{ExchangeError, GITHUB, Github, Identity};
use crate::error::CommonError;

/// Where a browser is sent, and what it keeps meanwhile.
#[derive(Debug, Clone)]
pub struct OauthStart {
    pub url: String,
    pub state_cookie: String,
    /// With an account's owner who wants another way in.
    pub connect_cookie: Option<String>,
}

/// What a browser comes back with. All of it is anybody's.
#[derive(Clone, Copy, Default)]
pub struct OauthCallback<'a> {
    pub state_cookie: Option<&'a str>,
    pub connect_cookie: Option<&'a str>,
    pub state: Option<&'a str>,
    pub code: Option<&'a str>,
    pub error: Option<&'a str>,
}

impl std::fmt::Debug for OauthCallback<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Returned").finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum OauthOutcome {
    SignedIn {
        session: Session,
        /// The account was made just now.
        is_new: bool,
    },
    Connected,
    Refused {
        why: OauthRefusal,
        /// It was about another way in, not about a login.
        connecting: bool,
    },
}

/// Why somebody does not come in. Told to the browser in these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OauthRefusal {
    AccessDenied,
    InvalidState,
    MissingCode,
    ExchangeFailed,
    NoVerifiedEmail,
    NoAccount,
    EmailTaken,
    AccountDeactivated,
    AlreadyLinked,
    DbError,
    InternalError,
}

impl OauthRefusal {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidState => "invalid_state",
            Self::MissingCode => "missing_code",
            Self::ExchangeFailed => "exchange_failed",
            Self::NoVerifiedEmail => "no_verified_email",
            Self::NoAccount => "no_account",
            Self::EmailTaken => "email_taken",
            Self::AccountDeactivated => "account_deactivated",
            Self::AlreadyLinked => "already_linked",
            Self::DbError => "db_error",
            Self::InternalError => "internal_error",
        }
    }
}

/// Logged here: a browser is told one word.
impl From<ExchangeError> for OauthRefusal {
    fn from(error: ExchangeError) -> Self {
        tracing::warn!(error = chain(&error), "nobody can be asked who came back");
        Self::ExchangeFailed
    }
}

impl From<AccountError> for OauthRefusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else it is, it is ours"
    )]
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::AccountDeactivated => Self::AccountDeactivated,
            AccountError::Common(CommonError::Unavailable(_)) => {
                tracing::warn!(error = chain(&error), "who came back is not let in");
                Self::DbError
            }
            _ => {
                tracing::error!(error = chain(&error), "who came back is not let in");
                Self::InternalError
            }
        }
    }
}

impl From<CommonError> for OauthRefusal {
    fn from(error: CommonError) -> Self {
        AccountError::from(error).into()
    }
}

impl From<StoreError> for OauthRefusal {
    fn from(error: StoreError) -> Self {
        AccountError::from(error).into()
    }
}

impl Accounts {
    /// One that is set up.
    pub fn provider(&self, name: &str) -> Result<&Github, AccountError> {
        let github = self.inner.config.github.as_ref().filter(|_| name == GITHUB);
        github.ok_or(AccountError::ProviderNotFound)
    }

    fn states(&self) -> States<'_> {
        States(&self.inner.config.jwt_secret)
    }

    /// Somebody wants to come in.
    pub fn begin_oauth(&self, github: &Github, may_sign_up: bool) -> OauthStart {
        let intent = if may_sign_up {
            Intent::Signup
        } else {
            Intent::Login
        };
        let new = self.states().begin(intent, self.core.now(), rand::random());
        OauthStart {
            url: github.authorize_url(&new.nonce, &new.challenge),
            state_cookie: new.cookie,
            connect_cookie: None,
        }
    }

    /// Somebody comes back. Whatever it was about, the cookies have done their work.
    pub async fn finish_oauth(&self, github: &Github, returned: OauthCallback<'_>) -> OauthOutcome {
        let state = returned.state_cookie;
        let state = state.and_then(|cookie| self.states().read(cookie, self.core.now()));
        let connecting = state
            .as_ref()
            .map_or(returned.connect_cookie.is_some(), |state| {
                state.intent == Intent::Connect
            });
        let done = match state.filter(|state| returned.state == Some(&state.nonce)) {
            None => Err(OauthRefusal::InvalidState),
            Some(state) => self.returned(github, &state, returned).await,
        };
        done.unwrap_or_else(|why| OauthOutcome::Refused { why, connecting })
    }

    async fn returned(
        &self,
        github: &Github,
        state: &State,
        returned: OauthCallback<'_>,
    ) -> Result<OauthOutcome, OauthRefusal> {
        match returned.error {
            None => {}
            Some("access_denied") => return Err(OauthRefusal::AccessDenied),
            Some(_) => return Err(ExchangeError::OauthCallback.into()),
        }
        let code = returned.code.filter(|code| !code.is_empty());
        let code = code.ok_or(OauthRefusal::MissingCode)?;
        let wanted = match state.intent {
            Intent::Login | Intent::Signup => None,
            Intent::Connect => Some(self.connecting_account(state, returned.connect_cookie)?),
        };
        let verifier = self.states().verifier(&state.nonce);
        let identity = github.identity(code, &verifier).await?;
        match wanted {
            Some((user, session)) => self.connect(user, session, &identity).await,
            None => self.sign_in(&identity, state.intent).await,
        }
    }

    /// Into the account that the identity is a way into, else into a new one where that is wanted.
    async fn sign_in(
        &self,
        identity: &Identity,
        intent: Intent,
    ) -> Result<OauthOutcome, OauthRefusal> {
        let old = |session| OauthOutcome::SignedIn {
            session,
            is_new: false,
        };
        if let Some(session) = self.sign_in_known(identity).await? {
            return Ok(old(session));
        }
        if intent != Intent::Signup {
            return Err(OauthRefusal::NoAccount);
        }
        let email = identity.email.as_deref();
        let email = email.ok_or(OauthRefusal::NoVerifiedEmail)?;
        if let Some(session) = self.sign_up_as(identity, email).await? {
            return Ok(OauthOutcome::SignedIn {
                session,
                is_new: true,
            });
        }
        // The address is somebody's: this very identity's, where two windows came back at once.
        let session = self.sign_in_known(identity).await?;
        session.map(old).ok_or(OauthRefusal::EmailTaken)
    }

    /// None: the identity is a way into no account.
    async fn sign_in_known(&self, identity: &Identity) -> Result<Option<Session>, AccountError> {
        let mut tx = self.core.transaction().await?;
        let Some(id) = oauth_providers::owner(&mut tx, row(identity)).await? else {
            return Ok(None);
        };
        let Some(user) = users::lock(&mut tx, id).await? else {
            return Ok(None);
        };
        if user.status != UserStatus::Active {
            return Err(AccountError::AccountDeactivated);
        }
        let session = self.open_session(&mut tx, &user).await?;
        self.core.commit(tx).await?;
        Ok(Some(session))
    }

    /// None: somebody has the address, or the identity by now. An account is never joined by its address alone: where no
    /// mails are sent, whoever made it has not shown that it is theirs.
    async fn sign_up_as(
        &self,
        identity: &Identity,
        email: &str,
    ) -> Result<Option<Session>, AccountError> {
        let mut tx = self.core.transaction().await?;
        let seen = users::by_email(&mut tx, email).await?;
        if let Some(seen) = seen.filter(|seen| seen.status == UserStatus::Inactive) {
            // Whoever signed up with it has not shown that it is theirs; who comes now has.
            users::delete_inactive(&mut tx, seen.id).await?;
        }
        let mut user = User {
            id: UserId::random(),
            email: email.to_owned(),
            password_hash: None,
            name: identity.name.clone(),
            is_admin: false,
            status: UserStatus::Inactive,
            created_at: self.core.now(),
        };
        let made = users::insert(&mut tx, &user).await?
            && oauth_providers::insert(&mut tx, row(identity), user.id, email, self.core.now())
                .await?;
        if !made {
            return Ok(None);
        }
        let session = self.welcome(&mut tx, &mut user).await?;
        self.core.commit(tx).await?;
        Ok(Some(session))
    }
}

fn row(identity: &Identity) -> Row<'_> {
    Row {
        provider: GITHUB,
        provider_id: &identity.id,
    }
}
