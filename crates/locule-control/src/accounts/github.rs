//! Sign-in with GitHub, or with a GitHub Enterprise Server: the address that browsers are sent to, and the profile behind a code.
//! GitHub's answers are not trusted: they are bounded in size and time, and no address in them is followed.

use std::sync::Arc;
use std::time::Duration;

use locule_domain::oauth::{ListedEmail, name_of, trusted_email};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

/// The name of this provider in paths and in the database.
pub const GITHUB: &str = "github";
/// For all requests of one sign-in together.
pub const GITHUB_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Sign-ins above this number wait, within their timeout.
const AT_ONCE: usize = 16;
const ERROR_LENGTH_MAX: usize = 64;

/// The OAuth application that an operator registered at GitHub.
#[derive(Clone)]
pub struct GithubConfig {
    pub client_id: String,
    pub client_secret: String,
    /// The address where people log in: `https://github.com`.
    pub url: String,
    /// The address of the API: `https://api.github.com`.
    pub api_url: String,
    /// The address of this API for browsers; the callback is below it.
    pub public_url: String,
    /// The address that browsers are sent to at the end.
    pub dashboard_url: String,
    pub timeout: Duration,
}

impl std::fmt::Debug for GithubConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GithubConfig")
            .field("url", &self.url)
            .field("api_url", &self.api_url)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum GithubSetupError {
    /// Secrets are sent there: only an address of this machine may be without TLS.
    #[error("{0:?} is not an https:// address")]
    Address(String),
    #[error("the TLS client for GitHub cannot be created")]
    Client(#[source] reqwest::Error),
}

/// A failed exchange of a code. No variant contains the code, the secret or a token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("GitHub did not answer in time")]
    TimedOut,
    #[error("GitHub cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("GitHub answered with status {0}")]
    Status(StatusCode),
    #[error("GitHub refused the code: {0}")]
    Refused(String),
    /// Usually a wrong registration of the application, such as another callback address.
    #[error("GitHub returned the browser with an error")]
    OauthCallback,
    #[error("the answer of GitHub is too large")]
    TooLarge,
    #[error("the answer of GitHub cannot be read")]
    Unreadable,
}

