//! What the published SDKs send and expect beyond the routes themselves.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::app::{Answer, App};
use crate::port_tokens::{query, signature};
use crate::raw::exchange;

async fn create(app: &App, more: Value) -> Value {
    let mut body = json!({"templateID": "base"});
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    let made = app.call("POST", "/v2/sandboxes", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.json);
    made.json
}

fn id(created: &Value) -> &str {
    created["sandboxID"].as_str().unwrap()
}

/// A request with the headers that name a port of a sandbox, and with the key of the team.
async fn routed(app: &App, method: &str, path: &str, id: &str, port: u16) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("e2b-sandbox-id", id)
        .header("e2b-sandbox-port", port)
        .header("x-api-key", &app.key);
    app.send(request.body(Body::empty()).unwrap()).await
}

/// `kill()` and `is_running()` answer `False` by these.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_text_that_is_no_id_names_a_sandbox_that_does_not_exist(pool: PgPool) {
    let app = App::start(pool).await;
    for (method, path) in [
        ("GET", "/sandboxes/nonexistingsandbox"),
        ("DELETE", "/sandboxes/nonexistingsandbox"),
        ("POST", "/sandboxes/nonexistingsandbox/connect"),
        ("POST", "/v2/sandboxes/nonexistingsandbox/connect"),
        ("POST", "/sandboxes/nonexistingsandbox/timeout"),
        ("POST", "/sandboxes/nonexistingsandbox/pause"),
        ("POST", "/sandboxes/%20/resume"),
    ] {
        let answer = app.call(method, path, r#"{"timeout": 9}"#).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json["code"], 404, "{path}");
        let answer = app.without_credential(method, path, &json!({})).await;
        assert_eq!(answer.status, 401, "{path}");
    }
    let by_header = routed(&app, "GET", "/health", "nonexistingsandbox", 49983).await;
    assert_eq!(by_header.status, 502);
    assert_eq!(by_header.json["message"], "The sandbox was not found");
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_operation_that_is_not_built_does_not_look_like_a_lost_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = create(&app, json!({})).await;
    for (method, path) in [
        ("POST", format!("/sandboxes/{}/fork", id(&sandbox))),
        ("POST", format!("/sandboxes/{}/snapshots", id(&sandbox))),
        ("GET", format!("/sandboxes/{}/metrics", id(&sandbox))),
        ("GET", "/templates/aliases/base".to_owned()),
        ("GET", "/volumes".to_owned()),
    ] {
        let answer = app.call(method, &path, "").await;
        assert_eq!(answer.status, 501, "{path}: {}", answer.json);
        assert_eq!(answer.json["code"], 501);
        assert_eq!(answer.json["error_code"], "not_implemented");
        let answer = app.without_credential(method, &path, &json!({})).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.json["code"], 401);
    }
    let other = app.call("GET", "/sandboxes/x/nothing", "").await;
    assert_eq!(other.status, 404);
}

/// `download_url()` where `E2B_SANDBOX_URL` is set.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_signed_address_that_names_no_sandbox_leads_to_the_one_that_signed_it(pool: PgPool) {
    let app = App::start(pool).await;
    create(&app, json!({})).await;
    let sandbox = create(&app, json!({})).await;
    create(&app, json!({})).await;
    let file = ("/a b".to_owned(), b"text".to_vec());
    app.guest.files.lock().unwrap().extend([file]);
    let token = sandbox["envdAccessToken"].as_str().unwrap();
    let address = |token: &str| {
        let signed = query(&signature("/a b", "read", token, None));
        format!("/files?path=/a%20b&signature={signed}")
    };
    let get = async |uri: &str| {
        app.send(Request::get(uri).body(Body::empty()).unwrap())
            .await
    };
    let answer = get(&address(token)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["cache-control"], "private, no-store");
    let other_file = address(token).replace("path=/a", "path=/b");
    for uri in [&address("other"), &other_file, "/files?path=/a%20b"] {
        let answer = get(uri).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json["message"]),
            (404, &"route not found".into())
        );
    }
    let deleted = app
        .call("DELETE", &format!("/sandboxes/{}", id(&sandbox)), "")
        .await;
    assert_eq!(deleted.status, 204);
    assert_eq!(get(&address(token)).await.status, 404);
}

/// Anybody can ask for a search.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn searches_for_a_signature_that_find_nothing_are_limited_by_address(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = create(&app, json!({})).await;
    let file = ("/a".to_owned(), b"text".to_vec());
    app.guest.files.lock().unwrap().extend([file]);
    let get = async |token: &str| {
        let signed = query(&signature("/a", "read", token, None));
        let uri = format!("/files?path=/a&signature={signed}");
        let request = Request::get(uri).body(Body::empty());
        app.send(request.unwrap()).await.status
    };
    let token = sandbox["envdAccessToken"].as_str().unwrap();
    for _ in 0..70 {
        assert_eq!(get(token).await, 200);
    }
    let mut searched = 0;
    let refused = loop {
        match get("other").await.as_u16() {
            404 if searched < 1000 => searched += 1,
            status => break status,
        }
    };
    assert_eq!(refused, 429);
    assert!(searched >= 60, "{searched}");
}

