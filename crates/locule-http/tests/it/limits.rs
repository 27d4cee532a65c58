//! Rate limits with `Retry-After`, and quotas of a team.

use std::time::Duration;

use locule_control::Rate;
use locule_domain::Quota;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{App, EMAIL};

const ONCE: Rate = Rate {
    count: 1,
    per: Duration::from_mins(10),
};

fn refused(answer: &crate::app::Answer, shown: &str) {
    assert_eq!(answer.status, 429, "{shown}: {}", answer.json);
    assert_eq!(answer.json["error"]["code"], "rate_limited", "{shown}");
    let wait: u64 = answer.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=601).contains(&wait), "{shown}: {wait}");
}

/// W-038.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn too_many_login_attempts_are_refused_with_retry_after(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.accounts.rates.login_by_account_and_origin = ONCE;
        config.accounts.rates.addresses_by_person = ONCE;
        config.accounts.rates.sign_up_by_address = Rate { count: 2, ..ONCE };
    })
    .await;
    let login = |email: &str| json!({ "email": email, "password": "not this one" });
    let first = app
        .without_credential("POST", "/v1/auth/login", &login(EMAIL))
        .await;
    assert_eq!(first.status, 401);
    let again = app
        .without_credential("POST", "/v1/auth/login", &login(EMAIL))
        .await;
    refused(&again, "login");
    let guess = json!({ "current_password": "not this one", "new_password": "long enough" });
    let guessed = app.by(&app.token, "POST", "/v1/me/password", &guess).await;
    assert_eq!(guessed.status, 401, "a session has a limit of its own");
    let guessed = app.by(&app.token, "POST", "/v1/me/password", &guess).await;
    refused(&guessed, "by a session");
    let other = app
        .without_credential("POST", "/v1/auth/login", &login("other@locule.test"))
        .await;
    assert_eq!(other.status, 401);
    let search = "/v1/users/search?email=a@b";
    assert_eq!(
        app.by(&app.token, "GET", search, &Value::Null).await.status,
        200
    );
    refused(
        &app.by(&app.token, "GET", search, &Value::Null).await,
        "search",
    );
    // An invitation tries an address too.
    let me = app.by(&app.token, "GET", "/v1/me", &Value::Null).await;
    let members = format!("/v1/teams/{}/members", me.json["team_id"].as_str().unwrap());
    let body = json!({ "email": "a@b.test" });
    let invited = app.by(&app.token, "POST", &members, &body).await;
    refused(&invited, "invitation");
    app.sign_up("second@locule.test").await;
    let third = json!({ "email": "third@locule.test", "password": "long enough", "name": "x" });
    refused(
        &app.without_credential("POST", "/v1/auth/signup", &third)
            .await,
        "sign-up",
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn login_attempts_are_counted_per_email_address(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.accounts.rates.login_by_address = Rate { count: 2, ..ONCE };
    })
    .await;
    for (number, status) in [(1, 401), (2, 401), (3, 429)] {
        let body = json!({ "email": format!("{number}@locule.test"), "password": "not this one" });
        let answer = app
            .without_credential("POST", "/v1/auth/login", &body)
            .await;
        assert_eq!(answer.status, status, "{number}");
    }
}

/// W-047: both dialects answer 429 and forbid a retry; a sandbox that ends frees its share of the quota.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_create_beyond_the_quota_of_the_team_is_refused(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.sandboxes.quota = Quota {
            sandboxes_max: 2,
            ..Quota::default()
        };
    })
    .await;
    let first = app.sandbox().await;
    app.sandbox().await;
    let refused = app.call("POST", "/v1/sandboxes", "{}").await;
    assert_eq!(refused.status, 429, "{}", refused.json);
    assert_eq!(refused.json["error"]["code"], "quota_exceeded");
    assert!(
        refused.json["error"]["message"]
            .as_str()
            .unwrap()
            .contains("2 running sandboxes")
    );
    assert_eq!(refused.headers["should-retry"], "false");
    let other = app
        .call("POST", "/v2/sandboxes", r#"{"templateID":"base"}"#)
        .await;
    assert_eq!(
        (other.status.as_u16(), &other.json["code"]),
        (429, &json!(429))
    );
    assert_eq!(other.headers["should-retry"], "false");
    // A paused sandbox does not count as a running one. Its resume makes it one again, and may be refused.
    let path = format!("/v1/sandboxes/{first}");
    app.call("POST", &format!("{path}/pause"), "").await;
    let second = app.sandbox().await;
    let resumed = app.call("POST", &format!("{path}/resume"), "").await;
    assert_eq!(resumed.json["error"]["code"], "quota_exceeded");
    app.call("DELETE", &format!("/v1/sandboxes/{second}"), "")
        .await;
    let resumed = app.call("POST", &format!("{path}/resume"), "").await;
    assert_eq!(resumed.json["status"], "running");
}

