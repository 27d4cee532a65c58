//! Invalid requests about accounts, teams, keys and lists: each is refused as invalid, and unknown fields are ignored.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App, PASSWORD, Signed};
use crate::host_agents::{Agent, by_agent};

fn refused(answer: &Answer, shown: &str) {
    assert_eq!(answer.status, 400, "{shown}: {}", answer.json);
    // The envelope of either dialect.
    let code = answer.json["error"]["code"].as_str();
    let code = code.or(answer.json["error_code"].as_str());
    assert_eq!(code, Some("invalid_request"), "{shown}");
}

/// The fields of a body's schema, with those of referenced schemas.
fn fields<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a str> {
    if let Some(name) = schema["$ref"].as_str() {
        let path = name.trim_start_matches('#');
        return fields(document, document.pointer(path).unwrap());
    }
    let parts = schema["oneOf"].as_array().into_iter().flatten();
    let own = schema["properties"].as_object().into_iter().flatten();
    let own = own.map(|(name, _)| name.as_str());
    parts
        .flat_map(|part| fields(document, part))
        .chain(own)
        .collect()
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_operation_refuses_a_field_of_the_wrong_type(pool: PgPool) {
    let app = App::start(pool).await;
    let me = app.by(&app.token, "GET", "/v1/me", &Value::Null).await;
    let person = Signed::of(&me.json);
    let (running, paused) = (app.sandbox().await, app.sandbox().await);
    app.call("POST", &format!("/v1/sandboxes/{paused}/pause"), "")
        .await;
    let agent = Agent::registered(&app).await;
    let document = serde_json::to_value(locule_http::document()).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let about = match path.split("/{id}").next().unwrap() {
            "/v1/teams" | "/v1/admin/teams" => &person.team,
            "/v1/admin/users" => &person.user,
            "/v1/hosts" => &agent.id,
            _ if path.ends_with("/resume") => &paused,
            _ => &running,
        };
        let uri = path
            .replace("{id}", about)
            .replace("{user_id}", &person.user);
        for (method, operation) in item.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            for field in fields(&document, schema) {
                // A list of objects is no string, no number, no list of strings or numbers, and no object.
                let body = json!({ field: [{}] });
                let answer = if path.ends_with("/heartbeat") {
                    by_agent(&app, &agent.token, &uri, &body).await
                } else {
                    app.by(&app.token, &method.to_uppercase(), &uri, &body)
                        .await
                };
                refused(&answer, &format!("{method} {path} {body}"));
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
}

/// W-038
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_operation_refuses_hostile_text(pool: PgPool) {
    let app = App::start(pool).await;
    let team = Signed::of(&app.by(&app.token, "GET", "/v1/me", &Value::Null).await.json).team;
    let (team, members) = (
        format!("/v1/teams/{team}"),
        format!("/v1/teams/{team}/members"),
    );
    let long = "x".repeat(1024);
    for (method, path, body) in [
        ("PATCH", "/v1/me", json!({ "name": "a\u{0}" })),
        ("PATCH", "/v1/me", json!({ "name": "\u{1b}[31mred" })),
        ("PATCH", "/v1/me", json!({ "name": "line\n" })),
        ("PATCH", "/v1/me", json!({ "name": "x".repeat(101) })),
        ("POST", "/v1/teams", json!({ "name": "a\u{7}b" })),
        ("POST", "/v1/teams", json!({ "name": "\ta" })),
        ("PATCH", &team, json!({ "name": "a\u{0}" })),
        ("PATCH", &team, json!({ "name": long })),
        ("POST", "/v1/api-keys", json!({ "name": "a\u{7f}b" })),
        ("POST", "/v1/api-keys", json!({ "name": "\n" })),
        ("POST", "/v1/api-keys", json!({ "name": long })),
        ("POST", &members, json!({ "email": "ädä@locule.test" })),
        ("POST", &members, json!({ "email": "ada@lоcule.test" })), // a Cyrillic letter
        (
            "POST",
            "/v1/auth/login",
            json!({ "email": "ada@locule.test", "password": long }),
        ),
        (
            "POST",
            "/v1/auth/login",
            json!({ "email": "ada\u{202e}@locule.test", "password": PASSWORD }),
        ),
        (
            "POST",
            "/v1/me/password",
            json!({ "current_password": PASSWORD, "new_password": long }),
        ),
        (
            "POST",
            "/v1/me/password",
            json!({ "current_password": long, "new_password": PASSWORD }),
        ),
        (
            "POST",
            "/v1/me/password/reset",
            json!({ "email": "ädä@locule.test" }),
        ),
        (
            "POST",
            "/v1/me/password/reset/confirm",
            json!({ "token": "x", "new_password": long }),
        ),
        ("GET", "/v1/users/search?email=%C3%A4d%40", Value::Null),
        ("GET", "/v1/users/search?email=%00a%40", Value::Null),
    ] {
        let answer = app.by(&app.token, method, path, &body).await;
        let shown = body.to_string();
        refused(
            &answer,
            &format!("{method} {path} {}", &shown[..shown.len().min(80)]),
        );
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn limits_and_dates_outside_of_the_database_range_are_refused(pool: PgPool) {
    let app = App::start(pool).await;
    let token = "9223372036854775808.6dfzh5ik5uxynzmlf5cshamdk";
    let times = [
        "-262142-01-01T00:00:00Z",
        "%2B262142-01-01T00:00:00Z",
        "soon",
    ];
    let mut queries = vec![
        "/v2/sandboxes?template=%00".to_owned(),
        "/v2/sandboxes?template=a:b".to_owned(),
        "/v2/sandboxes?metadata=a%00".to_owned(),
        "/v2/sandboxes?metadata=a%2500=b".to_owned(),
        "/sandboxes?metadata=a%3D%2500".to_owned(),
        format!("/v2/sandboxes?nextToken={token}"),
        format!("/v2/sandboxes?nextToken=-{token}"),
        "/v1/audit-logs?before=-9223372036854775808.6dfzh5ik5uxynzmlf5cshamdk".to_owned(),
        "/v1/audit-logs?action=%00".to_owned(),
    ];
    queries.extend(times.map(|time| format!("/v2/sandboxes?startedAfter={time}")));
    for query in queries {
        let answer = app.by(&app.token, "GET", &query, &Value::Null).await;
        refused(&answer, &query);
    }
    for time in ["+262142-12-31T23:59:59Z", "2000-01-01T00:00:00Z", "soon"] {
        let body = json!({ "expires_at": time });
        let answer = app.by(&app.token, "POST", "/v1/api-keys", &body).await;
        refused(&answer, time);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn unknown_fields_of_account_requests_are_ignored(pool: PgPool) {
    let app = App::start(pool).await;
    let surprise = json!({ "a": [1] });
    for (method, path, body, status) in [
        (
            "POST",
            "/v1/auth/signup",
            json!({ "email": "ada@locule.test", "password": PASSWORD, "name": "Ädä ☃" }),
            201,
        ),
        (
            "POST",
            "/v1/auth/login",
            json!({ "email": "ada@locule.test", "password": PASSWORD }),
            200,
        ),
        ("PATCH", "/v1/me", json!({ "name": "Ada Lovelace" }), 200),
        ("POST", "/v1/teams", json!({ "name": "Ada's" }), 201),
        ("POST", "/v1/api-keys", json!({ "name": "ключ" }), 201),
        (
            "POST",
            "/v1/me/password/reset",
            json!({ "email": "ada@locule.test" }),
            204,
        ),
    ] {
        let mut body = body;
        body["surprise"] = surprise.clone();
        let answer = app.by(&app.token, method, path, &body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.json);
    }
}
