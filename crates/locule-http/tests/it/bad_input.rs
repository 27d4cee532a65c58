//! Invalid requests: how each is refused, and that it changes no state.

use axum::body::Body;
use http::Request;
use locule_http::HttpConfig;
use locule_ids::SandboxId;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{App, PATIENCE};

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invalid_create_is_refused_and_creates_no_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let big = format!(r#"{{"template":"{}"}}"#, "x".repeat(2 << 20));
    for (body, status, code) in [
        (r#"{"template":"nowhere"}"#, 404, "not_found"),
        (r#"{"template":"../x"}"#, 400, "invalid_request"),
        (r#"{"vcpus":1000}"#, 400, "invalid_request"),
        (r#"{"memory_mb":99999999}"#, 400, "invalid_request"),
        (r#"{"memory_mb":1}"#, 400, "invalid_request"),
        (r#"{"memory_mb":1031}"#, 400, "invalid_request"),
        (r#"{"vcpus":18446744073709551615}"#, 400, "invalid_request"),
        (r#"{"timeout_sec":-1}"#, 400, "invalid_request"),
        (r#"{"timeout_sec":4294967296}"#, 400, "invalid_request"),
        (r#"{"expires_in_sec":0}"#, 400, "invalid_request"),
        (r#"{"expires_in_sec":-5}"#, 400, "invalid_request"),
        (r#"{"on_timeout":"explode"}"#, 400, "invalid_request"),
        (r#"{"envs":{"":"x"}}"#, 400, "invalid_request"),
        (r#"{"labels":["a"]}"#, 400, "invalid_request"),
        ("[]", 400, "invalid_request"),
        ("", 400, "invalid_request"),
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
async fn the_e2b_dialect_refuses_in_its_own_envelope(pool: PgPool) {
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
        ("GET", "/sandboxes/nope".to_owned(), 404),
        ("GET", "/v2/sandboxes?limit=101".to_owned(), 400),
        ("GET", "/nothing".to_owned(), 404),
    ] {
        let answer = app.call(method, &path, "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.json);
        assert_eq!(answer.json["code"], status, "{path}");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_id_the_owner_and_the_state_are_checked_in_this_order(pool: PgPool) {
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
        // The body is invalid too, and is checked last.
        let answer = app
            .call("POST", &format!("/v1/sandboxes/{id}/exec"), "{")
            .await;
        assert_eq!(answer.status, status, "{id}: {}", answer.json);
        assert_eq!(answer.json["error"]["code"], code);
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_invalid_create_of_the_e2b_dialect_creates_no_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let big = format!(r#"{{"templateID":"{}"}}"#, "x".repeat(2 << 20));
    for (body, status) in [
        (r"{}", 400),
        (r#"{"templateID":1}"#, 400),
        (r#"{"templateID":"base","timeout":0}"#, 400),
        (r#"{"templateID":"base","timeout":-1}"#, 400),
        (r#"{"templateID":"base","timeout":99999999}"#, 400),
        (
            r#"{"templateID":"base","network":{"maskRequestHost":"x"}}"#,
            400,
        ),
        (
            r#"{"templateID":"base","network":{"httpsPorts":[443]}}"#,
            400,
        ),
        (r#"{"templateID":"base","metadata":{"a":1}}"#, 400),
        ("{", 400),
        (big.as_str(), 413),
    ] {
        for path in ["/sandboxes", "/v2/sandboxes"] {
            let answer = app.call("POST", path, body).await;
            let shown = &body[..body.len().min(60)];
            assert_eq!(answer.status, status, "{path} {shown}: {}", answer.json);
            assert_eq!(answer.json["code"], status, "{path} {shown}");
            assert!(answer.json["message"].is_string());
        }
    }
    assert_eq!(app.host.count(), 0);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn unknown_fields_are_ignored_and_zero_sizes_are_the_default(pool: PgPool) {
    let app = App::start(pool).await;
    let body = r#"{"surprise":{"a":[1]},"vcpus":0,"memory_mb":-1}"#;
    let made = app.call("POST", "/v1/sandboxes", body).await;
    assert_eq!(made.status, 201, "{}", made.json);
    assert_eq!(
        (&made.json["vcpus"], &made.json["memory_mb"]),
        (&1.into(), &512.into())
    );
    let at = made.json["created_at"].as_str().unwrap();
    assert!(
        at.ends_with('Z') && !at.contains('.'),
        "to the second: {at}"
    );
    let body = r#"{"templateID":"base","surprise":1,"secure":true,"mcp":null}"#;
    let made = app.call("POST", "/v2/sandboxes", body).await;
    assert_eq!(made.status, 201, "{}", made.json);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn memory_is_a_multiple_of_128_mib_and_the_e2b_dialect_rounds_up(pool: PgPool) {
    let app = App::start(pool).await;
    let refused = app
        .call("POST", "/v1/sandboxes", r#"{"memory_mb":1031}"#)
        .await;
    assert_eq!(refused.status, 400, "{}", refused.json);
    let text = refused.json["error"]["message"].as_str().unwrap();
    assert!(text.contains("multiple of 128"), "{text}");
    let body = r#"{"templateID":"base","memoryMB":1031}"#;
    let made = app.call("POST", "/v2/sandboxes", body).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let path = format!("/sandboxes/{}", made.json["sandboxID"].as_str().unwrap());
    let details = app.call("GET", &path, "").await;
    assert_eq!(details.json["memoryMB"], 1152, "{}", details.json);
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn variables_and_labels_together_are_bounded(pool: PgPool) {
    let app = App::start(pool).await;
    let value = "x".repeat(16 * 1024);
    let four = serde_json::json!({ "A": value, "B": value, "C": value, "D": value });
    for body in [
        serde_json::json!({ "envs": four }),
        serde_json::json!({ "envs": {"A": value, "B": value}, "labels": {"c": value, "d": value} }),
    ] {
        let refused = app.call("POST", "/v1/sandboxes", &body.to_string()).await;
        assert_eq!(refused.status, 400, "{}", refused.json);
        assert_eq!(refused.json["error"]["code"], "invalid_request");
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_body_of_another_media_type_is_refused(pool: PgPool) {
    let app = App::start(pool).await;
    for path in ["/v1/sandboxes", "/v2/sandboxes", "/v1/auth/login"] {
        let request = Request::post(path)
            .header("x-api-key", &app.key)
            .header("content-type", "text/plain");
        let answer = app.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(answer.status, 415, "{path}");
    }
    assert_eq!(app.host.count(), 0);
}

/// Every operation on one sandbox that is not a WebSocket: method and path with `{id}`.
fn operations() -> Vec<(String, String)> {
    let document = serde_json::to_value(locule_http::document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut operations = Vec::new();
    for (path, item) in paths {
        if path.contains("sandboxes/{id}")
            && !path.ends_with("exec/stream")
            && !path.ends_with("/pty")
            && !path.contains("}/stream")
        {
            for method in item.as_object().unwrap().keys() {
                let path = path.replace("{selector}", "1").replace("{port}", "8080");
                operations.push((method.to_uppercase(), path));
            }
        }
    }
    assert!(operations.len() > 20, "{operations:?}");
    operations
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_key_of_another_team_finds_and_changes_no_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let (id, stranger) = (app.sandbox().await, app.stranger().await);
    let unknown = SandboxId::random().to_string();
    for (method, path) in operations() {
        for (key, id) in [(&stranger, &id), (&app.key, &unknown)] {
            // The body is malformed too: the owner is checked first.
            let path = path.replace("{id}", id);
            let alias = path.replace("/v1/sandboxes", "/v1/capsules");
            for path in [path, alias] {
                let answer = app.call_as(key, &method, &path, "{").await;
                assert_eq!(answer.status, 404, "{method} {path}: {}", answer.json);
            }
        }
    }
    for path in [
        "/v1/sandboxes",
        "/v1/capsules",
        "/v2/sandboxes",
        "/sandboxes",
    ] {
        let listed = app.call_as(&stranger, "GET", path, "").await;
        assert_eq!(listed.json, serde_json::json!([]), "{path}");
    }
    let seen = app.call("GET", &format!("/v1/sandboxes/{id}"), "").await;
    assert_eq!(seen.json["status"], "running");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn every_operation_refuses_a_malformed_id_as_invalid(pool: PgPool) {
    // B-007
    let app = App::start(pool).await;
    let largest = "f5lxx1zz5pnorynqglhzmsp34";
    for (method, path) in operations() {
        for id in [
            "nope",
            "sb-x",
            "host-6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            largest,
            "%00",
            "%ff",
        ] {
            let path = path.replace("{id}", id);
            let answer = app.call(&method, &path, "{").await;
            // The SDKs of the E2B dialect know no invalid id, only a sandbox that does not exist.
            let status = if path.starts_with("/v1/") { 400 } else { 404 };
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.json);
        }
    }
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn the_state_is_checked_before_the_body(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let running = [
        ("POST", "/sandboxes/{id}/resume"),
        ("POST", "/v1/sandboxes/{id}/resume"),
    ];
    for (method, path) in running {
        let answer = app.call(method, &path.replace("{id}", &id), "{").await;
        assert_eq!(answer.status, 409, "{path}: {}", answer.json);
    }
    app.call("POST", &format!("/v1/sandboxes/{id}/pause"), "")
        .await;
    for (method, path) in operations() {
        let wants_running = [
            "/exec",
            "/ping",
            "/pause",
            "/timeout",
            "/processes",
            "/processes/1",
            "/ports",
        ];
        // An address can be signed while the sandbox is paused.
        let is_file = path.contains("/files/") && !path.ends_with("/files/sign");
        if wants_running.iter().any(|end| path.ends_with(end)) || is_file {
            let path = path.replace("{id}", &id);
            let answer = app.call(&method, &path, "{").await;
            assert_eq!(answer.status, 409, "{method} {path}: {}", answer.json);
        }
    }
    let seen = app.call("GET", &format!("/v1/sandboxes/{id}"), "").await;
    assert_eq!(seen.json["status"], "paused");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn each_refusal_by_the_guest_agent_has_its_own_error_code(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    for (method, rest, body, status, code) in [
        (
            "POST",
            "exec",
            r#"{"cmd":"nope"}"#,
            400,
            "command_not_found",
        ),
        (
            "POST",
            "exec",
            r#"{"cmd":"nope","background":true}"#,
            400,
            "command_not_found",
        ),
        ("POST", "exec", r#"{"cmd":""}"#, 400, "invalid_request"),
        ("POST", "exec", "{}", 400, "invalid_request"),
        (
            "POST",
            "exec",
            r#"{"cmd":"fail","timeout_sec":-1}"#,
            400,
            "invalid_request",
        ),
        (
            "POST",
            "files/read",
            r#"{"path":"/none"}"#,
            404,
            "not_found",
        ), // W-042
        (
            "POST",
            "files/list",
            r#"{"path":"/none"}"#,
            404,
            "not_found",
        ),
        (
            "POST",
            "files/remove",
            r#"{"path":"/none"}"#,
            404,
            "not_found",
        ),
        (
            "POST",
            "files/read",
            r#"{"path":""}"#,
            400,
            "invalid_request",
        ),
        (
            "POST",
            "files/read",
            r#"{"path":7}"#,
            400,
            "invalid_request",
        ),
        ("DELETE", "processes/1", "", 404, "not_found"),
        (
            "DELETE",
            "processes/1?signal=SIGFOO",
            "",
            400,
            "invalid_request",
        ),
    ] {
        let answer = app
            .call(method, &format!("/v1/sandboxes/{id}/{rest}"), body)
            .await;
        assert_eq!(answer.status, status, "{rest} {body}: {}", answer.json);
        assert_eq!(answer.json["error"]["code"], code, "{rest} {body}");
    }
}

/// A multipart body of these parts, in this order.
fn multipart(parts: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    parts.iter().map(part).collect::<Vec<_>>().concat() + "--x--\r\n"
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_upload_is_written_completely_or_refused(pool: PgPool) {
    // W-044
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let (path, file) = (("path", "/a"), ("file", "content"));
    for (rest, parts, status) in [
        ("files/write", &[path, file][..], 204),
        ("files/write", &[file, path], 204),
        ("files/stream/write", &[path, file], 204),
        ("files/stream/write", &[file, path], 400),
        ("files/write", &[path], 400),
        ("files/write", &[file], 400),
        ("files/write", &[("path", ""), file], 400),
        ("files/write", &[("path", "/full"), file], 507),
        ("files/stream/write", &[("path", "/full"), file], 507),
    ] {
        app.guest.files.lock().unwrap().clear();
        let request = Request::post(format!("/v1/sandboxes/{id}/{rest}"))
            .header("x-api-key", &app.key)
            .header("content-type", "multipart/form-data; boundary=x");
        let answer = app
            .send(request.body(Body::from(multipart(parts))).unwrap())
            .await;
        assert_eq!(answer.status, status, "{rest} {parts:?}: {}", answer.json);
        let written = app.guest.files.lock().unwrap().get("/a").cloned();
        let whole = (status == 204).then(|| b"content".to_vec());
        assert_eq!(written, whole, "{rest} {parts:?}");
        if status == 507 {
            assert_eq!(answer.json["error"]["code"], "disk_full");
        }
    }
}

/// Sends an upload of `/a` in chunks, without its length, and returns the raw response.
async fn upload_in_chunks(app: &App, id: &str, chunks: usize) -> String {
    let head = format!(
        "POST /v1/sandboxes/{id}/files/write HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {}\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nTransfer-Encoding: chunked\r\n\r\n",
        app.key
    );
    let chunk = |bytes: &str| format!("{:x}\r\n{bytes}\r\n", bytes.len());
    let whole = multipart(&[("path", "/a"), ("file", "@")]);
    let (before, after) = whole.split_once('@').unwrap();
    let mut stream = TcpStream::connect(app.listen().await).await.unwrap();
    let talk = async {
        // The whole request is sent before the response is read, as simple clients do.
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(chunk(before).as_bytes()).await.unwrap();
        let content = chunk(&"y".repeat(64 * 1024));
        for _ in 0..chunks {
            stream.write_all(content.as_bytes()).await.unwrap();
        }
        let last = format!("{}0\r\n\r\n", chunk(after));
        stream.write_all(last.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    };
    tokio::time::timeout(PATIENCE, talk).await.unwrap()
}

/// W-044
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_upload_without_a_length_is_written_or_refused_as_too_large(pool: PgPool) {
    let http = HttpConfig {
        file_bytes_max: 1024 * 1024,
        ..HttpConfig::default()
    };
    let app = App::start_within(pool, http).await;
    let id = app.sandbox().await;
    let said = upload_in_chunks(&app, &id, 15).await;
    assert!(said.starts_with("HTTP/1.1 204"), "{said}");
    let kept = || app.guest.files.lock().unwrap()["/a"].len();
    assert_eq!(kept(), 15 * 64 * 1024);
    // Far more than the socket buffers hold.
    let said = upload_in_chunks(&app, &id, 1024).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    assert!(said.contains(r#""code":"too_large""#), "{said}");
    assert!(said.contains("files/stream/write"), "{said}");
    assert_eq!(kept(), 15 * 64 * 1024, "the old file stays");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_upload_that_is_too_large_does_not_reach_the_guest_agent(pool: PgPool) {
    let app = App::start(pool).await;
    let id = app.sandbox().await;
    let request = Request::post(format!("/v1/sandboxes/{id}/files/write"))
        .header("x-api-key", &app.key)
        .header("content-length", 101 << 20)
        .header("content-type", "multipart/form-data; boundary=x");
    let body = Body::from(multipart(&[("path", "/a"), ("file", "begun")]));
    let answer = app.send(request.body(body).unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json["error"]["code"]),
        (413, &"too_large".into())
    );
    assert!(app.guest.files.lock().unwrap().is_empty());
}
