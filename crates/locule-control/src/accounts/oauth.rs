//! Sign in with an OAuth provider: the browser goes to the provider and returns with a code, which is exchanged for a profile.
//!
//! ```text
//! browser ── begin ──► state cookie, to GitHub ── log in there ──► back with code and state ── finish ──► session or connection
//! ```

mod connect;
pub(crate) mod state;

use locule_base::errors::chain;
use locule_domain::UserStatus;
use locule_domain::oauth::Intent;
use locule_ids::UserId;
use locule_store::StoreError;
use locule_store::oauth_providers::{self, ProviderIdentity as Row};
use locule_store::users::{self, User};

use self::state::{State, States};
use crate::accounts::Accounts;
use crate::accounts::attempts::LoginOrigin;
use crate::accounts::authenticate::Session;
use crate::accounts::error::AccountError;
use crate::accounts::github::{ExchangeError, GITHUB, Github, OauthProfile};
use crate::audit::AuditEvent;
use crate::caller::Actor;
use crate::error::CommonError;

/// The provider's address for the browser, and the cookies that the browser keeps until it returns.
#[derive(Debug, Clone)]
pub struct OauthStart {
    pub url: String,
    pub state_cookie: String,
    /// Set for a person who connects the provider to an account.
    pub connect_cookie: Option<String>,
}

/// The cookies and parameters of the browser's return. None of them is trusted.
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

/// The result of a sign-in with a provider.
#[derive(Debug, Clone)]
pub enum OauthOutcome {
    SignedIn {
        session: Session,
        /// The sign-in created the account.
        is_new: bool,
    },
    Connected,
    Refused {
        why: OauthRefusal,
        /// The person was connecting a provider, not signing in.
        connecting: bool,
    },
}

/// The reason of a refusal, as the browser receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OauthRefusal {
    AccessDenied,
    InvalidState,
    MissingCode,
    ExchangeFailed,
    NoVerifiedEmail,
    NoAccount,
    SignupClosed,
    InvitationRequired,
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
            Self::SignupClosed => "signup_closed",
            Self::InvitationRequired => "invitation_required",
            Self::EmailTaken => "email_taken",
            Self::AccountDeactivated => "account_deactivated",
            Self::AlreadyLinked => "already_linked",
            Self::DbError => "db_error",
            Self::InternalError => "internal_error",
        }
    }
}

/// Logs the error, since the browser receives only the refusal's name.
impl From<ExchangeError> for OauthRefusal {
    fn from(error: ExchangeError) -> Self {
        tracing::warn!(
            error = chain(&error),
            "GitHub did not answer the exchange of a sign-in code"
        );
        Self::ExchangeFailed
    }
}

