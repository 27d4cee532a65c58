//! The list of a person's logins, and their end.

use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{App, EMAIL, PASSWORD, Signed};

const NONE: Value = Value::Null;
const SESSIONS: &str = "/v1/me/sessions";

async fn login(app: &App, address: &str, client: &str) -> Signed {
    let body = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    let request = Request::post("/v1/auth/login")
        .header("content-type", "application/json")
        .header("x-forwarded-for", address)
        .header("user-agent", client);
    let answer = app.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    Signed::of(&answer.json)
}

async fn listed(app: &App, token: &str) -> Vec<Value> {
    let answer = app.by(token, "GET", SESSIONS, &NONE).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    answer.json["items"].as_array().unwrap().clone()
}

async fn is_valid(app: &App, token: &str) -> bool {
    app.by(token, "GET", "/v1/me", &NONE).await.status == 200
}

fn path(session: &Value) -> String {
    format!("{SESSIONS}/{}", session["id"].as_str().unwrap())
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_person_sees_where_each_login_came_from(pool: PgPool) {
    let app = App::start_behind_proxy(pool, |_| {}).await;
    let long = "x".repeat(1000);
    login(&app, "192.0.2.1", &long).await;
    let last = login(&app, "2001:db8:1:2:3::4", "Mozilla/5.0 (X11)\tFirefox/145").await;
    let all = listed(&app, &last.token).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0]["client"], "Mozilla/5.0 (X11)Firefox/145");
    assert_eq!(all[0]["address"], "2001:db8:1:2::");
    assert_eq!(all[1]["address"], "192.0.2.1");
    assert_eq!(all[1]["client"].as_str().unwrap(), &long[..200]);
    // The sign-up of the test told neither.
    assert_eq!((&all[2]["client"], &all[2]["address"]), (&NONE, &NONE));
    let current: Vec<_> = all
        .iter()
        .map(|one| one["current"].as_bool().unwrap())
        .collect();
    assert_eq!(current, [true, false, false]);
    assert!(all[0]["last_used_at"].is_string());
    assert!(all[0]["expires_at"].as_str() > all[0]["created_at"].as_str());
    let stranger = app.sign_up("bob@locule.test").await;
    assert_eq!(listed(&app, &stranger.token).await.len(), 1);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_person_ends_logins_of_the_own_account_only(pool: PgPool) {
    let app = App::start_behind_proxy(pool, |_| {}).await;
    let here = login(&app, "192.0.2.1", "one").await;
    let [one, two, three] = [
        login(&app, "192.0.2.2", "two").await,
        login(&app, "192.0.2.3", "three").await,
        login(&app, "192.0.2.4", "four").await,
    ];
    let bob = app.sign_up("bob@locule.test").await;
    let of_bob = path(&listed(&app, &bob.token).await[0]);
    let all = listed(&app, &here.token).await;
    let of_three = path(&all[0]);
    for missing in [
        of_bob.as_str(),
        "/v1/me/sessions/ses-00000000-0000-4000-8000-000000000000",
    ] {
        let answer = app.by(&here.token, "DELETE", missing, &NONE).await;
        assert_eq!(answer.status, 404, "{missing}: {}", answer.json);
    }
    assert!(is_valid(&app, &bob.token).await);
    for status in [204, 404] {
        let answer = app.by(&here.token, "DELETE", &of_three, &NONE).await;
        assert_eq!(answer.status, status, "{}", answer.json);
    }
    assert!(!is_valid(&app, &three.token).await);
    // The first login of the test, and two of the three.
    let answer = app.by(&here.token, "DELETE", SESSIONS, &NONE).await;
    assert_eq!(answer.status, 204);
    for ended in [&one.token, &two.token, &app.token] {
        assert!(!is_valid(&app, ended).await);
    }
    assert!(is_valid(&app, &here.token).await);
    assert_eq!(listed(&app, &here.token).await.len(), 1);
    // Nothing is left to end, so nothing is recorded.
    app.by(&here.token, "DELETE", SESSIONS, &NONE).await;
    let log = "/v1/admin/audit-logs?action=session_end";
    let log = app.by(&here.token, "GET", log, &NONE).await;
    let entries = log.json["items"].as_array().unwrap().iter();
    let ended: Vec<_> = entries.map(|entry| &entry["metadata"]["count"]).collect();
    assert_eq!(ended, [3, 1]);
    let own = path(&listed(&app, &here.token).await[0]);
    let answer = app.by(&here.token, "DELETE", &own, &NONE).await;
    assert_eq!(answer.status, 204);
    assert!(!is_valid(&app, &here.token).await);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_renewed_token_is_for_the_same_team_and_says_when_it_ends(pool: PgPool) {
    let app = App::start(pool).await;
    let answer = app.by(&app.token, "POST", "/v1/auth/renew", &NONE).await;
    assert_eq!(answer.status, 200, "{}", answer.json);
    let renewed = Signed::of(&answer.json);
    assert!(answer.json["expires_at"].is_string());
    let me = app.by(&renewed.token, "GET", "/v1/me", &NONE).await;
    assert_eq!(me.json["team_id"], renewed.team);
    assert!(is_valid(&app, &app.token).await);
    let as_key = app.call("POST", "/v1/auth/renew", "").await;
    assert_eq!(as_key.status, 401);
}
