//! [`Accounts`]: the use cases about people, teams, API keys and the audit log. One's own account is here, one use case a file.

pub(crate) mod added;
pub(crate) mod admin;
mod admission;
pub(crate) mod attempts;
pub(crate) mod authenticate;
mod delete;
pub(crate) mod email_templates;
pub(crate) mod error;
pub(crate) mod github;
pub(crate) mod limit;
mod login;
pub(crate) mod mail;
pub(crate) mod me;
pub(crate) mod oauth;
mod password;
mod passwords;
mod reset;
pub(crate) mod search;
pub(crate) mod sessions;
pub(crate) mod sign_in_options;
pub(crate) mod sign_up;

use std::sync::Arc;

use locule_domain::SignupPolicy;
use locule_ids::{ApiKeyId, SessionId};
use locule_store::PgConnection;

use self::limit::{Limited, PeopleLimits, Rates};
use crate::accounts::error::AccountError;
use crate::accounts::github::Github;
use crate::accounts::mail::Mailer;
use crate::accounts::passwords::Passwords;
use crate::authority::{self, Needed};
use crate::background::jobs::Jobs;
use crate::caller::Person;
use crate::core::Core;
use crate::rate::Tries;
use crate::uses::Uses;

/// Secrets, limits and external services of the accounts of one cluster.
#[derive(Clone)]
pub struct AccountsConfig {
    /// Signs login tokens.
    pub jwt_secret: Vec<u8>,
    pub rates: Rates,
    /// Who may create an account, after the first account exists.
    pub signup: SignupPolicy,
    /// The base of the links that are shown instead of being sent by e-mail.
    pub public_url: String,
    pub limits: PeopleLimits,
    /// Without a mailer, an account is active at once, and a forgotten password cannot be reset.
    pub mailer: Option<Mailer>,
    /// Without it, sign-in with GitHub is not offered.
    pub github: Option<Github>,
}

impl AccountsConfig {
    /// The configuration of a new installation.
    pub fn new(jwt_secret: Vec<u8>) -> Self {
        Self {
            jwt_secret,
            rates: Rates::default(),
            signup: SignupPolicy::Invite,
            public_url: "http://127.0.0.1:8000".to_owned(),
            limits: PeopleLimits::default(),
            mailer: None,
            github: None,
        }
    }
}

impl std::fmt::Debug for AccountsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountsConfig")
            .field("rates", &self.rates)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) config: AccountsConfig,
    pub(crate) jobs: Jobs,
    pub(crate) passwords: Passwords,
    pub(crate) tries: Tries<(Limited, String)>,
    pub(crate) used_keys: Uses<ApiKeyId>,
    pub(crate) used_sessions: Uses<SessionId>,
}

/// People, their sessions, teams and API keys, and the audit log. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) core: Core,
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    pub(crate) fn new(core: Core, config: AccountsConfig, jobs: Jobs) -> Self {
        Self {
            core,
            inner: Arc::new(Inner {
                config,
                jobs,
                passwords: Passwords::default(),
                tries: Tries::default(),
                used_keys: Uses::default(),
                used_sessions: Uses::default(),
            }),
        }
    }

    /// Confirms, in the transaction of a change, that the person may still make it.
    pub(crate) async fn confirm(
        &self,
        conn: &mut PgConnection,
        person: &Person,
        needed: Needed,
    ) -> Result<(), AccountError> {
        authority::confirm(conn, person.by(), needed, self.core.now()).await
    }

    /// Counts a call by the client or account that `key` names, or refuses it.
    pub fn limit(&self, limited: Limited, key: &str) -> Result<(), AccountError> {
        let rate = self.inner.config.rates.of(limited);
        let key = (limited, key.to_owned());
        Ok(self.inner.tries.count(key, rate, self.core.now())?)
    }

    /// Takes a call back that was counted.
    pub fn give_back(&self, limited: Limited, key: &str) {
        let rate = self.inner.config.rates.of(limited);
        let key = (limited, key.to_owned());
        self.inner.tries.give_back(&key, rate);
    }

    /// Whether one more call would be allowed.
    fn is_below(&self, limited: Limited, key: &str) -> bool {
        let rate = self.inner.config.rates.of(limited);
        let key = (limited, key.to_owned());
        self.inner.tries.is_below(&key, rate, self.core.now())
    }
}
