//! Connecting a GitHub identity to an existing account, and disconnecting it.

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::browser::Browser;
use super::provider::{Behavior, ProviderAccount};
use super::{ADA, NONE, Scene};
use crate::app::{App, PASSWORD};

fn code(answer: &crate::app::Answer) -> (u16, &str) {
    let code = answer.json["error"]["code"].as_str().unwrap_or_default();
    (answer.status.as_u16(), code)
}

impl Scene {
    /// The URL that a script with the token sends the browser to.
    async fn away(&self, browser: &mut Browser, token: &str) -> String {
        let path = format!("{}/v1/me/providers/github/connect", self.url);
        let answer = browser.fetch(&path, token).await;
        answer["auth_url"].as_str().unwrap().to_owned()
    }

    /// The result that the settings page receives.
    async fn settled(&self, browser: &mut Browser, away: &str) -> String {
        let end = browser.open(away).await;
        let settings = format!("{}/dashboard/settings?", self.url);
        assert!(browser.hidden().is_empty(), "{:?}", browser.hidden());
        let told = end.strip_prefix(&settings);
        told.unwrap_or_else(|| panic!("{end}")).to_owned()
    }

    async fn connect(&self, token: &str) -> String {
        let mut browser = Browser::new();
        let away = self.away(&mut browser, token).await;
        self.settled(&mut browser, &away).await
    }

    async fn disconnect(&self, token: &str) -> crate::app::Answer {
        let path = "/v1/me/providers/github";
        self.app.by(token, "DELETE", path, &NONE).await
    }
}