/// The GitHub account of the person who returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OauthProfile {
    /// GitHub never reuses the id; it does reuse logins.
    pub(crate) id: String,
    pub(crate) name: String,
    /// `None` if GitHub lists no verified address.
    pub(crate) email: Option<String>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Github {
    config: Arc<GithubConfig>,
    authorize: Url,
    http: reqwest::Client,
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Github {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.config.fmt(f)
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    error: Option<String>,
}

/// The e-mail address of the profile is not read: its owner may enter any address.
#[derive(Deserialize)]
struct Profile {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    email: String,
    primary: bool,
    verified: bool,
}

/// Checks an address that secrets are sent to. Returns it without a trailing slash, and whether it is on this machine.
fn address(text: &str) -> Result<(String, bool), GithubSetupError> {
    let bad = || GithubSetupError::Address(text.to_owned());
    let url = Url::parse(text).map_err(|_| bad())?;
    let host = url.host_str().ok_or_else(bad)?;
    let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
    if !(safe && bare) {
        return Err(bad());
    }
    Ok((text.trim_end_matches('/').to_owned(), here))
}

impl Github {
    pub fn new(mut config: GithubConfig) -> Result<Self, GithubSetupError> {
        for url in [&mut config.public_url, &mut config.dashboard_url] {
            *url = address(url)?.0;
        }
        let (url, _) = address(&config.url)?;
        let (api_url, here) = address(&config.api_url)?;
        let authorize = format!("{url}/login/oauth/authorize");
        let authorize = Url::parse(&authorize).map_err(|_| GithubSetupError::Address(authorize))?;
        (config.url, config.api_url) = (url, api_url);
        // A provider that was installed earlier is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("locule/", env!("CARGO_PKG_VERSION")))
            .timeout(config.timeout)
            // The secret and the tokens are for this server, not for the target of a redirect.
            .redirect(reqwest::redirect::Policy::none());
        if here {
            // A proxy from the environment cannot reach the addresses of this machine.
            http = http.no_proxy();
        }
        Ok(Self {
            http: http.build().map_err(GithubSetupError::Client)?,
            config: Arc::new(config),
            authorize,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        })
    }

    /// The address that browsers are sent to at the end, without a trailing slash.
    pub fn dashboard_url(&self) -> &str {
        &self.config.dashboard_url
    }

    /// Whether browsers reach this API by TLS.
    pub fn is_secure(&self) -> bool {
        self.config.public_url.starts_with("https:")
    }

    fn callback(&self) -> String {
        format!("{}/auth/oauth/{GITHUB}/callback", self.config.public_url)
    }

    /// The address where a browser logs in at GitHub.
    pub(crate) fn authorize_url(&self, nonce: &str, challenge: &str) -> String {
        let mut url = self.authorize.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("scope", "user:email")
            .append_pair("state", nonce)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        url.into()
    }

    /// Exchanges a code for the profile of its owner. A code works once.
    pub(crate) async fn fetch_profile(
        &self,
        code: &str,
        verifier: &str,
    ) -> Result<OauthProfile, ExchangeError> {
        let asked = Box::pin(async {
            let turn = self.turns.acquire().await;
            let _turn = turn.map_err(|_| ExchangeError::TimedOut)?;
            let bearer = self.bearer(code, verifier).await?;
            let (profile, listed) = tokio::try_join!(
                self.get::<Profile>("/user", &bearer),
                self.get::<Vec<Listed>>("/user/emails", &bearer),
            )?;
            oauth_profile(&profile, listed)
        });
        let answered = tokio::time::timeout(self.config.timeout, asked).await;
        answered.unwrap_or(Err(ExchangeError::TimedOut))
    }

    async fn bearer(&self, code: &str, verifier: &str) -> Result<HeaderValue, ExchangeError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &self.config.client_id)
            .append_pair("client_secret", &self.config.client_secret)
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.callback())
            .append_pair("code_verifier", verifier)
            .finish();
        let url = format!("{}/login/oauth/access_token", self.config.url);
        let request = self.http.post(url).body(form);
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer: TokenAnswer = answer(request.header(ACCEPT, "application/json")).await?;
        // GitHub refuses a code with status 200.
        let token = answer.access_token.ok_or_else(|| {
            let known = answer.error.unwrap_or_default();
            let allowed = |c: &char| c.is_ascii_lowercase() || *c == '_';
            let known = known.chars().filter(allowed).take(ERROR_LENGTH_MAX);
            ExchangeError::Refused(known.collect())
        })?;
        let bearer = HeaderValue::try_from(format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|_| ExchangeError::Unreadable)?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        bearer: &HeaderValue,
    ) -> Result<T, ExchangeError> {
        let request = self.http.get(format!("{}{path}", self.config.api_url));
        let request = request.header(AUTHORIZATION, bearer.clone());
        answer(request.header(ACCEPT, "application/vnd.github+json")).await
    }
}

fn oauth_profile(profile: &Profile, listed: Vec<Listed>) -> Result<OauthProfile, ExchangeError> {
    let view = |listed: Listed| ListedEmail {
        email: listed.email,
        primary: listed.primary,
        verified: listed.verified,
    };
    let listed: Vec<ListedEmail> = listed.into_iter().map(view).collect();
    Ok(OauthProfile {
        id: profile.id.to_string(),
        name: name_of(profile.name.as_deref(), &profile.login).ok_or(ExchangeError::Unreadable)?,
        email: trusted_email(&listed),
    })
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, ExchangeError> {
    let unreachable = |error: reqwest::Error| {
        if error.is_timeout() {
            return ExchangeError::TimedOut;
        }
        ExchangeError::Unreachable(error.without_url())
    };
    let mut response: Response = request.send().await.map_err(unreachable)?;
    if !response.status().is_success() {
        return Err(ExchangeError::Status(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ExchangeError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    // The parser's error may quote the body, and so a token.
    serde_json::from_slice(&body).map_err(|_| ExchangeError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_sent_by_tls_or_to_this_machine_only() {
        for good in [
            "https://github.com",
            "http://127.0.0.1:1",
            "http://[::1]:1/",
            "http://localhost/x/",
        ] {
            assert_eq!(address(good).unwrap().0, good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "github.com",
            "http://github.com",
            "http://127.0.0.1.evil.test",
            "ftp://localhost",
            "https://u@github.com",
            "https://github.com/?a",
            "https://github.com/#a",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
