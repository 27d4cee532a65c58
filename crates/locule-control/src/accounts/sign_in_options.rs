//! The ways into the platform that this installation offers.

use locule_domain::SignupPolicy;

use super::github::GITHUB;
use crate::accounts::Accounts;

/// What a person without an account may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInOptions<'a> {
    pub sign_up: SignupPolicy,
    /// Whether the platform sends e-mails.
    pub mail: bool,
    /// The sign-in providers that are set up.
    pub providers: Vec<&'static str>,
    /// The base of links to the platform.
    pub public_url: &'a str,
}

impl Accounts {
    pub fn sign_in_options(&self) -> SignInOptions<'_> {
        let config = &self.inner.config;
        SignInOptions {
            sign_up: config.signup,
            mail: config.mailer.is_some(),
            providers: config.github.iter().map(|_| GITHUB).collect(),
            public_url: &config.public_url,
        }
    }
}
