//! Failed logins: they refuse only the origin that failed, and tell nothing about accounts.

use std::time::Duration;

use http::Request;
use locule_control::{ControlConfig, Rate};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, EMAIL, PASSWORD, Signed};

const WRONG: &str = "not this one";
const HOME: &str = "192.0.2.1";

const fn twice() -> Rate {
    Rate {
        count: 2,
        per: Duration::from_mins(10),
    }
}

fn two_failures(config: &mut ControlConfig) {
    config.accounts.rates.login_by_account_and_origin = twice();
    config.accounts.rates.login_by_account = twice();
}

/// Logs in from an address, with the token of an earlier login unless it is empty.
async fn login(app: &App, from: &str, email: &str, password: &str, earlier: &str) -> Answer {
    let mut request = Request::post("/v1/auth/login")
        .header("content-type", "application/json")
        .header("x-forwarded-for", from);
    if !earlier.is_empty() {
        request = request.header("authorization", format!("Bearer {earlier}"));
    }
    let body = json!({ "email": email, "password": password });
    app.send(request.body(body.to_string().into()).unwrap())
        .await
}

async fn status(app: &App, from: &str, password: &str) -> u16 {
    login(app, from, EMAIL, password, "").await.status.as_u16()
}

/// W-038: other clients may fail for an account as often as they like; its owner still logs in.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn failed_logins_from_elsewhere_never_refuse_the_right_password(pool: PgPool) {
    let app = App::start_behind_proxy(pool, two_failures).await;
    assert_eq!(status(&app, HOME, PASSWORD).await, 200);
    for number in 1..5 {
        let from = format!("203.0.113.{number}");
        for expected in [401, 401, 429] {
            assert_eq!(status(&app, &from, WRONG).await, expected, "{from}");
        }
        // The origin is refused, whatever it sends.
        assert_eq!(status(&app, &from, PASSWORD).await, 429, "{from}");
    }
    for _ in 0..3 {
        assert_eq!(status(&app, HOME, PASSWORD).await, 200);
        // An address that the account never used waits, and is not refused.
        assert_eq!(status(&app, "198.51.100.7", PASSWORD).await, 200);
    }
}

/// An earlier login, also one that has ended, has a limit of its own: it is not refused for what others do at its address.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_earlier_login_of_the_account_has_a_limit_of_its_own(pool: PgPool) {
    let app = App::start_behind_proxy(pool, two_failures).await;
    let first = login(&app, HOME, EMAIL, PASSWORD, "").await;
    let earlier = Signed::of(&first.json).token;
    app.by(&earlier, "POST", "/v1/auth/logout", &Value::Null)
        .await;
    for expected in [401, 401, 429] {
        assert_eq!(status(&app, HOME, WRONG).await, expected);
    }
    let stranger = app.sign_up("stranger@locule.test").await.token;
    for (token, expected) in [
        ("", 429),
        ("nonsense", 429),
        (stranger.as_str(), 429),
        (earlier.as_str(), 200),
    ] {
        let answer = login(&app, HOME, EMAIL, PASSWORD, token).await;
        assert_eq!(answer.status, expected, "{}", answer.json);
    }
    for expected in [401, 401, 429] {
        let answer = login(&app, HOME, EMAIL, WRONG, &earlier).await;
        assert_eq!(answer.status, expected);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn right_passwords_are_not_counted(pool: PgPool) {
    let app = App::start_behind_proxy(pool, |config| {
        two_failures(config);
        config.accounts.rates.login_by_address = twice();
    })
    .await;
    for _ in 0..4 {
        assert_eq!(status(&app, HOME, PASSWORD).await, 200);
    }
    // The address has failures of other accounts, and this account logged in from it before.
    for number in 0..2 {
        let email = format!("{number}@locule.test");
        let answer = login(&app, HOME, &email, WRONG, "").await;
        assert_eq!(answer.status, 401);
    }
    let answer = login(&app, HOME, "third@locule.test", WRONG, "").await;
    assert_eq!(answer.status, 429);
    assert_eq!(status(&app, HOME, PASSWORD).await, 200);
}

/// W-038: an account that does not exist is answered, counted and recorded as one that does.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn failed_logins_tell_nothing_about_accounts(pool: PgPool) {
    let app = App::start_behind_proxy(pool, two_failures).await;
    let mut answers = Vec::new();
    for email in [EMAIL, "unknown@locule.test"] {
        let mut told = Vec::new();
        for from in ["203.0.113.1", "203.0.113.2"] {
            for _ in 0..3 {
                let answer = login(&app, from, email, WRONG, "").await;
                told.push((answer.status, answer.json));
            }
        }
        answers.push(told);
    }
    assert_eq!(answers[0], answers[1]);
    let log = "/v1/admin/audit-logs?action=login_failed";
    let log = app.by(&app.token, "GET", log, &Value::Null).await;
    let entries = log.json["items"].as_array().unwrap();
    // One for each account and address, however often it failed.
    assert_eq!(entries.len(), 4, "{}", log.json);
    let known = entries
        .iter()
        .filter(|entry| entry["resource_id"].is_string());
    assert_eq!(known.count(), 2);
    assert_eq!(entries[0]["metadata"]["address"], "203.0.113.2");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_log_of_the_platform_has_logins_and_passwords(pool: PgPool) {
    let app = App::start_behind_proxy(pool, |_| {}).await;
    let answer = login(&app, HOME, EMAIL, PASSWORD, "").await;
    let token = Signed::of(&answer.json).token;
    let body = json!({ "current_password": PASSWORD, "new_password": "another one" });
    let changed = app.by(&token, "POST", "/v1/me/password", &body).await;
    assert!(changed.status.is_success(), "{}", changed.json);
    let answer = login(&app, HOME, EMAIL, "another one", "").await;
    let token = Signed::of(&answer.json).token;
    let log = "/v1/admin/audit-logs?resource_type=user";
    let log = app.by(&token, "GET", log, &Value::Null).await;
    let entries = log.json["items"].as_array().unwrap();
    let actions: Vec<_> = entries
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions[..3], ["login", "password_change", "login"]);
    assert_eq!(entries[0]["metadata"], json!({ "address": HOME }));
    assert_eq!(entries[0]["actor_id"], entries[0]["resource_id"]);
}