/// A pause that is refused has the error of every other quota, and changes nothing.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_pause_beyond_the_quota_of_the_team_is_refused(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.sandboxes.quota = Quota {
            paused_max: 1,
            ..Quota::default()
        };
    })
    .await;
    let (first, second) = (app.sandbox().await, app.sandbox().await);
    let pause = async |id: &str| {
        let path = format!("/v1/sandboxes/{id}/pause");
        app.call("POST", &path, "").await
    };
    assert_eq!(pause(&first).await.json["status"], "paused");
    let refused = pause(&second).await;
    assert_eq!(refused.status, 429, "{}", refused.json);
    assert_eq!(refused.json["error"]["code"], "quota_exceeded");
    let message = refused.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("limit of 1 paused sandboxes"), "{message}");
    let path = format!("/v1/sandboxes/{second}");
    assert_eq!(app.call("GET", &path, "").await.json["status"], "running");
    let other = app
        .call("POST", &format!("/sandboxes/{second}/pause"), "")
        .await;
    assert_eq!(
        (other.status.as_u16(), &other.json["code"]),
        (429, &json!(429))
    );
    let idle = r#"{"timeout_sec":60}"#;
    let refused = app.call("POST", "/v1/sandboxes", idle).await;
    assert_eq!(refused.json["error"]["code"], "quota_exceeded");
    app.call("DELETE", &format!("/v1/sandboxes/{first}"), "")
        .await;
    assert_eq!(pause(&second).await.json["status"], "paused");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_size_of_a_sandbox_and_the_rate_of_creates_are_limited(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.sandboxes.quota = Quota {
            vcpus_max: 3,
            memory_mib_max: 4096,
            creates_per_minute_max: 2,
            ..Quota::default()
        };
    })
    .await;
    for (body, what) in [
        (r#"{"vcpus":4}"#, "3 vCPUs"),
        (r#"{"memory_mb":4224}"#, "4096 MiB of memory"),
    ] {
        let refused = app.call("POST", "/v1/sandboxes", body).await;
        assert_eq!(refused.status, 429, "{}", refused.json);
        assert!(
            refused.json["error"]["message"]
                .as_str()
                .unwrap()
                .contains(what),
            "{}",
            refused.json
        );
    }
    app.sandbox().await;
    app.sandbox().await;
    refused(&app.call("POST", "/v1/sandboxes", "{}").await, "create");
}

/// The last place of a quota is given once.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn concurrent_creates_do_not_exceed_the_quota(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        config.sandboxes.quota = Quota {
            sandboxes_max: 3,
            ..Quota::default()
        };
    })
    .await;
    let tries = (0..12).map(|_| app.call("POST", "/v1/sandboxes", "{}"));
    let answers = futures::future::join_all(tries).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((made, app.host.count()), (3, 3));
}

/// Limits differ between teams.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_team_can_have_its_own_limits(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up("ada@locule.test").await;
    let key = app.new_key(&ada.token, &json!({})).await;
    let path = format!("/v1/admin/teams/{}/quota", ada.team);
    let set = async |body: Value| {
        app.by(&app.token, "PUT", &path, &body)
            .await
            .status
            .as_u16()
    };
    assert_eq!(set(json!({ "sandboxes_max": -1 })).await, 400);
    assert_eq!(set(json!({ "storage_mb_max": -1 })).await, 400);
    assert_eq!(set(json!({ "storage_mb_max": 0 })).await, 204);
    let refused = app.call_as(&key, "POST", "/v1/sandboxes", "{}").await;
    assert_eq!(refused.json["error"]["code"], "quota_exceeded");
    assert_eq!(set(json!({ "sandboxes_max": 0 })).await, 204);
    let refused = app.call_as(&key, "POST", "/v1/sandboxes", "{}").await;
    assert_eq!(refused.json["error"]["code"], "quota_exceeded");
    app.sandbox().await;
    assert_eq!(set(json!({})).await, 204);
    let made = app.call_as(&key, "POST", "/v1/sandboxes", "{}").await;
    assert_eq!(made.status, 201, "{}", made.json);
}
