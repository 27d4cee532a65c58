//! Files that are moved, looked at, and read and written by signed addresses.

use axum::body::Body;
use http::Request;
use locule_http::{Names, Origin};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App};
use crate::hosts::{request, started_with};

fn put(app: &App, path: &str, text: &str) {
    let mut files = app.guest.files.lock().unwrap();
    files.insert(path.to_owned(), text.as_bytes().to_vec());
}

fn content(app: &App, path: &str) -> Option<String> {
    let files = app.guest.files.lock().unwrap();
    let bytes = files.get(path)?.clone();
    Some(String::from_utf8(bytes).unwrap())
}

async fn ask(app: &App, id: &str, what: &str, body: &Value) -> Answer {
    let path = format!("/v1/sandboxes/{id}/files/{what}");
    app.call("POST", &path, &body.to_string()).await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_move_replaces_a_file_only_when_it_is_asked_to(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    put(&app, "/a", "first");
    put(&app, "/b", "second");
    let to_b = json!({ "from": "/a", "to": "/b" });
    let refused = ask(&app, &id, "move", &to_b).await;
    assert_eq!(refused.status, 409, "{}", refused.json);
    assert_eq!(refused.json["error"]["code"], "conflict");
    assert_eq!(content(&app, "/b").as_deref(), Some("second"));
    let forced = json!({ "from": "/a", "to": "/b", "overwrite": true });
    let moved = ask(&app, &id, "move", &forced).await;
    assert_eq!(moved.status, 200, "{}", moved.json);
    assert_eq!(moved.json["entry"]["path"], "/b");
    assert_eq!(content(&app, "/b").as_deref(), Some("first"));
    assert_eq!(content(&app, "/a"), None);
    let missing = ask(&app, &id, "move", &to_b).await;
    assert_eq!(missing.status, 404);
    let empty = ask(&app, &id, "move", &json!({ "from": "/b", "to": "" })).await;
    assert_eq!(empty.status, 400);
    let seen = ask(&app, &id, "stat", &json!({ "path": "/b" })).await;
    assert_eq!(seen.json["entry"]["size"], 5, "{}", seen.json);
    assert_eq!(seen.json["entry"]["type"], "file");
}

/// Splits a URL into its host and the rest.
pub(crate) fn parts(url: &str) -> (String, String) {
    let (_, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (host.to_owned(), path.to_owned())
}

async fn signed(app: &App, token: &str, id: &str, host: &str, body: &Value) -> Answer {
    let path = format!("/v1/sandboxes/{id}/files/sign");
    let request = Request::post(path)
        .header("host", host)
        .header("x-api-key", token)
        .header("content-type", "application/json");
    app.send_as_it_is(request.body(Body::from(body.to_string())).unwrap())
        .await
}

async fn follow(app: &App, method: &str, url: &str) -> Answer {
    let (host, path) = parts(url);
    request(app, method, &path, &[("host", &host)]).await
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_signed_address_saves_a_file_without_a_credential_until_its_caller_loses_the_right(
    pool: PgPool,
) {
    let app = App::start_with(pool, |config| {
        config.sandboxes.recheck = std::time::Duration::ZERO;
    })
    .await;
    let id = app.sandbox().await;
    put(&app, "/a b", "text");
    let body = json!({ "name": "signer" });
    let made = app.by(&app.token, "POST", "/v1/api-keys", &body).await;
    let key = made.json["key"].as_str().unwrap();
    let body = json!({ "path": "/a b", "operation": "read", "expires_in_sec": 60 });
    // Through a loopback name by the host name of the port, and else at the address of the API.
    for (host, begin) in [
        (
            "127.0.0.1:8000",
            format!("http://49983-{id}.localhost:8000/files?path=/a%20b&"),
        ),
        ("localhost", format!("http://49983-{id}.localhost/files?")),
    ] {
        let answer = signed(&app, key, &id, host, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        let url = answer.json["url"].as_str().unwrap();
        assert!(url.starts_with(&begin), "{url}");
        let read = follow(&app, "GET", url).await;
        assert_eq!(read.body, b"text", "{}", read.status);
        let saved = &read.headers["content-disposition"];
        assert_eq!(saved, "attachment; filename*=UTF-8''a%20b");
        assert_eq!(read.headers["x-content-type-options"], "nosniff");
        assert_eq!(follow(&app, "POST", url).await.status, 401);
    }
    let write = json!({ "path": "/new", "operation": "write" });
    let answer = signed(&app, key, &id, "localhost", &write).await;
    let url = answer.json["url"].as_str().unwrap().to_owned();
    assert_eq!(follow(&app, "GET", &url).await.status, 401);
    assert_eq!(follow(&app, "POST", &url).await.status, 200);
    assert_eq!(content(&app, "/new").as_deref(), Some(""));
    let gone = format!("/v1/api-keys/{}", made.json["id"].as_str().unwrap());
    app.by(&app.token, "DELETE", &gone, &Value::Null).await;
    assert_eq!(follow(&app, "POST", &url).await.status, 401);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_signed_address_is_at_the_api_where_ports_have_no_host_names(pool: PgPool) {
    let names = Names {
        public: Origin::of_url("https://locule.test").ok(),
        ..Names::default()
    };
    let app = started_with(pool, names).await;
    let id = app.sandbox().await;
    put(&app, "/x", "text");
    let body = json!({ "path": "/x", "operation": "read" });
    let answer = signed(&app, &app.key, &id, "locule.test", &body).await;
    let url = answer.json["url"].as_str().unwrap();
    assert!(url.starts_with("https://locule.test/files?"), "{url}");
    let read = follow(&app, "GET", url).await;
    assert_eq!(read.body, b"text");
    assert_eq!(read.headers["content-security-policy"], "sandbox");
    assert!(read.headers.contains_key("content-disposition"));
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_address_is_signed_for_a_caller_that_may_use_the_sandbox_and_within_its_bounds(
    pool: PgPool,
) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let body =
        |seconds: i64| json!({ "path": "/x", "operation": "read", "expires_in_sec": seconds });
    for (seconds, status) in [(0, 400), (604_801, 400), (604_800, 200)] {
        let answer = ask(&app, &id, "sign", &body(seconds)).await;
        assert_eq!(answer.status, status, "{seconds}: {}", answer.json);
    }
    let unknown = json!({ "path": "/x", "operation": "append" });
    assert_eq!(ask(&app, &id, "sign", &unknown).await.status, 400);
    let reader = app.new_key(&app.token, &json!({ "scope": "read" })).await;
    let answer = signed(&app, &reader, &id, "localhost", &body(60)).await;
    assert_eq!(answer.status, 403, "{}", answer.json);
    let end = format!("/v1/sandboxes/{id}");
    assert_eq!(app.call("DELETE", &end, "").await.status, 204);
    assert_eq!(ask(&app, &id, "sign", &body(60)).await.status, 409);
}
