//! One's own account against a thief of its token: what a new password names, what a deletion needs, and what a person may own.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, PASSWORD, Signed};

const NONE: Value = Value::Null;
const ADA: &str = "ada@locule.test";

fn code(answer: &Answer) -> (u16, &str) {
    let code = answer.json["error"]["code"].as_str().unwrap_or_default();
    (answer.status.as_u16(), code)
}

async fn login(app: &App, password: &str) -> String {
    let body = json!({ "email": ADA, "password": password });
    let answer = app
        .without_credential("POST", "/v1/auth/login", &body)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    Signed::of(&answer.json).token
}

fn names(answer: &Answer) -> Vec<&str> {
    let keys = answer.json["api_keys"].as_array().unwrap().iter();
    keys.map(|key| key["name"].as_str().unwrap()).collect()
}

async fn connect_github(app: &App, number: &str) {
    let connect = "INSERT INTO oauth_providers (provider, provider_id, user_id, email, created_at)
                   SELECT 'github', $1, id, 'thief@evil.test', now() FROM users WHERE email = $2";
    let connect = sqlx::query(connect).bind(number).bind(ADA);
    connect.execute(&app.pool).await.unwrap();
}

/// A thief's token makes a key and connects an identity: a new password names both, and removes them on request.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_new_password_names_and_removes_what_was_added_since_the_last(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up(ADA).await;
    app.new_key(&ada.token, &json!({ "name": "before" })).await;
    let change = async |token: &str, current: &str, new: &str, remove: bool| {
        let body =
            json!({ "current_password": current, "new_password": new, "remove_added": remove });
        app.by(token, "POST", "/v1/me/password", &body).await
    };
    let first = change(&ada.token, PASSWORD, "the second one", false).await;
    assert_eq!(first.status, 200, "{}", first.json);
    assert_eq!(
        (names(&first), &first.json["removed"]),
        (vec!["before"], &json!(false))
    );
    assert_eq!(first.json["providers"], json!([]));

    let token = login(&app, "the second one").await;
    let stolen = app.new_key(&token, &json!({ "name": "stolen" })).await;
    connect_github(&app, "7").await;
    let second = change(&token, "the second one", "the third one", false).await;
    assert_eq!(names(&second), ["stolen"], "the key of before is known");
    let provider = &second.json["providers"][0];
    assert_eq!(
        (&provider["provider"], &provider["email"]),
        (&json!("github"), &json!("thief@evil.test"))
    );
    assert_eq!(
        app.call_as(&stolen, "GET", "/v1/sandboxes", "")
            .await
            .status,
        200
    );

    let token = login(&app, "the third one").await;
    let again = app.new_key(&token, &json!({ "name": "again" })).await;
    sqlx::query("UPDATE oauth_providers SET created_at = now()")
        .execute(&app.pool)
        .await
        .unwrap();
    let third = change(&token, "the third one", "the fourth one", true).await;
    assert_eq!(
        (names(&third), &third.json["removed"]),
        (vec!["again"], &json!(true))
    );
    assert_eq!(third.json["providers"].as_array().unwrap().len(), 1);
    assert_eq!(
        app.call_as(&again, "GET", "/v1/sandboxes", "").await.status,
        401
    );
    let token = login(&app, "the fourth one").await;
    let me = app.by(&token, "GET", "/v1/me", &NONE).await;
    assert_eq!(me.json["providers"], json!([]));
    let log = app
        .by(&token, "GET", "/v1/audit-logs?action=revoke", &NONE)
        .await;
    assert_eq!(log.json["items"].as_array().unwrap().len(), 1);
}

