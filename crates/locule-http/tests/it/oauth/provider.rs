//! A small OAuth provider with the endpoints of GitHub, whose answers the test chooses.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use locule_base::tasks::Tasks;
use locule_control::{GITHUB_TIMEOUT, Github, GithubConfig};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

const CLIENT_ID: &str = "client";
const CLIENT_SECRET: &str = "s&cret=";

/// How the provider behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behavior {
    Fine,
    /// The user denies access.
    Denies,
    /// The callback URL is refused.
    Complains,
    ForgetsTheCode,
    Fails,
    Mumbles,
    Babbles,
    Hangs,
    /// Only the e-mail addresses are refused.
    HidesEmails,
    PointsElsewhere,
}

/// An account of the provider.
#[derive(Debug, Clone)]
pub(crate) struct ProviderAccount {
    pub(crate) profile: Value,
    pub(crate) emails: Value,
}

impl ProviderAccount {
    pub(crate) fn new(id: u64, email: &str) -> Self {
        Self {
            profile: json!({ "id": id, "login": format!("login-{id}"), "name": "Ada Ä; L.", "email": "profile@locule.test" }),
            emails: json!([
                { "email": "other@locule.test", "primary": false, "verified": true },
                { "email": email, "primary": true, "verified": true },
            ]),
        }
    }
}

struct Inner {
    mood: Behavior,
    account: ProviderAccount,
    /// The challenge and the account of each code.
    codes: HashMap<String, (String, ProviderAccount)>,
    /// The account of each token.
    people: HashMap<String, ProviderAccount>,
    made: usize,
}

type Shared = Arc<Mutex<Inner>>;
type Parameters = HashMap<String, String>;

pub(crate) struct Provider {
    address: SocketAddr,
    shared: Shared,
    tasks: Tasks,
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Inner> {
    shared.lock().unwrap()
}

impl Provider {
    pub(crate) async fn open() -> Self {
        // Another host name than that of the platform, so that each has its own cookies.
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Inner {
            mood: Behavior::Fine,
            account: ProviderAccount::new(1, "Ada@Locule.test"),
            codes: HashMap::new(),
            people: HashMap::new(),
            made: 0,
        }));
        let router = Router::new()
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(access_token))
            .route("/api/user", get(user))
            .route("/api/user/emails", get(emails))
            .with_state(shared.clone());
        let tasks = Tasks::new();
        tasks.spawn("provider", |stop| async move {
            let serving = axum::serve(listener, router);
            tokio::select! {
                served = serving.into_future() => Ok(served?),
                () = stop.cancelled() => Ok(()),
            }
        });
        Self {
            address,
            shared,
            tasks,
        }
    }

    pub(crate) fn client(&self, public_url: &str) -> Github {
        self.client_within(public_url, GITHUB_TIMEOUT)
    }

    pub(crate) fn client_within(&self, public_url: &str, timeout: Duration) -> Github {
        Github::new(GithubConfig {
            client_id: CLIENT_ID.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            url: format!("http://{}", self.address),
            api_url: format!("http://{}/api/", self.address),
            public_url: public_url.to_owned(),
            dashboard_url: public_url.to_owned(),
            timeout,
        })
        .unwrap()
    }

    pub(crate) fn is(&self, mood: Behavior) {
        lock(&self.shared).mood = mood;
    }

    /// The account that signs in at the provider from now on.
    pub(crate) fn logs_in(&self, account: ProviderAccount) {
        lock(&self.shared).account = account;
    }
}

async fn authorize(State(shared): State<Shared>, Query(sent): Query<Parameters>) -> Redirect {
    let mut inner = lock(&shared);
    assert_eq!(sent["client_id"], CLIENT_ID);
    assert_eq!(sent["scope"], "user:email");
    assert_eq!(sent["code_challenge_method"], "S256");
    let (back, state) = (&sent["redirect_uri"], &sent["state"]);
    assert!(back.ends_with("/auth/oauth/github/callback"), "{back}");
    inner.made += 1;
    let code = format!("code-{}", inner.made);
    let account = inner.account.clone();
    let answer = match inner.mood {
        Behavior::Denies => "error=access_denied&error_description=no".to_owned(),
        Behavior::Complains => "error=redirect_uri_mismatch".to_owned(),
        Behavior::ForgetsTheCode => "code=".to_owned(),
        Behavior::Fine
        | Behavior::Fails
        | Behavior::Mumbles
        | Behavior::Babbles
        | Behavior::Hangs
        | Behavior::HidesEmails
        | Behavior::PointsElsewhere => format!("code={code}"),
    };
    inner
        .codes
        .insert(code, (sent["code_challenge"].clone(), account));
    Redirect::to(&format!("{back}?{answer}&state={state}"))
}

async fn access_token(State(shared): State<Shared>, Form(sent): Form<Parameters>) -> Response {
    let mood = lock(&shared).mood;
    match mood {
        Behavior::Fails => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Behavior::Mumbles => return "not JSON: {".into_response(),
        Behavior::Babbles => {
            return Json(json!({ "access_token": "x".repeat(1 << 20) })).into_response();
        }
        Behavior::Hangs => std::future::pending().await,
        Behavior::PointsElsewhere => return Redirect::temporary("/api/user").into_response(),
        Behavior::Fine
        | Behavior::Denies
        | Behavior::Complains
        | Behavior::ForgetsTheCode
        | Behavior::HidesEmails => {}
    }
    let mut inner = lock(&shared);
    let refused = |error: &str| Json(json!({ "error": error })).into_response();
    if sent["client_id"] != CLIENT_ID || sent["client_secret"] != CLIENT_SECRET {
        return refused("incorrect_client_credentials");
    }
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&sent["code_verifier"]));
    match inner.codes.remove(&sent["code"]) {
        Some((expected, account)) if expected == challenge => {
            let token = format!("token-of-{}", sent["code"]);
            inner.people.insert(token.clone(), account);
            Json(json!({ "access_token": token, "token_type": "bearer" })).into_response()
        }
        _ => refused("bad_verification_code"),
    }
}

fn whose(shared: &Shared, headers: &HeaderMap) -> Option<ProviderAccount> {
    let token = headers.get("authorization")?.to_str().ok()?;
    headers.get("user-agent")?;
    let token = token.strip_prefix("Bearer ")?;
    lock(shared).people.get(token).cloned()
}

async fn user(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    match whose(&shared, &headers) {
        Some(account) => Json(account.profile).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn emails(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    match whose(&shared, &headers) {
        Some(_) if lock(&shared).mood == Behavior::HidesEmails => {
            StatusCode::NOT_FOUND.into_response()
        }
        Some(account) => Json(account.emails).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
