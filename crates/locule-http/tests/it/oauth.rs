//! Sign in with GitHub, against a small provider and a browser that follows redirects.

mod admission;
mod browser;
mod connect;
pub(crate) mod provider;

use std::time::Duration;

use locule_control::{ControlConfig, Rate};
use locule_domain::UserStatus;
use locule_http::ListenerLimits;
use locule_ids::UserId;
use locule_store::users;
use locule_testkit::{as_owner, eventually};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgPool};
use tokio::net::TcpListener;

use self::browser::Browser;
use self::provider::{Behavior, Provider, ProviderAccount};
use crate::app::{App, PASSWORD, Signed};

const NONE: Value = Value::Null;
const ADA: &str = "ada@locule.test";

/// The platform with GitHub as a sign-in provider.
struct Scene {
    app: App,
    provider: Provider,
    url: String,
}

impl Scene {
    async fn with(pool: PgPool, change: impl FnOnce(&mut ControlConfig)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Provider::open().await;
        let app = App::start_with(pool, |config| {
            config.accounts.github = Some(provider.client(&format!("{url}/")));
            change(config);
        });
        let app = app.await;
        app.listen_on(listener, ListenerLimits::default());
        Self { app, provider, url }
    }

    async fn new(pool: PgPool) -> Self {
        Self::with(pool, |_| {}).await
    }

    fn begin(&self, intent: &str) -> String {
        format!("{}/auth/oauth/github?intent={intent}", self.url)
    }

    /// Signs in with a browser; returns the final URL without the address of the platform.
    async fn come_in(&self, browser: &mut Browser, intent: &str) -> String {
        let end = browser.open(&self.begin(intent)).await;
        let rest = end.strip_prefix(&self.url);
        rest.expect("no other address is ever gone to in the end")
            .to_owned()
    }

    async fn signed_in(&self, browser: &mut Browser, intent: &str) -> Signed {
        assert_eq!(self.come_in(browser, intent).await, "/auth/github/callback");
        self.signed(browser)
    }

    fn reads(&self, browser: &Browser, name: &str) -> Option<String> {
        let page = format!("{}/auth/github/callback", self.url);
        browser.script_reads(&page, &format!("locule_oauth_{name}"))
    }

    fn signed(&self, browser: &Browser) -> Signed {
        let text = |name: &str| self.reads(browser, name).unwrap();
        Signed {
            token: text("token"),
            user: text("user_id"),
            team: text("team_id"),
        }
    }

    async fn me(&self, token: &str) -> Value {
        self.app.by(token, "GET", "/v1/me", &NONE).await.json
    }