/// A stolen token deletes nothing, unless it was issued a moment ago.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn deleting_an_account_needs_the_password_or_a_fresh_login(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up(ADA).await;
    let age = "UPDATE sessions SET created_at = created_at - interval '11 minutes', expires_at = expires_at - interval '11 minutes'";
    sqlx::query(age).execute(&app.pool).await.unwrap();
    let delete = async |body: Value| app.by(&ada.token, "DELETE", "/v1/me", &body).await;
    let old = delete(json!({ "confirmation": ADA })).await;
    assert_eq!(code(&old), (403, "recent_login_required"));
    let wrong = delete(json!({ "confirmation": ADA, "current_password": "not this one" })).await;
    assert_eq!(code(&wrong), (401, "wrong_password"));
    let gone = delete(json!({ "confirmation": ADA, "current_password": PASSWORD })).await;
    assert_eq!(gone.status, 204, "{}", gone.json);
    app.sign_up(ADA).await;
}

/// Others may add an account to as many teams as they like: its owner still deletes it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_account_in_very_many_teams_is_deleted_at_once(pool: PgPool) {
    let app = App::start(pool).await;
    let ada = app.sign_up(ADA).await;
    let many = [
        "INSERT INTO teams (id, name, slug, created_at) SELECT gen_random_uuid(), 'many', 'many-' || n, now() FROM generate_series(1, 1500) n",
        "INSERT INTO users_teams (team_id, user_id, role, created_at)
         SELECT t.id, u.id, 'member', now() FROM teams t, users u WHERE t.name = 'many' AND u.email = 'ada@locule.test'",
    ];
    for sql in many {
        sqlx::query(sql).execute(&app.pool).await.unwrap();
    }
    let body = json!({ "confirmation": ADA });
    let gone = app.by(&ada.token, "DELETE", "/v1/me", &body).await;
    assert_eq!(gone.status, 204, "{}", gone.json);
    let count = async |sql: &'static str| -> i64 {
        sqlx::query_scalar(sql).fetch_one(&app.pool).await.unwrap()
    };
    let left =
        "SELECT count(*) FROM users_teams m JOIN teams t ON t.id = m.team_id WHERE t.name = 'many'";
    assert_eq!(count(left).await, 0);
    let told =
        "SELECT count(*) FROM audit_logs WHERE resource_type = 'member' AND action = 'leave'";
    assert_eq!(count(told).await, 1500);
    let told = "SELECT count(*) FROM audit_logs WHERE resource_type = 'user' AND action = 'delete'";
    assert_eq!(count(told).await, 1);
}

/// Teams and keys have limits that concurrent requests do not exceed, and rates.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn what_a_person_owns_and_how_fast_is_limited(pool: PgPool) {
    let app = App::start_with(pool, |config| {
        let accounts = &mut config.accounts;
        accounts.limits.teams_owned_max = 3;
        accounts.limits.keys_per_team_max = 2;
        accounts.rates.create_team_by_account.count = 9;
        accounts.rates.create_key_by_account.count = 9;
    })
    .await;
    let ada = app.sign_up(ADA).await;
    for (path, body, made, why) in [
        (
            "/v1/teams",
            json!({ "name": "New" }),
            2,
            "the limit of 3 teams of an account is reached",
        ),
        (
            "/v1/api-keys",
            json!({}),
            2,
            "the limit of 2 API keys of a team is reached",
        ),
    ] {
        let tries = (0..6).map(|_| app.by(&ada.token, "POST", path, &body));
        let answers = futures::future::join_all(tries).await;
        let (ok, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(ok.len(), made, "{path}");
        for answer in refused {
            assert_eq!(code(answer), (429, "quota_exceeded"), "{path}");
            assert_eq!(answer.json["error"]["message"], why);
        }
        for _ in 0..3 {
            let more = app.by(&ada.token, "POST", path, &body).await;
            assert_eq!(code(&more), (429, "quota_exceeded"), "{path}");
        }
        let often = app.by(&ada.token, "POST", path, &body).await;
        assert_eq!(code(&often), (429, "rate_limited"), "{path}");
    }
    // Another person has limits of its own.
    let bob = app.sign_up("bob@locule.test").await;
    let made = app
        .by(&bob.token, "POST", "/v1/teams", &json!({ "name": "New" }))
        .await;
    assert_eq!(made.status, 201, "{}", made.json);
}