impl From<AccountError> for OauthRefusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "every other error is an internal one here"
    )]
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::AccountDeactivated => Self::AccountDeactivated,
            AccountError::SignupClosed => Self::SignupClosed,
            AccountError::InvitationRequired => Self::InvitationRequired,
            AccountError::Common(CommonError::Unavailable(_)) => {
                tracing::warn!(error = chain(&error), "a sign-in with GitHub failed");
                Self::DbError
            }
            _ => {
                tracing::error!(error = chain(&error), "a sign-in with GitHub failed");
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
    /// The provider of this name, if it is set up.
    pub fn provider(&self, name: &str) -> Result<&Github, AccountError> {
        let github = self.inner.config.github.as_ref().filter(|_| name == GITHUB);
        github.ok_or(AccountError::ProviderNotFound)
    }

    fn states(&self) -> States<'_> {
        States(&self.inner.config.jwt_secret)
    }

    /// Begins a sign-in, which may also create an account if `may_sign_up`.
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

    /// Finishes a sign-in or a connection when the browser returns. The caller deletes the cookies in every case.
    pub async fn finish_oauth(
        &self,
        github: &Github,
        returned: OauthCallback<'_>,
        from: LoginOrigin<'_>,
    ) -> OauthOutcome {
        let state = returned.state_cookie;
        let state = state.and_then(|cookie| self.states().read(cookie, self.core.now()));
        let connecting = state
            .as_ref()
            .map_or(returned.connect_cookie.is_some(), |state| {
                state.intent == Intent::Connect
            });
        let done = match state.filter(|state| returned.state == Some(&state.nonce)) {
            None => Err(OauthRefusal::InvalidState),
            Some(state) => self.returned(github, &state, returned, from).await,
        };
        done.unwrap_or_else(|why| OauthOutcome::Refused { why, connecting })
    }

    async fn returned(
        &self,
        github: &Github,
        state: &State,
        returned: OauthCallback<'_>,
        from: LoginOrigin<'_>,
    ) -> Result<OauthOutcome, OauthRefusal> {
        match returned.error {
            None => {}
            Some("access_denied") => return Err(OauthRefusal::AccessDenied),
            Some(_) => return Err(ExchangeError::OauthCallback.into()),
        }
        let code = returned.code.filter(|code| !code.is_empty());
        let code = code.ok_or(OauthRefusal::MissingCode)?;
        let account = match state.intent {
            Intent::Login | Intent::Signup => None,
            Intent::Connect => Some(self.connecting_account(state, returned.connect_cookie)?),
        };
        let verifier = self.states().verifier(&state.nonce);
        let profile = github.fetch_profile(code, &verifier).await?;
        match account {
            Some((user, session)) => self.connect(user, session, &profile).await,
            None => self.sign_in(&profile, state.intent, from).await,
        }
    }

    /// Opens a session for the account that the profile is connected to, or signs up a new account if the intent allows it.
    async fn sign_in(
        &self,
        profile: &OauthProfile,
        intent: Intent,
        from: LoginOrigin<'_>,
    ) -> Result<OauthOutcome, OauthRefusal> {
        let old = |session| OauthOutcome::SignedIn {
            session,
            is_new: false,
        };
        if let Some(session) = self.sign_in_known(profile, from).await? {
            return Ok(old(session));
        }
        if intent != Intent::Signup {
            return Err(OauthRefusal::NoAccount);
        }
        let email = profile.email.as_deref();
        let email = email.ok_or(OauthRefusal::NoVerifiedEmail)?;
        if let Some(session) = self.sign_up_as(profile, email, from).await? {
            return Ok(OauthOutcome::SignedIn {
                session,
                is_new: true,
            });
        }
        // The address is taken. If two windows returned at the same time, the other one has connected this very profile.
        let session = self.sign_in_known(profile, from).await?;
        session.map(old).ok_or(OauthRefusal::EmailTaken)
    }

    /// `None` if the profile is connected to no account.
    async fn sign_in_known(
        &self,
        profile: &OauthProfile,
        from: LoginOrigin<'_>,
    ) -> Result<Option<Session>, AccountError> {
        let mut tx = self.core.transaction().await?;
        let Some(id) = oauth_providers::owner(&mut tx, row(profile)).await? else {
            return Ok(None);
        };
        let Some(user) = users::lock(&mut tx, id).await? else {
            return Ok(None);
        };
        if user.status != UserStatus::Active {
            return Err(AccountError::AccountDeactivated);
        }
        let session = self.open_session(&mut tx, &user, from).await?;
        let (actor, address) = (Actor::user(&user), from.address);
        let event = AuditEvent::UserLogin {
            user: user.id,
            address,
        };
        self.write_platform_audit(&mut tx, &actor, &event).await?;
        self.core.commit(tx).await?;
        Ok(Some(session))
    }

    /// `None` if the address or the profile is taken. A profile is never connected to an account by its address alone: without
    /// e-mail, the creator of the account has not proved to own the address.
    async fn sign_up_as(
        &self,
        profile: &OauthProfile,
        email: &str,
        from: LoginOrigin<'_>,
    ) -> Result<Option<Session>, AccountError> {
        let mut tx = self.core.transaction().await?;
        // The provider has verified the address. An invitation of the address admits the person, who accepts it with its token.
        let admission = self.admit_owner(&mut tx, email).await?;
        let seen = users::by_email(&mut tx, email).await?;
        if let Some(seen) = seen.filter(|seen| seen.status == UserStatus::Inactive) {
            // The creator of the inactive account has not proved to own the address; the provider has verified it for this profile.
            users::delete_inactive(&mut tx, seen.id).await?;
        }
        let mut user = User {
            id: UserId::random(),
            email: email.to_owned(),
            email_verified: true,
            password_hash: None,
            name: profile.name.clone(),
            is_admin: false,
            status: UserStatus::Inactive,
            created_at: self.core.now(),
        };
        let made = users::insert(&mut tx, &user).await?
            && oauth_providers::insert(&mut tx, row(profile), user.id, email, self.core.now())
                .await?;
        if !made {
            return Ok(None);
        }
        let session = self
            .activate_account(&mut tx, &mut user, &admission, from)
            .await?;
        self.core.commit(tx).await?;
        Ok(Some(session))
    }
}

fn row(profile: &OauthProfile) -> Row<'_> {
    Row {
        provider: GITHUB,
        provider_id: &profile.id,
    }
}
