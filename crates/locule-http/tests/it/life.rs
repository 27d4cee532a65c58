//! Create, pause, resume and destroy over both dialects; logging in; access to ports.

use axum::body::Body;
use http::Request;
use locule_ids::SandboxId;
use serde_json::json;
use sqlx::PgPool;

use crate::app::{App, EMAIL, PASSWORD};

/// D-01: `/v1/capsules` is the same resource.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_is_created_paused_resumed_and_destroyed_over_the_native_api(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let path = format!("/v1/capsules/{id}");
    let seen = app.call("GET", &path, "").await;
    assert_eq!(
        (seen.status.as_u16(), &seen.json["status"]),
        (200, &json!("running"))
    );
    let paused = app.call("POST", &format!("{path}/pause"), "").await;
    assert_eq!(
        (paused.status.as_u16(), &paused.json["status"]),
        (200, &json!("paused"))
    );
    let again = app.call("POST", &format!("{path}/pause"), "").await;
    assert_eq!(again.json["error"]["code"], "invalid_state");
    let resumed = app.call("POST", &format!("{path}/resume"), "").await;
    assert_eq!(resumed.json["status"], "running");
    assert_eq!(app.call("DELETE", &path, "").await.status, 204);
    assert_eq!(app.call("DELETE", &path, "").await.status, 204);
    let ended = app.call("GET", &path, "").await;
    assert_eq!(ended.json["status_reason"], "destroyed");
    assert_eq!(app.host.count(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_sandbox_is_created_paused_resumed_and_destroyed_over_the_e2b_dialect(pool: PgPool) {
    let app = App::start(pool).await;
    let body = json!({"templateID": "base", "timeout": 60, "metadata": {"a": "b c"}}).to_string();
    let made = app.call("POST", "/v2/sandboxes", &body).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let id = made.json["sandboxID"].as_str().unwrap().to_owned();
    SandboxId::from_base36(&id).unwrap();
    assert!(made.json["envdAccessToken"].is_string() && made.json["clientID"].is_string());
    assert!(made.json["trafficAccessToken"].is_null());
    let listed = app
        .call("GET", "/v2/sandboxes?metadata=a%3Db%252520c", "")
        .await;
    assert_eq!(listed.json[0]["sandboxID"], id.as_str());
    assert_eq!(listed.json[0]["state"], "running");
    let none = app.call("GET", "/v2/sandboxes?metadata=a%3Dz", "").await;
    assert_eq!(none.json, json!([]));
    let path = format!("/sandboxes/{id}");
    assert_eq!(
        app.call("POST", &format!("{path}/timeout"), r#"{"timeout":90}"#)
            .await
            .status,
        204
    );
    assert_eq!(
        app.call("POST", &format!("/v2{path}/connect"), "{}")
            .await
            .status,
        200
    );
    assert_eq!(
        app.call("POST", &format!("{path}/pause"), "").await.status,
        204
    );
    assert_eq!(
        app.call("POST", &format!("{path}/pause"), "{}").await.json["code"],
        409
    );
    assert_eq!(app.call("GET", &path, "").await.json["state"], "paused");
    let resumed = app
        .call("POST", &format!("/v2{path}/connect"), r#"{"timeout":60}"#)
        .await;
    assert_eq!(resumed.status, 201);
    assert_eq!(
        resumed.json["envdAccessToken"],
        made.json["envdAccessToken"]
    );
    assert_eq!(app.call("DELETE", &path, "").await.status, 204);
    assert_eq!(app.call("DELETE", &path, "").await.json["code"], 404);
    assert_eq!(app.call("GET", &path, "").await.json["code"], 404);
    let connect = app.call("POST", &format!("/v2{path}/connect"), "{}").await;
    assert_eq!(connect.json["code"], 404);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_login_token_works_until_the_logout(pool: PgPool) {
    let app = App::start(pool).await;
    let wrong = json!({"email": EMAIL, "password": "wrong"}).to_string();
    assert_eq!(app.call("POST", "/v1/auth/login", &wrong).await.status, 401);
    let right = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let session = app.call("POST", "/v1/auth/login", &right).await;
    assert_eq!(session.status, 200, "{}", session.json);
    let bearer = format!("Bearer {}", session.json["token"].as_str().unwrap());
    for (method, path, status) in [
        ("GET", "/v1/sandboxes", 200),
        ("POST", "/v1/auth/logout", 204),
        ("GET", "/v1/sandboxes", 401),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", &bearer);
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_port_opens_only_to_callers_with_access(pool: PgPool) {
    let app = App::start(pool).await;
    let native = app.sandbox().await;
    let public = app
        .call("POST", "/v2/sandboxes", r#"{"templateID":"base"}"#)
        .await;
    let private = r#"{"templateID":"base","network":{"allowPublicTraffic":false}}"#;
    let private = app.call("POST", "/v2/sandboxes", private).await;
    let token = private.json["trafficAccessToken"].as_str().unwrap();
    let public = public.json["sandboxID"].as_str().unwrap();
    let private = private.json["sandboxID"].as_str().unwrap();
    // No program listens on port 80, so a caller with access gets 502. The guest agent checks access to its own port.
    for (id, port, header, status) in [
        (native.as_str(), "80", ("x-none", ""), 403),
        (native.as_str(), "80", ("x-api-key", app.key.as_str()), 502),
        (native.as_str(), "49983", ("x-none", ""), 204),
        (public, "80", ("x-none", ""), 502),
        (private, "80", ("x-none", ""), 403),
        (private, "80", ("e2b-traffic-access-token", "wrong"), 403),
        (private, "80", ("e2b-traffic-access-token", token), 502),
        (private, "0", ("x-none", ""), 400),
        ("zzz", "80", ("x-none", ""), 502),
    ] {
        let request = Request::get("/health")
            .header("e2b-sandbox-id", id)
            .header("e2b-sandbox-port", port)
            .header(header.0, header.1);
        let answer = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            answer.status, status,
            "{id} {port} {header:?}: {}",
            answer.json
        );
        if status != 204 {
            assert_eq!(answer.json["code"], status);
        }
    }
    let gone = SandboxId::random().base36();
    let request = Request::get("/health").header("host", format!("49983-{gone}.localhost"));
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 502);
    assert!(
        answer.json["message"]
            .as_str()
            .unwrap()
            .contains("was not found")
    );
}