/// Python 2.8 to 2.21 send no header that names the sandbox once they have connected to it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_access_token_alone_leads_to_the_guest_agent_of_its_sandbox(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = create(&app, json!({})).await;
    let token = sandbox["envdAccessToken"].as_str().unwrap();
    let call = async |token: &str, header: &str, value: &str| {
        let request = Request::get("/health").header("x-access-token", token);
        let request = request.header(header, value).body(Body::empty());
        app.send(request.unwrap()).await
    };
    for basic in ["Basic dXNlcjo=", "basic dXNlcjo="] {
        let answer = call(token, "authorization", basic).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.headers["cache-control"], "private, no-store");
    }
    // With a credential of the API the request is the API's.
    for (header, value) in [
        ("x-api-key", app.key.as_str()),
        ("authorization", "Bearer x"),
        ("authorization", "Basicx"),
    ] {
        assert_eq!(call(token, header, value).await.status, 200, "{header}");
    }
    // A token that is not valid opens nothing.
    let forged = format!("{}{}", &token[..25], "0".repeat(64));
    let request = Request::get("/envs").header("x-access-token", forged);
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 401);
}

/// The SDKs for Python from 2.7 to 2.26 send the headers of the sandbox with the call that connects to it.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_connect_with_a_key_is_the_apis_whatever_sandbox_its_headers_name(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = create(&app, json!({})).await;
    let id = id(&sandbox);
    for version in ["", "/v2"] {
        let path = format!("{version}/sandboxes/{id}/connect");
        let connected = routed(&app, "POST", &path, id, 49983).await;
        assert_eq!(connected.status, 200, "{}", connected.json);
        assert_eq!(connected.json["sandboxID"], id);
        app.call("POST", &format!("/sandboxes/{id}/pause"), "")
            .await;
        let connected = routed(&app, "POST", &path, id, 49983).await;
        assert_eq!(connected.status, 201, "{}", connected.json);
    }
    // Without a key it is a request for the sandbox.
    let request = Request::post(format!("/sandboxes/{id}/connect"))
        .header("e2b-sandbox-id", id)
        .header("e2b-sandbox-port", "49983");
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.json["message"],
        "the access token is missing or wrong"
    );
}

#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_private_program_may_serve_the_paths_of_the_api(pool: PgPool) {
    let app = App::start(pool).await;
    let sandbox = create(&app, json!({"network": {"allowPublicTraffic": false}})).await;
    for (method, path) in [
        ("GET", "/sandboxes"),
        ("POST", "/v2/sandboxes"),
        ("GET", "/health"),
        ("GET", "/sandboxes/x/connect"),
        ("POST", "/sandboxes/x/y/connect"),
        ("POST", "/connect"),
    ] {
        let answer = routed(&app, method, path, id(&sandbox), 8080).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.json);
        let arrived = app.guest.web_request.lock().unwrap().take().unwrap();
        assert_eq!(arrived.path, path);
        assert!(!arrived.headers.contains_key("x-api-key"));
    }
}

/// Without a domain, `get_host()` names a host of another company.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn an_sdk_is_told_the_domain_of_its_sandboxes_ports(pool: PgPool) {
    let app = App::start(pool).await;
    for (host, domain) in [
        ("127.0.0.1:3000", "localhost:3000"),
        ("localhost:3000", "localhost:3000"),
        ("[::1]:3000", "localhost:3000"),
        ("localhost", "localhost"),
    ] {
        let request = Request::post("/v2/sandboxes")
            .header("host", host)
            .header("x-api-key", &app.key)
            .header("content-type", "application/json");
        let body = Body::from(r#"{"templateID": "base"}"#);
        let created = app.send(request.body(body).unwrap()).await;
        assert_eq!(created.json["domain"], domain, "{host}");
        let path = format!("/sandboxes/{}", id(&created.json));
        let request = Request::get(path)
            .header("host", host)
            .header("x-api-key", &app.key);
        let seen = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(seen.json["domain"], domain, "{host}");
        let port_host = format!("8080-{}.{domain}", id(&created.json));
        let request = Request::get("/x").header("host", port_host);
        let visit = app.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(visit.status, 200, "{host}");
    }
}

/// A head is limited by its size first.
#[sqlx::test(migrator = "locule_store::MIGRATIONS")]
async fn a_head_may_have_many_headers(pool: PgPool) {
    let app = App::start(pool).await;
    let address = app.listen().await;
    for (count, status) in [(150, 200), (1000, 200), (1100, 431)] {
        let headers: Vec<String> = (0..count).map(|n| format!("x-{n}: {n}\r\n")).collect();
        let head = format!(
            "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n",
            headers.concat()
        );
        let said = exchange(address, &head).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(said.starts_with(&expected), "{count} headers: {said}");
    }
}