    async fn people(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM users");
        count.fetch_one(&self.app.pool).await.unwrap()
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sign_up_with_github_creates_an_account_that_later_sign_ins_use(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let mut browser = Browser::new();
    let ada = scene.signed_in(&mut browser, "signup").await;
    assert_eq!(scene.reads(&browser, "new_signup").as_deref(), Some("1"));
    assert_eq!(scene.reads(&browser, "name").as_deref(), Some("Ada Ä; L."));
    assert_eq!(scene.reads(&browser, "email").as_deref(), Some(ADA));
    assert!(browser.hidden().is_empty(), "{:?}", browser.hidden());
    let elsewhere = browser.script_reads(&scene.url, "locule_oauth_token");
    assert_eq!(elsewhere, None, "it is for one page");
    let me = scene.me(&ada.token).await;
    assert_eq!(me["user_id"], ada.user);
    assert_eq!(me["providers"], json!(["github"]));
    assert_eq!(
        (&me["has_password"], &me["is_admin"]),
        (&json!(false), &json!(false))
    );
    let teams = scene.app.by(&ada.token, "GET", "/v1/teams", &NONE).await;
    let team = &teams.json[0];
    assert_eq!(
        (&team["name"], &team["role"]),
        (&json!("Ada Ä; L.'s Team"), &json!("owner"))
    );
    // Another browser, a changed address and a changed name: still the same identity.
    let mut renamed = ProviderAccount::new(1, "new@locule.test");
    renamed.profile["name"] = NONE;
    scene.provider.logs_in(renamed);
    for intent in ["login", "signup"] {
        let mut other = Browser::new();
        let again = scene.signed_in(&mut other, intent).await;
        assert_eq!((&again.user, &again.team), (&ada.user, &ada.team));
        assert_eq!(scene.reads(&other, "new_signup"), None);
        assert_eq!(scene.reads(&other, "email").as_deref(), Some(ADA));
    }
    let guess = json!({ "email": ADA, "password": "" });
    let guess = scene
        .app
        .without_credential("POST", "/v1/auth/login", &guess)
        .await;
    assert_eq!(guess.status, 401);
}

/// The same rule as for a sign-up with a password.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_first_account_administers_the_platform(pool: PgPool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = Provider::open().await;
    let github = provider.client(&url);
    let app =
        App::start_without_accounts(pool, |config| config.accounts.github = Some(github)).await;
    app.listen_on(listener, ListenerLimits::default());
    let scene = Scene { app, provider, url };
    for (id, is_admin) in [(1, true), (2, false)] {
        let account = ProviderAccount::new(id, &format!("{id}@locule.test"));
        scene.provider.logs_in(account);
        let signed = scene.signed_in(&mut Browser::new(), "signup").await;
        assert_eq!(scene.me(&signed.token).await["is_admin"], is_admin);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_refused_sign_in_redirects_with_an_error_code(pool: PgPool) {
    let scene = Scene::with(pool, |_| {}).await;
    let refused = async |intent: &str, word: &str| {
        let mut browser = Browser::new();
        let end = scene.come_in(&mut browser, intent).await;
        assert_eq!(end, format!("/auth/github/callback?error={word}"));
        assert!(browser.hidden().is_empty() && scene.reads(&browser, "token").is_none());
    };
    refused("login", "no_account").await;
    for (mood, word) in [
        (Behavior::Denies, "access_denied"),
        (Behavior::Complains, "exchange_failed"),
        (Behavior::ForgetsTheCode, "missing_code"),
        (Behavior::Fails, "exchange_failed"),
        (Behavior::Mumbles, "exchange_failed"),
        (Behavior::Babbles, "exchange_failed"),
        (Behavior::PointsElsewhere, "exchange_failed"),
        (Behavior::HidesEmails, "exchange_failed"),
    ] {
        scene.provider.is(mood);
        refused("signup", word).await;
    }
    scene.provider.is(Behavior::Fine);
    for profile in [
        json!([]),
        json!({ "id": "1", "login": "x" }),
        json!({ "id": 1, "login": "" }),
    ] {
        let malformed = ProviderAccount {
            profile,
            ..ProviderAccount::new(1, ADA)
        };
        scene.provider.logs_in(malformed);
        refused("signup", "exchange_failed").await;
    }
    assert_eq!(scene.people().await, 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_provider_that_does_not_answer_in_time_fails_the_sign_in(pool: PgPool) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = Provider::open().await;
    let github = provider.client_within(&url, Duration::from_millis(300));
    let app = App::start_with(pool, |config| config.accounts.github = Some(github)).await;
    app.listen_on(listener, ListenerLimits::default());
    provider.is(Behavior::Hangs);
    let scene = Scene { app, provider, url };
    let end = scene.come_in(&mut Browser::new(), "signup").await;
    assert_eq!(end, "/auth/github/callback?error=exchange_failed");
}

/// With an unverified address an attacker could take the account of the owner of that address.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn only_a_primary_and_verified_email_address_is_accepted(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let listed = |email: &str, primary: bool, verified: bool| json!({ "email": email, "primary": primary, "verified": verified });
    for emails in [
        json!([]),
        json!([listed(ADA, true, false)]),
        json!([listed(ADA, false, true)]),
        json!([
            listed(ADA, true, false),
            listed("other@locule.test", false, true)
        ]),
        json!([listed("ädä@locule.test", true, true)]),
    ] {
        let account = ProviderAccount {
            emails,
            ..ProviderAccount::new(1, ADA)
        };
        scene.provider.logs_in(account);
        let end = scene.come_in(&mut Browser::new(), "signup").await;
        assert_eq!(end, "/auth/github/callback?error=no_verified_email");
    }
    assert_eq!(scene.people().await, 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_matching_email_address_does_not_sign_in_to_an_existing_account(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let ada = scene.app.sign_up(ADA).await;
    for (intent, word) in [("signup", "email_taken"), ("login", "no_account")] {
        let end = scene.come_in(&mut Browser::new(), intent).await;
        assert_eq!(end, format!("/auth/github/callback?error={word}"));
    }
    assert_eq!(scene.me(&ada.token).await["providers"], json!([]));
}

/// The password of an account whose address was never verified stops working.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_unverified_account_is_taken_over_by_the_verified_owner_of_its_address(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let squatter = scene.app.sign_up(ADA).await;
    let wait = sqlx::query("UPDATE users SET status = 'inactive' WHERE email = $1");
    wait.bind(ADA).execute(&scene.app.pool).await.unwrap();
    sqlx::query("DELETE FROM users_teams WHERE user_id = (SELECT id FROM users WHERE email = $1)")
        .bind(ADA)
        .execute(&scene.app.pool)
        .await
        .unwrap();
    let ada = scene.signed_in(&mut Browser::new(), "signup").await;
    assert_ne!(ada.user, squatter.user);
    assert_eq!(scene.me(&ada.token).await["has_password"], false);
    let login = json!({ "email": ADA, "password": PASSWORD });
    let login = scene
        .app
        .without_credential("POST", "/v1/auth/login", &login)
        .await;
    assert_eq!(login.status, 401);
    assert_eq!(
        scene
            .app
            .by(&squatter.token, "GET", "/v1/me", &NONE)
            .await
            .status,
        401
    );
    let mut conn = scene.app.pool.acquire().await.unwrap();
    let now = users::by_email(&mut conn, ADA).await.unwrap().unwrap();
    assert_eq!(
        (now.id, now.status),
        (ada.user.parse::<UserId>().unwrap(), UserStatus::Active)
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_disabled_account_cannot_sign_in_with_github(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let ada = scene.signed_in(&mut Browser::new(), "signup").await;
    let path = format!("/v1/admin/users/{}/active", ada.user);
    let set = async |active: bool| {
        let body = json!({ "active": active });
        let answer = scene.app.by(&scene.app.token, "PUT", &path, &body).await;
        assert!(answer.status.is_success(), "{}", answer.json);
    };
    set(false).await;
    for intent in ["login", "signup"] {
        let end = scene.come_in(&mut Browser::new(), intent).await;
        assert_eq!(end, "/auth/github/callback?error=account_deactivated");
    }
    set(true).await;
    scene.signed_in(&mut Browser::new(), "login").await;
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_oauth_state_is_valid_once_and_only_in_the_browser_that_started(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let invalid = |end: &str| end.ends_with("/auth/github/callback?error=invalid_state");
    // The victim opens the callback URL of the attacker.
    let mut attacker = Browser::new();
    let away = attacker.step(&scene.begin("signup")).await.unwrap();
    let back = attacker.step(&away).await.unwrap();
    let mut victim = Browser::new();
    assert!(invalid(&victim.open(&back).await), "without a cookie");
    victim.step(&scene.begin("login")).await.unwrap();
    assert!(
        invalid(&victim.open(&back).await),
        "with the cookie of another journey"
    );
    assert!(victim.hidden().is_empty());
    // The attacker's own browser, before and after the victim.
    let before = attacker.clone();
    for bad in [
        back.replace("state=", "state=0"),
        back.replace("state=", "x="),
    ] {
        assert!(invalid(&before.clone().open(&bad).await), "{bad}");
    }
    assert_eq!(
        attacker.open(&back).await,
        format!("{}/auth/github/callback", scene.url)
    );
    assert!(invalid(&attacker.open(&back).await), "again");
    // A kept cookie does not allow a second sign-in: the code is used up.
    let again = before.clone().open(&back).await;
    assert!(again.ends_with("?error=exchange_failed"), "{again}");
    let mut other = Browser::new();
    let bare = format!("{}/auth/oauth/github/callback", scene.url);
    assert!(invalid(&other.open(&bare).await));
    assert_eq!(scene.people().await, 2);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn of_concurrent_callbacks_exactly_one_creates_the_account(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let mut windows = Vec::new();
    for number in 0..8 {
        // One identity; half of the windows finish after its address was changed.
        let email = if number % 2 == 0 {
            ADA
        } else {
            "new@locule.test"
        };
        scene.provider.logs_in(ProviderAccount::new(1, email));
        let mut browser = Browser::new();
        let away = browser.step(&scene.begin("signup")).await.unwrap();
        let back = browser.step(&away).await.unwrap();
        windows.push((browser, back));
    }
    let come = windows.into_iter().map(async |(mut browser, back)| {
        let end = browser.open(&back).await;
        assert!(end.ends_with("/auth/github/callback"), "{end}");
        browser
    });
    // No account is created before several callbacks have found none.
    let pool = &scene.app.pool;
    let (mut gate, mut watch) = (as_owner(pool).await, as_owner(pool).await);
    for begin in ["BEGIN", "LOCK TABLE oauth_providers IN SHARE MODE"] {
        sqlx::query(begin).execute(&mut gate).await.unwrap();
    }
    let open = async {
        eventually("some wait for each other", async || {
            let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watch).await.unwrap();
            waiting >= 3
        })
        .await;
        gate.close().await.unwrap();
    };
    let (windows, ()) = tokio::join!(futures::future::join_all(come), open);
    let user = scene.signed(&windows[0]).user;
    assert!(
        windows
            .iter()
            .all(|window| scene.signed(window).user == user)
    );
    let new = windows
        .iter()
        .filter(|window| scene.reads(window, "new_signup").is_some());
    assert_eq!(new.count(), 1);
    assert_eq!(scene.people().await, 2);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_deleted_account_frees_its_github_identity(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let first = scene.signed_in(&mut Browser::new(), "signup").await;
    let body = json!({ "confirmation": ADA });
    let gone = scene.app.by(&first.token, "DELETE", "/v1/me", &body).await;
    assert_eq!(gone.status, 204, "{}", gone.json);
    let end = scene.come_in(&mut Browser::new(), "login").await;
    assert_eq!(end, "/auth/github/callback?error=no_account");
    let second = scene.signed_in(&mut Browser::new(), "signup").await;
    assert_ne!(second.user, first.user);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn too_many_sign_in_starts_or_callbacks_are_refused_with_retry_after(pool: PgPool) {
    let rate = Rate {
        count: 3,
        per: Duration::from_mins(10),
    };
    let scene = Scene::with(pool, |config| config.accounts.rates.login_by_address = rate).await;
    let begin = "/auth/oauth/github";
    let back = "/auth/oauth/github/callback";
    for (path, status) in [
        (begin, 302),
        (back, 302),
        (begin, 302),
        (back, 429),
        (begin, 429),
    ] {
        let answer = scene.app.without_credential("GET", path, &NONE).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers.contains_key("retry-after"), status == 429);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_provider_that_is_not_configured_is_not_found(pool: PgPool) {
    let bare = App::start(pool.clone()).await;
    let github = Provider::open().await.client("https://locule.test");
    let set_up =
        App::start_without_accounts(pool, |config| config.accounts.github = Some(github)).await;
    for (app, provider) in [(&bare, "github"), (&set_up, "gitlab"), (&set_up, "GitHub")] {
        for path in [
            format!("/auth/oauth/{provider}"),
            format!("/auth/oauth/{provider}/callback"),
            format!("/v1/me/providers/{provider}/connect"),
        ] {
            let answer = app.by(&bare.token, "GET", &path, &NONE).await;
            let code = &answer.json["error"]["code"];
            assert_eq!(
                (answer.status.as_u16(), code),
                (404, &json!("provider_not_found")),
                "{path}"
            );
        }
    }
    let intent = "/auth/oauth/github?intent=connect";
    assert_eq!(
        set_up.without_credential("GET", intent, &NONE).await.status,
        400
    );
}

/// Ports of sandboxes may be hosts of the same domain. None of them can set such a cookie.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn with_tls_the_cookies_are_bound_to_the_host(pool: PgPool) {
    let github = Provider::open().await.client("https://locule.test");
    let app = App::start_with(pool, |config| config.accounts.github = Some(github)).await;
    let ways = [
        (302, "/auth/oauth/github", "__Host-locule_oauth_state="),
        (
            200,
            "/v1/me/providers/github/connect",
            "__Host-locule_oauth_connect=",
        ),
    ];
    for (status, path, name) in ways {
        let answer = app.by(&app.token, "GET", path, &NONE).await;
        assert_eq!(answer.status, status, "{}", answer.json);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let set = answer.headers.get_all("set-cookie").iter();
        let set: Vec<&str> = set.map(|cookie| cookie.to_str().unwrap()).collect();
        let cookie = set.iter().find(|cookie| cookie.starts_with(name)).unwrap();
        let attributes = "; Path=/; HttpOnly; Max-Age=600; SameSite=Lax; Secure";
        assert!(cookie.ends_with(attributes), "{cookie}");
    }
}