async fn told(app: &App) -> Vec<Value> {
    let path = "/v1/admin/audit-logs?resource_type=user&action=connect,disconnect";
    let log = app.by(&app.token, "GET", path, &NONE).await;
    let items = log.json["items"].as_array().unwrap().clone();
    let view = |item: Value| json!([item["action"], item["actor_name"], item["metadata"]]);
    items.into_iter().map(view).collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_connected_github_identity_signs_in_until_it_is_disconnected(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let ada = scene.app.sign_up(ADA).await;
    assert_eq!(
        code(&scene.disconnect(&ada.token).await),
        (404, "not_found")
    );
    // The addresses may differ: the login proves the account.
    let account = ProviderAccount {
        emails: json!([]),
        ..ProviderAccount::new(7, "")
    };
    scene.provider.logs_in(account);
    for _ in 0..2 {
        assert_eq!(scene.connect(&ada.token).await, "connected=github");
    }
    let me = scene.me(&ada.token).await;
    assert_eq!(
        (&me["providers"], &me["has_password"]),
        (&json!(["github"]), &json!(true))
    );
    let came = scene.signed_in(&mut Browser::new(), "login").await;
    assert_eq!((&came.user, &came.team), (&ada.user, &ada.team));
    let gone = scene.disconnect(&ada.token).await;
    assert_eq!(gone.status, 204, "{}", gone.json);
    assert_eq!(
        code(&scene.disconnect(&ada.token).await),
        (404, "not_found")
    );
    let end = scene.come_in(&mut Browser::new(), "login").await;
    assert_eq!(end, "/auth/github/callback?error=no_account");
    let provider = json!({ "provider": "github" });
    assert_eq!(
        told(&scene.app).await,
        [
            json!(["disconnect", "ada", provider]),
            json!(["connect", "ada", provider])
        ]
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_identity_belongs_to_one_account_and_an_account_has_one_identity(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let taken = "connect_error=already_linked";
    let ada = scene.signed_in(&mut Browser::new(), "signup").await;
    let bob = scene.app.sign_up("bob@locule.test").await;
    assert_eq!(scene.connect(&bob.token).await, taken);
    scene
        .provider
        .logs_in(ProviderAccount::new(2, "bob@locule.test"));
    assert_eq!(scene.connect(&ada.token).await, taken);
    assert_eq!(scene.connect(&bob.token).await, "connected=github");
    // Of concurrent connections of one identity, one succeeds.
    scene.provider.logs_in(ProviderAccount::new(3, ADA));
    let mut ways = Vec::new();
    for number in 0..4 {
        let token = scene
            .app
            .sign_up(&format!("{number}@locule.test"))
            .await
            .token;
        let mut browser = Browser::new();
        let away = scene.away(&mut browser, &token).await;
        ways.push((browser, away));
    }
    let came = ways
        .iter_mut()
        .map(async |(browser, away)| scene.settled(browser, away).await);
    let mut ends = join_all(came).await;
    ends.sort_unstable();
    assert_eq!(ends, [taken, taken, taken, "connected=github"]);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_failed_connection_redirects_to_the_settings_with_an_error_code(pool: PgPool) {
    let scene = Scene::new(pool).await;
    for (mood, word) in [
        (Behavior::Denies, "access_denied"),
        (Behavior::ForgetsTheCode, "missing_code"),
        (Behavior::Fails, "exchange_failed"),
    ] {
        scene.provider.is(mood);
        let end = scene.connect(&scene.app.token).await;
        assert_eq!(end, format!("connect_error={word}"));
    }
    assert_eq!(scene.me(&scene.app.token).await["providers"], json!([]));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn without_the_database_a_sign_in_redirects_with_an_error_code(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let (mut coming, mut connecting) = (Browser::new(), Browser::new());
    let away = scene.away(&mut connecting, &scene.app.token).await;
    scene.app.pool.close().await;
    let end = scene.come_in(&mut coming, "signup").await;
    assert_eq!(end, "/auth/github/callback?error=db_error");
    let end = scene.settled(&mut connecting, &away).await;
    assert_eq!(end, "connect_error=db_error");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_ended_login_cannot_connect_an_identity(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let ada = scene.app.sign_up(ADA).await;
    let invalid = "connect_error=invalid_state";
    let mut browser = Browser::new();
    let away = scene.away(&mut browser, &ada.token).await;
    scene
        .app
        .by(&ada.token, "POST", "/v1/auth/logout", &NONE)
        .await;
    assert_eq!(scene.settled(&mut browser, &away).await, invalid);
    // The cause of its end does not matter, nor does another login of the same account.
    let old = scene.app.login(ADA).await;
    let away = scene.away(&mut browser, &old.token).await;
    let body = json!({ "current_password": PASSWORD, "new_password": "another one" });
    scene
        .app
        .by(&old.token, "POST", "/v1/me/password", &body)
        .await;
    let body = json!({ "email": ADA, "password": "another one" });
    let new = scene
        .app
        .without_credential("POST", "/v1/auth/login", &body)
        .await;
    assert_eq!(new.status, 200);
    assert_eq!(scene.settled(&mut browser, &away).await, invalid);
    let shut_out = scene
        .away(&mut browser, new.json["token"].as_str().unwrap())
        .await;
    let path = format!("/v1/admin/users/{}/active", ada.user);
    scene
        .app
        .by(&scene.app.token, "PUT", &path, &json!({ "active": false }))
        .await;
    assert_eq!(scene.settled(&mut browser, &shut_out).await, invalid);
    let identities = sqlx::query_scalar("SELECT count(*) FROM oauth_providers");
    let identities: i64 = identities.fetch_one(&scene.app.pool).await.unwrap();
    assert_eq!(identities, 0);
}

/// Otherwise a page could connect its visitor's identity to its own account, or its own identity to its visitor's account.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn only_the_browser_that_started_can_connect_an_identity(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let (ada, bob) = (
        scene.app.sign_up(ADA).await,
        scene.app.sign_up("bob@locule.test").await,
    );
    let (mut hers, mut his) = (Browser::new(), Browser::new());
    let her_way = scene.away(&mut hers, &ada.token).await;
    let his_way = scene.away(&mut his, &bob.token).await;
    let end = Browser::new().open(&her_way).await;
    assert!(
        end.ends_with("/auth/github/callback?error=invalid_state"),
        "{end}"
    );
    let invalid = "connect_error=invalid_state";
    assert_eq!(scene.settled(&mut his.clone(), &her_way).await, invalid);
    // With her state, and his cookie.
    let mut mixed = his.clone();
    mixed.steal(&hers, "locule_oauth_state");
    assert_eq!(scene.settled(&mut mixed, &her_way).await, invalid);
    // A sign-in does not continue an earlier connection.
    let end = scene.come_in(&mut his.clone(), "login").await;
    assert_eq!(end, "/auth/github/callback?error=no_account");
    assert_eq!(scene.settled(&mut his, &his_way).await, "connected=github");
    let end = hers.open(&scene.begin("login")).await;
    assert!(end.ends_with("/auth/github/callback"), "{end}");
    assert_eq!(scene.signed(&hers).user, bob.user);
    assert_eq!(scene.me(&ada.token).await["providers"], json!([]));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_last_sign_in_method_cannot_be_removed(pool: PgPool) {
    let scene = Scene::new(pool).await;
    let ada = scene.signed_in(&mut Browser::new(), "signup").await;
    let last = scene.disconnect(&ada.token).await;
    assert_eq!(code(&last), (400, "last_login_method"));
    let password = async |token: &str, body: Value| {
        let answer = scene.app.by(token, "POST", "/v1/me/password", &body);
        answer.await
    };
    for bad in [
        json!({ "new_password": PASSWORD }),
        json!({ "new_password": PASSWORD, "current_password": PASSWORD }),
        json!({ "new_password": PASSWORD, "confirm_password": "another one" }),
        json!({ "new_password": "short", "confirm_password": "short" }),
    ] {
        let refused = password(&ada.token, bad).await;
        assert_eq!(code(&refused), (400, "invalid_request"));
    }
    let good = json!({ "new_password": PASSWORD, "confirm_password": PASSWORD });
    assert_eq!(password(&ada.token, good.clone()).await.status, 200);
    // A new password ends every login.
    assert_eq!(
        code(&password(&ada.token, good.clone()).await),
        (401, "unauthorized")
    );
    let again = scene.app.login(ADA).await;
    assert_eq!(again.user, ada.user);
    assert_eq!(scene.me(&again.token).await["has_password"], true);
    assert_eq!(
        code(&password(&again.token, good).await),
        (400, "invalid_request")
    );
    assert_eq!(scene.disconnect(&again.token).await.status, 204);
    scene.app.login(ADA).await;
}
