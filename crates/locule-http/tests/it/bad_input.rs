//! What is refused, how, and that nothing changed.

use axum::body::Body;
use http::Request;
use locule_ids::SandboxId;
use sqlx::PgPool;

use crate::app::App;

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_bad_create_is_refused_and_makes_nothing(pool: PgPool) {
    let app = App::start(pool).await;
    let big = format!(r#"{{"template":"{}"}}"#, "x".repeat(2 << 20));
    for (body, status, code) in [
        (r#"{"template":"nowhere"}"#, 404, "not_found"),
        (r#"{"template":"../x"}"#, 400, "invalid_request"),
        (r#"{"vcpus":1000}"#, 400, "invalid_request"),
        (r#"{"memory_mb":99999999}"#, 400, "invalid_request"),
        (r#"{"timeout_sec":-1}"#, 400, "invalid_request"),
        (r#"{"timeout_sec":"soon"}"#, 400, "invalid_request"),
        ("{", 400, "invalid_request"),
        (big.as_str(), 413, "too_large"),
    ] {
        let answer = app.call("POST", "/v1/sandboxes", body).await;
        let shown = &body[..body.len().min(60)];
        assert_eq!(answer.status, status, "{shown}: {}", answer.json);
        assert_eq!(answer.json["error"]["code"], code, "{shown}");
    }
    assert_eq!(app.host.count(), 0);
    assert_eq!(
        app.call("GET", "/v1/sandboxes", "").await.json,
        serde_json::json!([])
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_other_dialect_refuses_in_its_own_envelope(pool: PgPool) {
    let app = App::start(pool).await;
    for path in ["/sandboxes", "/v2/sandboxes"] {
        let answer = app.call("POST", path, r#"{"templateID":"nowhere"}"#).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json["code"], 404);
        assert_eq!(answer.json["error_code"], "not_found");
        assert_eq!(answer.headers["should-retry"], "false");
    }
    let unknown = SandboxId::random().base36();
    for (method, path, status) in [
        ("GET", format!("/sandboxes/{unknown}"), 404),
        ("DELETE", format!("/sandboxes/{unknown}"), 404),
        ("POST", format!("/v2/sandboxes/{unknown}/connect"), 404),
        ("GET", "/sandboxes/nope".to_owned(), 400),
        ("GET", "/v2/sandboxes?limit=101".to_owned(), 400),
        ("GET", "/nothing".to_owned(), 404),
    ] {
        let answer = app.call(method, &path, "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.json);
        assert_eq!(answer.json["code"], status, "{path}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn ids_owners_and_states_are_checked_in_order(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let unknown = SandboxId::random();
    app.call("POST", &format!("/v1/sandboxes/{id}/pause"), "")
        .await;
    for (id, status, code) in [
        ("nope".to_owned(), 400, "invalid_request"),
        (unknown.to_string(), 404, "not_found"),
        (id.clone(), 409, "invalid_state"),
    ] {
        // The body is bad too, and comes last.
        let answer = app
            .call("POST", &format!("/v1/sandboxes/{id}/exec"), "{")
            .await;
        assert_eq!(answer.status, status, "{id}: {}", answer.json);
        assert_eq!(answer.json["error"]["code"], code);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_operation_but_the_open_ones_wants_a_credential(pool: PgPool) {
    let app = App::start(pool).await;
    let id = SandboxId::random();
    let document = serde_json::to_value(locule_http::document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, _) in item.as_object().unwrap() {
            if path == "/health" || path.ends_with("/login") || path.ends_with("/stream") {
                continue;
            }
            let uri = path
                .replace("{id}", &id.to_string())
                .replace("{selector}", "1");
            for key in [
                None,
                Some("e2b_0000000000000000000000000000000000000000"),
                Some("x"),
            ] {
                let mut request = Request::builder()
                    .method(method.to_uppercase().as_str())
                    .uri(&uri);
                if let Some(key) = key {
                    request = request.header("x-api-key", key);
                }
                let answer = app.send(request.body(Body::empty()).unwrap()).await;
                assert_eq!(answer.status, 401, "{method} {path}");
            }
        }
    }
}
